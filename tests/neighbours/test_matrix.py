"""Beside every neighbour, a suite of ordinary and load tests has the outcomes it has alone."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.neighbours.suite import CONFTEST, LOAD_TESTS, OUTCOMES, SUITE

pytestmark = [pytest.mark.neighbours, pytest.mark.slow]

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a process of its own with the plugins that are named, and no others."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run_with(*arguments: str) -> pytest.RunResult:
        given = ("-p", "k6api", "-p", "no:cacheprovider", *arguments)
        return pytester.runpytest_subprocess(*given, timeout=60)

    return run_with


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Path:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_suite=SUITE)
    return pytester.path / "runs.txt"


def needs(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


def neighbour(name: str, module: str, *arguments: str) -> object:
    """Return a case: `name` is the plugin's entry point, `module` what it is made of."""
    words = " ".join((name, *arguments))
    return pytest.param(["-p", name, *arguments], id=words, marks=needs(module))


NEIGHBOURS = [
    pytest.param([], id="alone"),
    neighbour("xdist", "xdist", "-n", "2"),
    neighbour("xdist", "xdist", "-n", "2", "--dist", "loadscope"),
    neighbour("trio", "pytest_trio", "-o", "trio_mode=true"),
    neighbour("asyncio", "pytest_asyncio", "-o", "asyncio_mode=auto"),
    neighbour("anyio", "anyio", "-o", "anyio_mode=auto"),
    neighbour("timeout", "pytest_timeout", "--timeout=30"),
    neighbour("timeout", "pytest_timeout", "--timeout=30", "--timeout-method=thread"),
    neighbour("pytest_cov", "pytest_cov", "--cov=.", "--cov-report="),
    neighbour("randomly", "pytest_randomly"),
    neighbour("rerunfailures", "pytest_rerunfailures"),
    neighbour("django", "pytest_django"),
    neighbour("flask", "pytest_flask"),
    neighbour("pytest_httpserver", "pytest_httpserver"),
    neighbour("locust", "pytest_locust"),
    neighbour("html", "pytest_html", "-p", "metadata", "--html=report.html"),
    neighbour("allure_pytest", "allure_pytest", "--alluredir=allure"),
    neighbour("pytest_jsonreport", "pytest_jsonreport", "-p", "metadata", "--json-report"),
    neighbour("sugar", "pytest_sugar"),
]


@pytest.mark.parametrize("arguments", NEIGHBOURS)
def test_every_test_has_its_outcome_and_runs_once(arguments: list[str], suite: Path, run: Run):
    result = run(*arguments)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(**OUTCOMES)
    assert sorted(suite.read_text().split()) == LOAD_TESTS


@pytest.mark.parametrize(
    "arguments",
    [
        neighbour("timeout", "pytest_timeout", "--timeout=30"),
        neighbour("pytest_cov", "pytest_cov", "--cov=.", "--cov-report="),
        neighbour("randomly", "pytest_randomly"),
        neighbour("html", "pytest_html", "-p", "metadata", "--html=report.html"),
    ],
)
def test_load_tests_on_workers_have_their_outcomes_and_run_once(
    arguments: list[str], suite: Path, run: Run
):
    result = run(*arguments, "--k6-workers=2", "--k6-address=", "--junitxml=junit.xml")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(**OUTCOMES)
    assert sorted(suite.read_text().split()) == LOAD_TESTS
    assert (suite.parent / "junit.xml").read_text().count("<testcase ") == 9


@needs("pytest_cov")
@pytest.mark.parametrize("options", [(), ("--cov-branch",)])
def test_scenarios_on_workers_are_measured_by_pytest_cov(
    pytester: pytest.Pytester, run: Run, options: tuple[str, ...]
):
    pytester.makepyfile(
        shop="""
        def price(number):
            if number % 2:
                return "odd"
            return "even"

        def unused():
            return 0
        """,
        test_shop="""
        import pytest
        import shop

        @pytest.mark.scenario(vus=2, iterations=2)
        async def test_price(vu):
            shop.price(vu.id)
        """,
    )
    measured = ("-p", "pytest_cov", "--cov=shop", "--cov=test_shop", "--cov-report=term-missing")

    result = run(*measured, *options, "--k6-workers=2", "--k6-address=")

    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r"shop\.py +6 +1 .* 7$", r"test_shop\.py +5 +0 .*100%.*"])
    assert [each.name for each in pytester.path.glob(".coverage*")] == [".coverage"]


@needs("xdist")
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (("--k6-workers=2",), "--k6-workers and pytest-xdist (-n, --dist) both start workers;"),
        (("--k6-duration=10",), "the duration '10' has no unit"),
        (("--k6-address=192.0.2.1:6565", "--k6-token=a"), "cannot listen on '192.0.2.1:"),
    ],
)
def test_what_cannot_be_run_is_told_by_the_load_tests_of_a_worker(
    suite: Path, run: Run, settings: tuple[str, ...], text: str
):
    result = run("-p", "xdist", "-n", "2", *settings)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in result.stdout.str()
    result.stdout.fnmatch_lines(["* ERROR at setup of test_load *", f"*{text}*"])
    assert not suite.exists(), "no load test ran"


@needs("xdist")
def test_outputs_of_two_workers_never_write_one_file(pytester: pytest.Pytester, run: Run):
    pytester.makepyfile(
        test_shop="""
        import pytest

        @pytest.mark.scenario(vus=2, iterations=6)
        async def test_browse(vu):
            await vu.sleep(0)

        @pytest.mark.scenario(iterations=2)
        async def test_buy(vu):
            await vu.sleep(0)
        """
    )
    outputs = ("--k6-out=json=run.json", "--k6-out=json={name}.json")

    run("-p", "xdist", "-n", "2", *outputs).assert_outcomes(passed=2)

    files = sorted(pytester.path.glob("*.json"))
    stems = [re.sub(r"-[0-9a-f]{8}", "-#", path.stem) for path in files]
    assert stems[-2:] == ["test_shop.py-test_browse-#", "test_shop.py-test_buy-#"]
    # Each worker counts its load tests for itself, and one of them may have had both.
    assert set(stems[:-2]) < {"run-gw0", "run-gw0-2", "run-gw1", "run-gw1-2"}
    written = [path.read_text().count('"iterations","type":"Point"') for path in files]
    assert sorted(written) == [2, 2, 6, 6]


@pytest.mark.parametrize(
    "arguments",
    [
        neighbour("rerunfailures", "pytest_rerunfailures", "--reruns=1"),
        neighbour("pytest-retry", "pytest_retry", "--retries=1"),
    ],
)
def test_each_attempt_has_its_own_summary_once(
    pytester: pytest.Pytester, run: Run, arguments: list[str]
):
    pytester.makepyfile("""
        import itertools
        import pytest

        attempts = itertools.count(1)

        @pytest.mark.scenario(thresholds={"iterations": ["count>1"]})
        async def test_load(vu):
            vu.check(next(attempts), {"has come": bool})

        @pytest.mark.scenario(iterations=2)
        async def test_after(vu):
            assert next(attempts) > 2
    """)

    result = run(*arguments, "--k6-address=", "--k6-summary=compact")

    told = [line for line in result.outlines if line.startswith("test_each") and ": " in line]
    assert [line.partition("::")[2].partition(",")[0] for line in told] == [
        "test_load: failed",
        "test_load: failed",
        "test_after: passed",
    ]


HEADING = "test_suite.py::test_load: passed, "
PLUGINS_FOR_REPORTS = [
    pytest.param(
        ("-p", "html", "-p", "metadata", "--html=report.html"),
        "report.html",
        id="html",
        marks=needs("pytest_html"),
    ),
    pytest.param(
        ("-p", "allure_pytest", "--alluredir=allure"),
        "allure/*.txt",
        id="allure",
        marks=needs("allure_pytest"),
    ),
    pytest.param(
        ("-p", "pytest_jsonreport", "-p", "metadata", "--json-report"),
        ".report.json",
        id="json-report",
        marks=needs("pytest_jsonreport"),
    ),
]


@pytest.mark.parametrize(
    "xdist", [(), pytest.param(("-p", "xdist", "-n", "2"), id="xdist", marks=needs("xdist"))]
)
@pytest.mark.parametrize(("arguments", "files"), PLUGINS_FOR_REPORTS)
def test_reports_of_other_plugins_have_the_summary(
    suite: Path, run: Run, arguments: tuple[str, ...], files: str, xdist: tuple[str, ...]
):
    result = run(*arguments, *xdist)

    written = [path.read_text(encoding="utf-8") for path in suite.parent.glob(files)]
    assert sum(text.count(HEADING) for text in written) == 1
    assert sum("http_req_duration" in text for text in written) >= 1
    # The terminal tells it once, with those that failed too.
    told = result.stdout.str()
    assert told.count(f"\n{HEADING}") == 1
    assert told.count("::test_load_that_fails: failed, ") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        neighbour("tldr", "pytest_tldr"),
        neighbour("tldr", "pytest_tldr", "-q"),
        neighbour("tldr", "pytest_tldr", "-v"),
        neighbour("sugar", "pytest_sugar"),
        neighbour("sugar", "pytest_sugar", "--force-sugar"),
        neighbour("pretty", "pytest_pretty"),
    ],
)
def test_another_terminal_reporter_tells_of_each_load_test_once(
    suite: Path, run: Run, arguments: list[str]
):
    result = run(*arguments)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert sorted(suite.read_text().split()) == LOAD_TESTS
    told = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in told
    assert "AttributeError" not in told
    assert told.count("test_suite.py::test_load: passed, ") == 1
    assert told.count("test_suite.py::test_load_that_fails: failed, ") == 1


@needs("pytest_trio")
@needs("pytest_asyncio")
@needs("anyio")
def test_all_that_run_async_tests_at_once(suite: Path, run: Run):
    anyio = ("-p", "anyio", "-o", "asyncio_mode=auto")
    result = run("-p", "asyncio", "-p", "trio", *anyio)

    result.assert_outcomes(**OUTCOMES)
    assert sorted(suite.read_text().split()) == LOAD_TESTS


@needs("xdist")
def test_every_worker_has_an_address_of_its_own_which_is_told(suite: Path, run: Run):
    result = run("-p", "xdist", "-n", "2", "--dist", "loadscope", "--k6-address=localhost:0")

    result.stdout.fnmatch_lines(
        [
            "*k6: each load test runs once, in one worker;*--k6-execution-segment",
            "k6 control API of gw[01]: http://127.0.0.1:*",
        ]
    )


@needs("xdist")
def test_what_load_tests_do_without_is_told_once_for_all_workers(suite: Path, run: Run):
    result = run("-p", "xdist", "-n", "2", "--k6-vus=3")

    assert sorted(set(suite.read_text().split())) == sorted(set(LOAD_TESTS))
    told = [line for line in result.outlines if "without --k6-vus" in line]
    assert len(told) == 1
    assert told[0].startswith("k6: run as planned, without --k6-vus: test_load, ")


@needs("xdist")
def test_with_dist_each_a_load_test_runs_in_one_worker(suite: Path, run: Run):
    result = run("-p", "xdist", "--dist", "each", "--tx", "2*popen")

    result.assert_outcomes(passed=7, failed=3, skipped=8)
    assert sorted(suite.read_text().split()) == LOAD_TESTS


@needs("pytest_rerunfailures")
def test_a_rerun_is_a_new_load_test(pytester: pytest.Pytester, suite: Path, run: Run):
    result = run("-p", "rerunfailures", "--reruns=1", "-k", "that_fails", "--junitxml=junit.xml")

    result.assert_outcomes(failed=1)
    assert suite.read_text().split() == ["test_load_that_fails"] * 2


@needs("pytest_randomly")
def test_chance_is_that_of_the_load_test(pytester: pytest.Pytester, run: Run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario(vus=1)
        async def test_it(vu):
            print("DICE", vu.random.random())
        """
    )

    first, second = (run("-p", "randomly", "-s", f"--randomly-seed={n}") for n in "12")

    dice = [[line for line in r.outlines if "DICE" in line] for r in (first, second)]
    assert dice[0]
    assert dice[0] == dice[1]


LONG = """
    import pytest

    @pytest.mark.scenario(vus=2, duration="1h", teardown=lambda: print("torn down"))
    async def test_long(vu):
        await vu.sleep(0.1)

    @pytest.mark.timeout(7200)
    @pytest.mark.scenario(vus=2, duration="1h")
    async def test_allowed(vu):
        if vu.iteration:
            vu.stop("seen enough")
        await vu.sleep(0.01)

    def test_after(k6):
        assert k6.tests["test_long"].metrics["iterations"].count > 2
"""


@needs("pytest_timeout")
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_time_limit_is_told_in_advance_and_keeps_the_results(
    pytester: pytest.Pytester, run: Run, method: str
):
    pytester.makepyfile(test_long=LONG)

    result = run("-p", "timeout", "--timeout=1", f"--timeout-method={method}")

    result.assert_outcomes(passed=2, failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "load test interrupted: stopped early: pytest-timeout allows it 1s",
            "torn down",
            "*: its load is planned to last 1h*, and pytest-timeout stops it after 1s; *",
            "*iterations*: *",
        ]
    )


FLASK = """
    import flask
    import pytest

    @pytest.fixture(scope="session")
    def app():
        app = flask.Flask("shop")
        app.add_url_rule("/", view_func=lambda: "Welcome")
        return app
"""

DJANGO = """
    import django.conf
    import django.http
    import django.urls

    urlpatterns = [django.urls.path("", lambda request: django.http.HttpResponse("Welcome"))]

    def pytest_configure():
        django.conf.settings.configure(
            ROOT_URLCONF="conftest",
            ALLOWED_HOSTS=["*"],
            STATIC_URL="/static/",
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        )
"""

LIVE_SERVER = """
    import pytest

    LOAD = {"executor": "per-vu-iterations", "vus": 10, "iterations": 30}
    ALL = {"http_reqs": ["count==300"], "http_req_failed": ["rate==0"]}

    @pytest.mark.scenario(**LOAD, thresholds=ALL)
    async def test_live(vu, live_server):
        response = await vu.http.get(f"{get_url(live_server)}/")
        assert response.text == "Welcome"

    @pytest.mark.scenario(**LOAD, thresholds=ALL)
    def test_live_from_threads(vu, live_server):
        assert vu.http.get(f"{get_url(live_server)}/").text == "Welcome"

    def get_url(live_server):
        return live_server.url() if callable(live_server.url) else live_server.url
"""


@pytest.mark.parametrize(
    ("arguments", "conftest"),
    [
        pytest.param(["-p", "flask"], FLASK, marks=needs("pytest_flask"), id="flask"),
        pytest.param(["-p", "django"], DJANGO, marks=needs("pytest_django"), id="django"),
    ],
)
def test_a_live_server_is_loaded(
    pytester: pytest.Pytester, run: Run, arguments: list[str], conftest: str
):
    pytester.makeconftest(conftest)
    pytester.makepyfile(LIVE_SERVER)

    result = run(*arguments)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*http_reqs...*: 300 *"] * 2)


@needs("pytest_httpserver")
def test_an_httpserver_is_loaded(pytester: pytest.Pytester, run: Run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def shop(httpserver):
            httpserver.expect_request("/").respond_with_data("Welcome")
            yield httpserver
            assert len(httpserver.log) == 300
            httpserver.check_assertions()

        @pytest.mark.scenario(vus=10, iterations=300, thresholds={"http_req_failed": ["rate==0"]})
        async def test_it(vu, shop):
            assert (await vu.http.get(shop.url_for("/"))).text == "Welcome"
        """
    )

    result = run("-p", "pytest_httpserver")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*http_reqs...*: 300 *"])


ASYNC_FIXTURE = """
    import pytest

    @pytest.fixture
    async def account():
        return 1

    @pytest.mark.scenario
    async def test_it(vu, account):
        pass
"""


@pytest.mark.parametrize(
    "arguments",
    [
        neighbour("trio", "pytest_trio", "-o", "trio_mode=true"),
        neighbour("asyncio", "pytest_asyncio", "-o", "asyncio_mode=auto"),
        neighbour("anyio", "anyio", "-o", "anyio_mode=auto"),
    ],
)
def test_fixtures_that_other_plugins_drive_are_refused(
    pytester: pytest.Pytester, run: Run, arguments: list[str]
):
    pytester.makepyfile(ASYNC_FIXTURE)

    result = run(*arguments)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["k6: cannot run *the fixture account is async and nothing drives it*"]
    )


@needs("pytest_retry")
@pytest.mark.parametrize("name", ["pytest-retry", "pytest_retry.retry_plugin"])
def test_a_retry_is_one_more_load_test_although_thresholds_are_subtests(
    pytester: pytest.Pytester, run: Run, name: str
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(thresholds={"iterations": ["count>5"]})
        async def test_it(vu):
            print("RAN")
    """)

    result = run("-p", name, "--retries=1", "-s")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.str().count("RAN") == 2


@needs("pytest_retry")
def test_workers_take_no_harm_from_pytest_retry(pytester: pytest.Pytester, run: Run):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(iterations=3, thresholds={"iterations": ["count>5"]})
        async def test_it(vu):
            await vu.sleep(0)
    """)

    result = run("-p", "pytest-retry", "--retries=1", "--k6-workers=1")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    summaries = [line for line in result.outlines if "::test_it: failed, 0." in line]
    assert len(summaries) == 2
    assert "stopped early" not in result.stdout.str()


@needs("xdist")
@needs("pytest_retry")
def test_all_attempts_of_a_retry_have_their_summary_with_xdist_too(
    pytester: pytest.Pytester, run: Run
):
    pytester.makepyfile("""
        import pytest

        attempts = []

        @pytest.mark.scenario(thresholds={"iterations": ["count>5"]})
        async def test_it(vu):
            attempts.append(1)
            await vu.sleep(len(attempts) * 0.2)
    """)

    result = run("-p", "xdist", "-n", "1", "-p", "pytest-retry", "--retries=2")

    summaries = [line for line in result.outlines if "::test_it: failed, 0." in line]
    assert [line.partition(" s")[0][-3:] for line in summaries] == ["0.2", "0.4", "0.6"]


FROZEN = """
    import datetime
    import freezegun
    import pytest

    @pytest.mark.freeze_time("2030-01-01")
    @pytest.mark.scenario(duration="1s")
    async def test_marked(vu):
        await vu.sleep(0.1)

    @pytest.mark.scenario(duration="1s")
    @freezegun.freeze_time("2030-01-01")
    async def test_decorated(vu):
        await vu.sleep(0.1)

    @pytest.mark.freeze_time("2030-01-01", auto_tick_seconds=15)
    @pytest.mark.scenario(duration="1s")
    async def test_jumping(vu):
        await vu.sleep(0.1)

    @pytest.mark.freeze_time("2030-01-01", ignore=["trio", "pytest_k6api"])
    @pytest.mark.scenario(vus=2, duration="1s")
    async def test_ignored(vu):
        await vu.sleep(0.1)
        assert datetime.datetime.now().year == 2030
"""


@needs("pytest_freezer")
def test_frozen_time_is_refused_unless_it_leaves_the_clock_of_the_load_alone(
    pytester: pytest.Pytester, run: Run
):
    pytester.makepyfile(FROZEN)

    result = run("-p", "freezer", "-W", "default")

    result.assert_outcomes(passed=1, failed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "k6: cannot run *::test_decorated: the scenario test_decorated is decorated by freezegun,*",
            "time is frozen, and with it the clock of the load, which would never end; freeze it in a"
            " fixture, for the whole load test, with freeze_time(..., ignore=['trio',"
            " 'pytest_k6api'])".replace("[", "[[]"),
            "every reading of the time moves it on, and with it the clock of the load, which would end*",
        ]
    )


FEATURE = """
@scenario @load_test
Feature: a shop

    Scenario: looking in
        Given a visitor

    Scenario: asking for a virtual user
        Given a virtual user
"""

STEPS = """
    from pytest_bdd import given, scenarios

    scenarios("shop.feature")

    @given("a visitor")
    def visitor():
        pass

    @given("a virtual user")
    def virtual_user(vu):
        pass
"""


@needs("pytest_bdd")
def test_scenarios_of_gherkin_stay_ordinary_tests_whatever_their_tags(
    pytester: pytest.Pytester, run: Run
):
    pytester.makefile(".feature", shop=FEATURE)
    pytester.makepyfile(STEPS)

    result = run("-p", "pytest-bdd", "-W", "default")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*vu is for load tests, where every virtual user has its own, and the steps of pytest-bdd"
            " run once, as an ordinary test; write a function marked @pytest.mark.scenario for the load"
        ]
    )
