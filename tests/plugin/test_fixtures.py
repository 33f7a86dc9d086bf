"""Fixtures of load tests: one for all VUs, or one for each."""

import pytest

from tests.plugin.conftest import RunPytest, Service


def test_fixtures_of_all_scopes_are_set_up_once_and_shared_by_all_vus(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makeconftest("""
        import pytest

        made = []

        def make(scope):
            @pytest.fixture(scope=scope)
            def fixture():
                made.append(scope)
                yield object()
                made.append(f"{scope} down")
            return fixture

        for_session = make("session")
        for_module = make("module")
        for_function = make("function")
    """)
    pytester.makepyfile("""
        import pytest
        from conftest import made

        seen = set()

        @pytest.mark.scenario(vus=3)
        async def test_first(vu, for_session, for_module, for_function, tmp_path):
            seen.add((for_session, for_module, for_function, tmp_path))

        @pytest.mark.scenario
        async def test_second(vu, for_session, for_module, for_function): ...

        def test_what_was_made():
            assert len(seen) == 1
            assert made == [
                "session", "module", "function", "function down", "function", "function down"
            ]
    """)

    run_pytest().assert_outcomes(passed=3)


def test_a_vu_fixture_is_made_once_for_each_vu_and_torn_down_with_it(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        events = []

        @vu_fixture
        async def account(vu):
            events.append(f"log in {vu.id}")
            response = await vu.http.get(f"/login/{vu.id}")
            yield f"user {vu.id}: {response.text}"
            events.append(f"log out {vu.id}")

        @pytest.mark.scenario(executor="per-vu-iterations", vus=2, iterations=2)
        async def test_browse(vu, account):
            assert account == f"user {vu.id}: Welcome"
            events.append(f"browse {vu.id}")

        def test_what_happened():
            for vu in 1, 2:
                mine = [event for event in events if event.endswith(str(vu))]
                assert mine == [
                    f"log in {vu}", f"browse {vu}", f"browse {vu}", f"log out {vu}"
                ]
    """)

    run_pytest().assert_outcomes(passed=2)
    assert sorted(service.paths) == ["/login/1", "/login/2"]


def test_vu_fixtures_ask_for_ordinary_ones_and_for_each_other_and_end_in_reverse(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        events = []

        @pytest.fixture
        def shop():
            return "shop"

        @vu_fixture
        def basket(account):
            yield f"basket of {account}"
            events.append("basket down")

        @vu_fixture
        async def account(vu, shop):
            yield f"account {vu.id} in the {shop}"
            events.append("account down")

        @pytest.mark.scenario
        async def test_browse(vu, basket, account):
            assert basket == "basket of account 1 in the shop"

        def test_what_happened():
            assert events == ["basket down", "account down"]
    """)

    run_pytest().assert_outcomes(passed=2)


def test_vu_fixtures_are_found_and_overridden_as_fixtures_are(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makeconftest("""
        from pytest_k6api import vu_fixture

        @vu_fixture
        def account(vu):
            return f"conftest {vu.id}"
    """)
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        @pytest.mark.scenario
        async def test_from_conftest(account):
            assert account == "conftest 1"

        class TestOverridden:
            prefix = "class"

            @vu_fixture
            def account(self, account, request):
                assert request.node.name == "test_from_class"
                return f"{self.prefix} over {account}"

            @pytest.mark.scenario
            async def test_from_class(self, account):
                assert account == "class over conftest 1"

        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario
            async def test_from_conftest(self, account):
                assert account.startswith("conftest")
    """)

    run_pytest().assert_outcomes(passed=3)


def test_vu_fixtures_that_need_each_other_are_refused(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        @vu_fixture
        def hen(egg): ...

        @vu_fixture
        def egg(hen): ...

        @pytest.mark.scenario
        async def test_browse(vu, hen):
            await vu.http.get("/")
    """)

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "k6: cannot run *::test_browse: the fixtures ask for each other in a circle: hen -> egg -> hen"
        ]
    )
    assert service.paths == []


def test_a_vu_fixture_that_raises_fails_the_load_test_and_shows_where(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        @vu_fixture
        async def account(vu):
            raise RuntimeError("no more accounts")

        @pytest.mark.scenario(vus=2)
        async def test_browse(vu, account):
            await vu.http.get("/")
    """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 2 of 2 iterations raised an exception",
            "2x vu_fixture failed (100.00% of iterations): RuntimeError: no more accounts",
            "*: in account",
            '*raise RuntimeError("no more accounts")',
        ]
    )
    assert service.paths == []


def test_a_vu_fixture_whose_teardown_raises_is_reported(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        @vu_fixture
        async def account(vu):
            yield
            raise RuntimeError("cannot log out")

        @pytest.mark.scenario
        async def test_browse(vu, account): ...
    """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 1 VU fixture failed to be torn down",
            "*vu_fixture failed*RuntimeError: cannot log out",
        ]
    )


def test_setup_returns_what_scenarios_and_teardown_ask_for(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        events = []

        @pytest.fixture
        def shop():
            events.append("shop up")
            yield "books"
            events.append("shop down")

        async def seed(vu, shop):
            events.append("setup")
            await vu.http.get(f"/seed/{shop}")
            return {"items": [1, 2]}

        def clear(setup_data):
            events.append("teardown")
            assert setup_data == {"items": [1, 2]}

        @vu_fixture
        def first_item(setup_data):
            return setup_data["items"][0]

        @pytest.mark.scenario(vus=2, setup=seed, teardown=clear)
        async def test_browse(vu, setup_data, first_item):
            assert setup_data["items"].pop(0) == 1, "every VU has a copy of its own"
            assert first_item == 1

        def test_what_happened():
            assert events == ["shop up", "setup", "teardown", "shop down"]
    """)

    run_pytest().assert_outcomes(passed=2)
    assert service.paths == ["/seed/books"]


def test_setup_and_teardown_can_be_left_out(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile("""
        import pytest

        events = []

        @pytest.mark.scenario(
            setup=lambda: events.append("setup"), teardown=lambda: events.append("teardown")
        )
        async def test_browse(vu, setup_data):
            assert setup_data is None

        def test_what_happened():
            assert events == []
    """)

    run_pytest("--k6-no-setup", "--k6-no-teardown").assert_outcomes(passed=2)


def test_a_setup_that_asks_for_a_vu_fixture_is_told_why_not(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import vu_fixture

        @vu_fixture
        def account(): ...

        def seed(account): ...

        @pytest.mark.scenario(setup=seed)
        async def test_browse(vu):
            await vu.http.get("/")
    """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "setup=seed asks for account, which every VU has of its own; setup runs once, so do"
            " there what the VU fixture does"
        ]
    )
    assert service.paths == []


@pytest.mark.parametrize("name", ["vu", "setup_data", "account"])
def test_an_ordinary_test_that_asks_for_what_scenarios_have_is_told_what_it_is(
    pytester: pytest.Pytester, run_pytest: RunPytest, name: str
):
    pytester.makepyfile(f"""
        from pytest_k6api import vu_fixture

        @vu_fixture
        def account(): ...

        def test_ordinary({name}): ...
    """)

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            f"{name} is for load tests, where every virtual user has its own, and test_ordinary is"
            " an ordinary test; mark it @pytest.mark.scenario to run it as load"
        ]
    )


def test_a_fixture_that_is_not_there_is_pytests_own_error(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu, no_such_thing): ...
    """)

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*async def test_browse(vu, no_such_thing): ...",
            "*fixture 'no_such_thing' not found",
        ]
    )


def test_the_base_url_fixture_tells_ordinary_tests_and_vu_fixtures_what_was_set(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        """
        import pytest
        from pytest_k6api import vu_fixture

        def test_ordinary(k6_base_url):
            assert k6_base_url == "http://127.0.0.1:9"

        @vu_fixture
        def page(vu, k6_base_url):
            return f"{k6_base_url}/page"

        @pytest.mark.scenario
        async def test_browse(vu, page):
            assert page == "http://127.0.0.1:9/page"
        """
    )

    result = run_pytest("--k6-base-url=http://127.0.0.1:9")

    result.assert_outcomes(passed=2)


def test_the_base_url_fixture_can_be_overridden_in_a_conftest(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makeconftest(f"""
        import pytest

        @pytest.fixture(scope="session")
        def k6_base_url():
            return {service.url!r}
    """)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu):
            assert (await vu.http.get("/from-fixture")).status_code == 200
    """)

    run_pytest("--k6-base-url=").assert_outcomes(passed=1)
    assert service.paths == ["/from-fixture"]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ("ini", "http://ini"),
        ("ini fixture", "http://fixture"),
        ("ini fixture marker", "http://marker"),
        ("ini fixture marker environment", "http://environment"),
        ("ini fixture marker environment command", "http://command"),
    ],
)
def test_the_base_url_of_the_nearest_place_counts(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, places: str, expected: str
):
    if "ini" in places:
        pytester.makeini("[pytest]\nk6_base_url = http://ini\n")
    if "fixture" in places:
        pytester.makeconftest("""
            import pytest

            @pytest.fixture(scope="session")
            def k6_base_url():
                return "http://fixture"
        """)
    if "environment" in places:
        monkeypatch.setenv("K6_BASE_URL", "http://environment")
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.scenario({'base_url="http://marker"' if "marker" in places else ""})
        async def test_browse(vu):
            assert vu.http.base_url == {expected!r}
    """)
    arguments = ["--k6-base-url=http://command"] if "command" in places else []

    result = pytester.runpytest_inprocess("-p", "k6api", "--k6-address=", *arguments)

    result.assert_outcomes(passed=1)


def test_only_functions_are_made_vu_fixtures():
    from pytest_k6api import vu_fixture

    with pytest.raises(TypeError, match="@vu_fixture decorates a function, got <class 'int'>"):
        vu_fixture(int)


def test_a_vu_fixture_that_is_only_used_is_set_up_by_every_vu(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_load="""
        import pytest
        from pytest_k6api import load_test, scenario, vu_fixture

        seen = []

        @vu_fixture
        async def login(vu):
            seen.append(vu.scenario)

        @pytest.mark.usefixtures("login")
        @scenario(vus=2)
        async def test_alone(vu): ...

        @load_test
        class TestMix:
            @pytest.mark.usefixtures("login")
            @scenario
            async def test_with(self, vu): ...

            @scenario
            async def test_without(self, vu): ...

        def test_all_logged_in():
            assert sorted(seen) == ["test_alone", "test_alone", "test_with"]
        """
    )

    run_pytest().assert_outcomes(passed=3)


def test_a_load_test_does_not_run_while_a_fixture_has_frozen_its_clock(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def frozen(monkeypatch):
            monkeypatch.setattr("pytest_k6api.plugin.collection.validation.perf_counter", lambda: 1.0)

        @pytest.mark.scenario(duration="1s")
        async def test_browse(vu, frozen):
            await vu.http.get("/")
    """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["time is frozen, and with it the clock of the load, *"])
    assert service.paths == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("'shop:80'", "takes a URL such as 'http://shop:80', got 'shop:80'"),
        ("8000", "must be a string, got 8000"),
    ],
)
def test_a_base_url_that_is_no_url_fails_the_load_test_with_the_reason_alone(
    pytester: pytest.Pytester, value: str, message: str
):
    pytester.makepyfile(f"""
        import pytest

        @pytest.fixture(scope="session")
        def k6_base_url():
            return {value}

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    result = pytester.runpytest_inprocess("-p", "k6api", "--k6-address=")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"the fixture k6_base_url {message}"])
    result.stdout.no_fnmatch_line("*running.py*")
