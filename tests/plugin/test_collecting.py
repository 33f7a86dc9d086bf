"""Marked functions and classes become load tests, and what cannot be one is refused."""

from collections import Counter
from typing import get_args, get_type_hints

import pytest

from pytest_k6api.model import OPTIONS, ExecutorKind, LoadTestOptions, options_of
from pytest_k6api.plugin.collection.marks import LoadTestKeywords, ScenarioKeywords
from tests.plugin.conftest import RunPytest, Service


def test_markers_are_registered(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = run_pytest("--markers")

    result.stdout.fnmatch_lines(
        ["@pytest.mark.scenario(**options): *", "@pytest.mark.load_test(**options): *"]
    )


def test_a_marked_function_is_run_by_every_vu(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(vus=3, iterations=6)
        async def test_browse(vu):
            await vu.http.get(f"/{vu.id}")
            await vu.sleep(0.01)
    """)

    result = run_pytest()

    result.assert_outcomes(passed=1)
    assert len(service.paths) == 6
    assert set(service.paths) == {"/1", "/2", "/3"}


def test_an_ordinary_function_is_run_too(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(vus=2)
        def test_browse(vu):
            assert vu.http.get(f"/{vu.id}").status_code == 200
    """)

    result = run_pytest()

    result.assert_outcomes(passed=1)
    assert sorted(service.paths) == ["/1", "/2"]


def test_the_typed_decorators_go_with_and_without_parentheses(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        from pytest_k6api import load_test, scenario, vu_fixture

        @vu_fixture
        def bare(vu):
            return f"bare-{vu.id}"

        @vu_fixture()
        def called(vu):
            return f"called-{vu.id}"

        @scenario
        async def test_bare(vu, bare, called):
            await vu.http.get(f"/{bare}/{called}")

        @scenario()
        async def test_called(vu):
            await vu.http.get("/called")

        @scenario(vus=2)
        async def test_with_options(vu):
            await vu.http.get(f"/options-{vu.id}")

        @load_test
        class TestBare:
            @scenario
            async def test_in_class(self, vu):
                await vu.http.get("/in-bare-class")

        @load_test(thresholds={"http_reqs": ["count==1"]})
        class TestCalled:
            @scenario
            async def test_in_class(self, vu):
                await vu.http.get("/in-called-class")
    """)

    result = run_pytest()

    result.assert_outcomes(passed=5)
    assert sorted(service.paths) == [
        "/bare-1/called-1",
        "/called",
        "/in-bare-class",
        "/in-called-class",
        "/options-1",
        "/options-2",
    ]


def test_the_typed_decorators_take_what_the_markers_take():
    hints = get_type_hints(ScenarioKeywords)

    assert hints.keys() == OPTIONS.keys()
    assert get_type_hints(LoadTestKeywords).keys() == options_of(LoadTestOptions).keys()
    assert get_args(hints["executor"]) == tuple(kind.value for kind in ExecutorKind)


def test_scenarios_are_methods_of_plain_classes_too(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        class TestShop:
            @pytest.fixture
            def shelf(self):
                self.seen = True
                return "books"

            @pytest.mark.scenario
            async def test_browse(self, vu, shelf):
                assert self.seen
                await vu.http.get(f"/{shelf}")

            def test_ordinary(self):
                assert not hasattr(self, "seen")
    """)

    result = run_pytest("-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::TestShop::test_browse PASSED*"])
    assert service.paths == ["/books"]


def test_scenarios_are_static_and_class_methods_too(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def page():
            return "page"

        class TestShop:
            @staticmethod
            @pytest.mark.scenario
            async def test_static(vu, page):
                await vu.http.get(f"/static-{page}")

            @pytest.mark.scenario
            @staticmethod
            def test_static_marked_outside(vu, page):
                vu.http.get(f"/outside-{page}")

            @classmethod
            @pytest.mark.scenario
            async def test_class(cls, vu, page):
                await vu.http.get(f"/{cls.__name__}-{page}")

            @pytest.mark.scenario
            @classmethod
            async def test_class_marked_outside(cls, vu):
                await vu.http.get(f"/{cls.__name__}-outside")

        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario
            @staticmethod
            async def test_static(vu, page):
                await vu.http.get(f"/mixed-{page}")

            @pytest.mark.scenario
            @classmethod
            async def test_class(cls, vu):
                await vu.http.get(f"/mixed-{cls.__name__}")
    """)

    result = run_pytest()

    result.assert_outcomes(passed=5)
    assert sorted(service.paths) == [
        "/TestShop-outside",
        "/TestShop-page",
        "/mixed-TestMix",
        "/mixed-page",
        "/outside-page",
        "/static-page",
    ]


def test_what_mock_patch_injects_is_no_fixture_and_is_patched_once_for_all_vus(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import os
        from unittest import mock
        import pytest

        GETCWD = os.getcwd

        @pytest.mark.scenario(vus=5, duration="1s")
        @mock.patch("os.getcwd")
        async def test_async(getcwd, vu, tmp_path):
            assert os.getcwd is getcwd
            await vu.sleep(0.01 * vu.id)
            assert os.getcwd is getcwd

        @pytest.mark.scenario(vus=2)
        @mock.patch.multiple("os", getcwd=mock.DEFAULT)
        @mock.patch("os.getpid")
        @mock.patch("os.getppid", new=lambda: 7)
        def test_sync(getpid, vu, getcwd=None):
            assert os.getpid is getpid
            assert os.getcwd is getcwd
            assert os.getppid() == 7

        class TestShop:
            @pytest.mark.scenario
            @mock.patch("os.getcwd")
            async def test_method(self, getcwd, vu):
                assert os.getcwd is getcwd

        def test_nothing_is_left_behind():
            assert os.getcwd is GETCWD
    """)

    run_pytest().assert_outcomes(passed=4)


def test_the_scenarios_of_a_load_test_class_run_together_as_one_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def shelf():
            return "books"

        @pytest.fixture
        def till(request):
            yield "till"

        @pytest.fixture
        def quiet():
            print("the quiet fixture was used")

        @pytest.mark.load_test(thresholds={"http_reqs{scenario:test_buy}": ["count==2"]})
        class TestPeakHour:
            path = "buy"

            @pytest.mark.scenario(iterations=1)
            async def test_browse(self, vu, shelf):
                await vu.http.get(f"/{shelf}")

            @pytest.mark.usefixtures("quiet")
            @pytest.mark.scenario(iterations=2)
            async def test_buy(self, vu, till):
                await vu.http.get(f"/{till}/{self.path}")

            def test_is_no_test_without_a_mark(self):
                raise AssertionError
    """)

    result = run_pytest("-v", "-rP")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::TestPeakHour PASSED*", "the quiet fixture was used"])
    assert Counter(service.paths) == {"/books": 1, "/till/buy": 2}


def test_a_load_test_class_is_parametrized_like_any_other(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.load_test
        @pytest.mark.parametrize("shop", ["books", "tea"])
        class TestPeakHour:
            @pytest.mark.scenario
            async def test_browse(self, vu, shop):
                await vu.http.get(f"/{shop}")

            @pytest.mark.scenario
            async def test_look_away(self, vu):
                pass
    """)

    result = run_pytest("-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::TestPeakHour?books?*", "*::TestPeakHour?tea?*"])
    assert service.paths == ["/books", "/tea"]


def test_a_load_test_class_inherits_scenarios_and_marks(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.load_test(thresholds={"http_reqs": ["count==9"]})
        class Base:
            @pytest.mark.scenario
            async def test_browse(self, vu):
                await vu.http.get("/base")

        @pytest.mark.load_test(thresholds={"http_reqs": ["count==2"]})
        class TestDerived(Base):
            @pytest.mark.scenario
            async def test_buy(self, vu):
                await vu.http.get("/derived")
    """)

    result = run_pytest()

    result.assert_outcomes(passed=1)
    assert sorted(service.paths) == ["/base", "/derived"]


def test_every_case_of_a_parametrized_scenario_is_a_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("page", ["a", "b"])
        @pytest.mark.scenario(thresholds={"http_reqs": ["count==2"]}, vus=2)
        async def test_browse(vu, page):
            await vu.http.get(f"/{page}")
    """)

    result = run_pytest()

    result.assert_outcomes(passed=2)
    assert service.paths == ["/a", "/a", "/b", "/b"]


def test_marks_of_module_and_class_are_defaults_for_their_scenarios(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        pytestmark = pytest.mark.scenario(vus=2)

        async def test_as_the_module_says(vu):
            await vu.http.get("/module")

        @pytest.mark.scenario(vus=3)
        class TestThree:
            async def test_as_the_class_says(self, vu):
                await vu.http.get("/class")

            @pytest.mark.scenario(vus=1)
            async def test_as_it_says_itself(self, vu):
                await vu.http.get("/function")
    """)

    result = run_pytest()

    result.assert_outcomes(passed=3)
    assert Counter(service.paths) == {"/module": 2, "/class": 3, "/function": 1}


def test_load_tests_are_selected_as_all_tests_are(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makeini("[pytest]\nmarkers = slow: takes long")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.slow
        @pytest.mark.load_test
        class TestSlow:
            @pytest.mark.scenario
            async def test_browse(self, vu):
                await vu.http.get("/slow-one")

        @pytest.mark.scenario
        async def test_quick(vu):
            await vu.http.get("/quick")

        # A mistake in what was not selected is nobody's problem now.
        @pytest.mark.scenario(vus=-1)
        async def test_wrong(vu): ...
    """)

    result = run_pytest("-m", "slow")
    result.assert_outcomes(passed=1, deselected=2)
    result = run_pytest("-k", "quick")
    result.assert_outcomes(passed=1, deselected=2)

    assert service.paths == ["/slow-one", "/quick"]


def test_collect_only_tells_what_a_load_test_will_do(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile('''
        import pytest

        @pytest.mark.scenario(vus=10, duration="30s")
        async def test_browse(vu):
            """Visit the homepage."""

        @pytest.mark.load_test
        class TestPeakHour:
            """Many people at once."""

            @pytest.mark.scenario
            async def test_once(self, vu): ...

            @pytest.mark.scenario(vus=2, iterations=8)
            async def test_shared(self, vu): ...

            @pytest.mark.scenario(stages=[("30s", 20), ("10s", 0)])
            async def test_ramp(self, vu): ...

            @pytest.mark.scenario(rate=30, duration="1m", pre_allocated_vus=20, max_vus=100)
            async def test_rate(self, vu): ...

            @pytest.mark.scenario(start_rate=5, stages=[("30s", 20)], pre_allocated_vus=3)
            async def test_rates(self, vu): ...

            @pytest.mark.scenario(
                executor="externally-controlled", vus=2, max_vus=9, duration="1h"
            )
            async def test_steered(self, vu): ...
    ''')

    result = run_pytest("--collect-only", "-v")

    assert result.ret == 0
    lines = [line.strip() for line in result.outlines]
    first = lines.index("<Function test_browse>")
    assert lines[first : first + 11] == [
        "<Function test_browse>",
        "constant-vus: 10 VUs for 30s",
        "Visit the homepage.",
        "<Function TestPeakHour>",
        "test_once: per-vu-iterations: 1 VU x 1 iteration",
        "test_shared: shared-iterations: 8 iterations shared by 2 VUs",
        "test_ramp: ramping-vus: up to 20 VUs in 2 stages of 40s",
        "test_rate: constant-arrival-rate: 30 iterations per 1s for 1m0s, 20 to 100 VUs",
        "test_rates: ramping-arrival-rate: up to 20 iterations per 1s in 1 stage of 30s, 3 VUs",
        "test_steered: externally-controlled: 2 of 9 VUs for 1h0m0s",
        "Many people at once.",
    ]


# What is written, and what is told about it after the test's id.
REFUSED = {
    "a generator": (
        """
        @pytest.mark.scenario
        def test_it(vu):
            yield
        """,
        "test_it: the scenario test_it yields; a scenario returns, and a resource that lives as long"
        " as its VU is a vu_fixture",
    ),
    "an async generator": (
        """
        @pytest.mark.scenario
        async def test_it(vu):
            yield
        """,
        "test_it: the scenario test_it yields; a scenario returns, and a resource that lives as long"
        " as its VU is a vu_fixture",
    ),
    "a positional option": (
        """
        @pytest.mark.scenario(10)
        async def test_it(vu): ...
        """,
        "test_it: @pytest.mark.scenario takes keywords only, got 10",
    ),
    "vus beside stages": (
        """
        @pytest.mark.scenario(vus=3, stages=[("1s", 2)])
        async def test_it(vu): ...
        """,
        "test_it: @pytest.mark.scenario: ramping-vus does not take vus; use stages",
    ),
    "a negative number": (
        """
        @pytest.mark.scenario(vus=-1)
        async def test_it(vu): ...
        """,
        "test_it: @pytest.mark.scenario: vus: can't be negative, got -1",
    ),
    "a duration without unit": (
        """
        @pytest.mark.scenario(duration="30")
        async def test_it(vu): ...
        """,
        "test_it: @pytest.mark.scenario: duration: the duration '30' has no unit; write '30s' for"
        " seconds or '30ms' for milliseconds",
    ),
    "a threshold of something else": (
        """
        @pytest.mark.scenario(thresholds={"checks": ["p(95)<200"]})
        async def test_it(vu): ...
        """,
        "test_it: checks: the threshold 'p(95)<200' asks a rate for 'p(95)'; a rate has rate",
    ),
    "a setup that yields": (
        """
        def seed():
            yield

        @pytest.mark.scenario(setup=seed)
        async def test_it(vu): ...
        """,
        "test_it: setup=seed yields; write what comes before the yield as setup= and what comes"
        " after it as teardown=",
    ),
    "a setup that wants its own result": (
        """
        def seed(setup_data): ...

        @pytest.mark.scenario(setup=seed)
        async def test_it(vu): ...
        """,
        "test_it: setup=seed asks for 'setup_data', which it makes",
    ),
    "a function marked as a class": (
        """
        @pytest.mark.load_test
        async def test_it(vu): ...
        """,
        "test_it: @pytest.mark.load_test marks a class of scenarios; give what it says to this"
        " function's @pytest.mark.scenario",
    ),
    "an async fixture": (
        """
        @pytest.fixture
        async def page(): ...

        @pytest.mark.scenario
        async def test_it(vu, page): ...
        """,
        "test_it: the fixture page is async and nothing drives it in a load test; make it a"
        " @vu_fixture (one for each VU), a def fixture, or the load test's setup=",
    ),
    "a shared fixture that wants a VU": (
        """
        @pytest.fixture
        def page(vu): ...

        @pytest.mark.scenario
        async def test_it(vu, page): ...
        """,
        "test_it: the fixture page asks for vu, which every VU has of its own, but is one for all"
        " VUs; make it a @vu_fixture",
    ),
    "a shared fixture that wants a VU fixture": (
        """
        from pytest_k6api import vu_fixture

        @vu_fixture
        def account(): ...

        @pytest.fixture
        def page(account): ...

        @pytest.mark.scenario
        async def test_it(vu, page): ...
        """,
        "test_it: the fixture page asks for account, which every VU has of its own, but is one for"
        " all VUs; make it a @vu_fixture",
    ),
    "a class without scenarios": (
        """
        @pytest.mark.load_test
        class TestMix:
            def test_it(self): ...
        """,
        "TestMix: a class marked load_test needs a method marked @pytest.mark.scenario",
    ),
    "a parametrized scenario in a class": (
        """
        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.parametrize("page", "ab")
            @pytest.mark.scenario
            async def test_it(self, vu, page): ...
        """,
        "TestMix: the scenario test_it is parametrized inside a load_test class, which is one test;"
        " parametrize the class, for a load test of each case, or write a scenario for each case",
    ),
    "a skipped scenario in a class": (
        """
        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.skip
            @pytest.mark.scenario
            async def test_it(self, vu): ...
        """,
        "TestMix: the scenario test_it is marked skip inside a load_test class, which is one test;"
        " mark the class",
    ),
    "thresholds of a scenario in a class": (
        """
        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario(thresholds={})
            async def test_it(self, vu): ...
        """,
        "TestMix: test_it: @pytest.mark.scenario does not take thresholds inside a load_test class;"
        " give it to @pytest.mark.load_test",
    ),
    "a fixture in a class": (
        """
        @pytest.mark.load_test
        class TestMix:
            @pytest.fixture
            def page(self): ...

            @pytest.mark.scenario
            async def test_it(self, vu): ...
        """,
        "TestMix: page is defined in a load_test class, where nothing calls it; write a fixture in"
        " the module or in conftest.py, or give the class setup= and teardown=",
    ),
    "a setup_method in a class": (
        """
        @pytest.mark.load_test
        class TestMix:
            def setup_method(self): ...

            @pytest.mark.scenario
            async def test_it(self, vu): ...
        """,
        "TestMix: setup_method is defined in a load_test class, where nothing calls it; write a"
        " fixture in the module or in conftest.py, or give the class setup= and teardown=",
    ),
    "a constructor in a class": (
        """
        @pytest.mark.load_test
        class TestMix:
            def __init__(self): ...

            @pytest.mark.scenario
            async def test_it(self, vu): ...
        """,
        "TestMix: a load_test class has no __init__ of its own, like any test class",
    ),
    "a scenario after one that is not there": (
        """
        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario(after="test_seed")
            async def test_it(self, vu): ...
        """,
        "TestMix: test_it: after='test_seed' names no scenario of this load test; there are test_it",
    ),
    "a scenario after one that waits for what is not there": (
        """
        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario
            async def test_seed(self, vu): ...

            @pytest.mark.scenario(after="test_seeed")
            async def test_middle(self, vu): ...

            @pytest.mark.scenario(after="test_middle")
            async def test_last(self, vu): ...
        """,
        "TestMix: test_middle: after='test_seeed' names no scenario of this load test; did you mean"
        " test_seed? there are test_last, test_middle, test_seed",
    ),
    "scenarios that wait for each other": (
        """
        @pytest.mark.load_test
        class TestMix:
            @pytest.mark.scenario(after="test_b")
            async def test_a(self, vu): ...

            @pytest.mark.scenario(after="test_a")
            async def test_b(self, vu): ...
        """,
        "TestMix: the scenarios wait for each other in a circle: test_a -> test_b -> test_a",
    ),
    "a case that is marked": (
        """
        @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.scenario)])
        async def test_it(vu, n): ...
        """,
        "test_it[1]: marked as a scenario only when it had been collected, by"
        " pytest.param(marks=...) or by a hook; mark the function itself, and each case may add"
        " options",
    ),
    "a mark of another plugin": (
        """
        @pytest.mark.scenario("login works")
        def test_it(): ...
        """,
        "test_it: @pytest.mark.scenario takes keywords only, got 'login works'",
    ),
    "a method of a unittest.TestCase": (
        """
        import unittest
        class TestBoard(unittest.TestCase):
            @pytest.mark.scenario
            async def test_list(self, vu): ...
        """,
        "TestBoard::test_list: marked as a scenario, but what collected it (as a TestCaseFunction)"
        " runs it by itself, once, as unittest does with the methods of a TestCase; make it a"
        " function, or a method of a class that is no TestCase",
    ),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_load_test_that_cannot_be_is_an_error_of_its_own_told_before_others_run(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    source: str,
    message: str,
):
    good = "@pytest.mark.scenario\nasync def test_good(vu): await vu.http.get('/')\n"
    body = "\n".join(line.removeprefix(" " * 8) for line in source.splitlines())
    pytester.makepyfile(test_refused=f"import pytest\n{good}{body}")

    result = run_pytest()

    assert told(result) == [f"k6: cannot run test_refused.py::{message}"]
    assert message.partition(": ")[2] in result.outlines
    result.assert_outcomes(errors=1, passed=1)
    assert service.paths == ["/"]


def told(result: pytest.RunResult) -> list[str]:
    """Return what was told between collection and the first test."""
    return [line for line in result.outlines if line.startswith("k6: ")]


def test_an_unknown_option_is_refused_with_those_there_are_and_the_nearest(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(durations="30s")
        async def test_it(vu): ...
    """)

    result = run_pytest()

    result.stdout.fnmatch_lines(
        [
            "k6: cannot run *::test_it: @pytest.mark.scenario does not take durations; did you mean duration?"
            " it takes the keywords executor, vus, duration, *, fail_fast, worker_fixtures"
        ]
    )


def test_all_mistakes_are_told_at_once(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_good(vu): await vu.http.get("/")

        @pytest.mark.scenario(vus=-1)
        async def test_bad(vu): ...

        @pytest.mark.scenario(iterations=0)
        async def test_worse(vu): ...
    """)

    result = run_pytest("--k6-vus=many", "--k6-checks=maybe", "--k6-execution-segment=9")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    pytest.LineMatcher([line for line in result.errlines if line]).fnmatch_lines(
        [
            "ERROR: command line: --k6-vus: takes a whole number, got 'many'",
            "ERROR: command line: --k6-checks: takes fail or record, got 'maybe'",
            "ERROR: --k6-execution-segment: an execution segment A:B has *, got '9'; write '0:1/4'",
            "ERROR: *::test_bad: @pytest.mark.scenario: vus: can't be negative, got -1",
            "ERROR: *::test_worse: *",
        ],
        consecutive=True,
    )
    assert service.paths == []


def test_collection_errors_of_others_come_first(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile(
        test_broken="import nothing_of_this_name",
        test_load="""
            import pytest

            @pytest.mark.scenario
            async def test_browse(vu): await vu.http.get("/")
        """,
    )

    result = run_pytest(address="127.0.0.1:0")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line("*control API*")
    assert service.paths == []


def collection_error(result: pytest.RunResult) -> list[str]:
    begin = next(i for i, line in enumerate(result.outlines) if "ERROR collecting" in line)
    return [line for line in result.outlines[begin + 1 :] if "^^^" not in line]


def test_a_feeder_without_its_file_is_a_collection_error_at_its_place(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_shop="""
        import pytest
        from pytest_k6api import feeder

        users = feeder("data/users.csv")

        @pytest.mark.scenario
        async def test_buy(vu): ...
        """
    )

    result = run_pytest()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert collection_error(result)[:3] == [
        "test_shop.py:4: in <module>",
        '    users = feeder("data/users.csv")',
        f"E   pytest_k6api.model.errors.OptionError: there is no file '{pytester.path}/data/users.csv'"
        f" to feed from; write a path from '{pytester.path}' on, where its module is, or an absolute"
        " one",
    ]


def test_a_scenario_that_is_no_function_is_a_collection_error(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_shop="""
        import functools
        import pytest

        @pytest.mark.scenario
        @functools.lru_cache
        def test_buy(vu): ...
        """
    )

    result = run_pytest()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        "test_buy is marked as a scenario and is a _lru_cache_wrapper; a scenario is a function,"
        " or a method of a test class"
    )


def test_a_custom_metric_that_cannot_be_is_a_collection_error_at_its_place(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_shop="""
        from pytest_k6api import Trend

        queued = Trend("time in queue", contains="time")
        """
    )

    result = run_pytest()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert collection_error(result)[:3] == [
        "test_shop.py:3: in <module>",
        '    queued = Trend("time in queue", contains="time")',
        "E   pytest_k6api.model.errors.MetricError: cannot name a metric 'time in queue'; use 2 to"
        " 129 ASCII letters, digits and underscores, and do not start with a digit",
    ]
