"""pytest's own options to select, repeat and stop, on load tests among ordinary tests."""

import re

import pytest

from tests.plugin.conftest import RunPytest, Service

SHOP = '''
import pytest

@pytest.mark.scenario(thresholds={"iterations": ["count>0"]})
async def test_browse(vu):
    await vu.http.get("/browse")

@pytest.mark.scenario(vus=3, thresholds={"iterations": ["count>5", "count>6"]})
async def test_buy(vu):
    await vu.http.get("/buy")

@pytest.mark.load_test
class TestPeakHour:
    """The busiest hour."""

    @pytest.mark.scenario
    async def test_search(self, vu):
        await vu.http.get("/search")

    @pytest.mark.scenario
    async def test_pay(self, vu):
        raise RuntimeError("declined")

def test_ordinary(): ...

def test_broken(): raise RuntimeError
'''
ALL = ["test_browse", "test_buy", "TestPeakHour", "test_ordinary", "test_broken"]


@pytest.fixture
def _shop(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=SHOP)


@pytest.fixture
def run_remembering(pytester: pytest.Pytester, service: Service) -> RunPytest:
    """Return a function that runs `pytest -v`, which remembers what failed."""

    def run(*arguments: str) -> pytest.RunResult:
        own = ["-p", "k6api", "-v", "--k6-address=", f"--k6-base-url={service.url}"]
        return pytester.runpytest_inprocess(*own, *arguments)

    return run


pytestmark = pytest.mark.usefixtures("_shop")


def ran(result: pytest.RunResult) -> list[str]:
    """Return the tests that `pytest -v` ran, in their order, without subtests."""
    found = [re.match(r"test_shop\.py::(\S+) [A-Z]+ ", line) for line in result.outlines]
    return [match[1] for match in found if match and "SUB" not in match[0]]


def test_last_failed_runs_the_load_tests_again_that_failed(run_remembering: RunPytest):
    run_remembering()
    again = run_remembering("--lf")

    assert ran(again) == ["test_buy", "TestPeakHour", "test_broken"]


def test_failed_first_runs_them_before_the_others(run_remembering: RunPytest):
    run_remembering()
    again = run_remembering("--ff")

    assert ran(again) == [
        "test_buy",
        "TestPeakHour",
        "test_broken",
        "test_browse",
        "test_ordinary",
    ]


def test_a_load_test_that_passes_now_is_no_last_failure_any_more(
    pytester: pytest.Pytester, run_remembering: RunPytest
):
    run_remembering()
    pytester.makepyfile(test_shop=SHOP.replace('"count>5", "count>6"', '"count>2"'))

    run_remembering("--lf")
    again = run_remembering("--lf")

    assert ran(again) == ["TestPeakHour", "test_broken"]


def test_stepwise_stops_at_a_failed_load_test_and_goes_on_from_there(run_remembering: RunPytest):
    first = run_remembering("--stepwise")
    second = run_remembering("--stepwise")
    third = run_remembering("--stepwise-skip")

    assert ran(first) == ["test_browse", "test_buy"]
    assert first.ret == pytest.ExitCode.INTERRUPTED
    assert ran(second) == ["test_buy"]
    assert ran(third) == ["test_buy", "TestPeakHour"]


def test_exitfirst_makes_no_more_load(run_pytest: RunPytest, service: Service):
    result = run_pytest("-x", "-v")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert ran(result) == ["test_browse", "test_buy"]
    assert set(service.paths) == {"/browse", "/buy"}


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest 9 brought subtests")
def test_maxfail_counts_a_load_test_and_its_subtests_as_it_counts_others(run_pytest: RunPytest):
    # test_buy fails three times: two thresholds, and itself.
    assert ran(run_pytest("--maxfail=3", "-v")) == ["test_browse", "test_buy"]
    assert ran(run_pytest("--maxfail=4", "-v")) == ["test_browse", "test_buy", "TestPeakHour"]


def test_durations_are_those_of_load_tests(run_pytest: RunPytest):
    result = run_pytest("--durations=0", "-vv")

    for name in ALL:
        result.stdout.re_match_lines([rf"\d+\.\d\ds call +test_shop\.py::{name}"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("buy", ["test_buy"]),
        ("not buy and not broken", ["test_browse", "TestPeakHour", "test_ordinary"]),
        ("PeakHour", ["TestPeakHour"]),
        ("pay", ["TestPeakHour"]),
        ("scenario", ["test_browse", "test_buy"]),
        ("load_test", ["TestPeakHour"]),
        *((word, []) for word in ("api", "k6", "place", "stand", "signature", "fixture")),
    ],
)
def test_words_select_by_the_names_of_load_tests_and_their_scenarios(
    run_pytest: RunPytest, words: str, expected: list[str]
):
    result = run_pytest("-k", words, "-v")

    assert ran(result) == expected
    assert (result.ret == pytest.ExitCode.NO_TESTS_COLLECTED) == (not expected)


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("scenario", ["test_browse", "test_buy"]),
        ("load_test", ["TestPeakHour"]),
        ("scenario or load_test", ["test_browse", "test_buy", "TestPeakHour"]),
        ("not scenario and not load_test", ["test_ordinary", "test_broken"]),
    ],
)
def test_marks_select(run_pytest: RunPytest, marks: str, expected: list[str]):
    assert ran(run_pytest("-m", marks, "-v")) == expected


def test_collect_only_lists_load_tests_by_the_names_that_select_them(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    result = run_pytest("--collect-only", "-q")

    listed = [line for line in result.outlines if "::" in line]
    assert listed == [f"test_shop.py::{name}" for name in ALL]
    assert result.ret == pytest.ExitCode.OK
    assert service.paths == []
    assert ran(run_pytest("-v", *listed)) == ALL


def test_collect_only_tells_plans_when_asked_for_more(run_pytest: RunPytest):
    result = run_pytest("--collect-only", "-v")

    result.stdout.fnmatch_lines(
        [
            "*<Function test_browse>",
            "*  per-vu-iterations: 1 VU x 1 iteration",
            "*<Function test_buy>",
            "*  per-vu-iterations: 3 VUs x 1 iteration",
            "*<Function TestPeakHour>",
            "*  test_search: per-vu-iterations: 1 VU x 1 iteration",
            "*  test_pay: per-vu-iterations: 1 VU x 1 iteration",
            "*  The busiest hour.",
            "*<Function test_ordinary>",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-k", "browse or ordinary"], pytest.ExitCode.OK),
        (["-k", "buy or ordinary"], pytest.ExitCode.TESTS_FAILED),
        (["-k", "browse or broken"], pytest.ExitCode.TESTS_FAILED),
        (["-k", "nothing"], pytest.ExitCode.NO_TESTS_COLLECTED),
        (["--k6-vus=none"], pytest.ExitCode.USAGE_ERROR),
        (["-k", "ordinary", "--k6-vus=none"], pytest.ExitCode.OK),
    ],
)
def test_exit_codes_are_pytests(run_pytest: RunPytest, arguments: list[str], code: int):
    assert run_pytest(*arguments).ret == code


def test_a_failure_is_placed_where_the_load_test_stands(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = run_pytest("--tb=line", "-k", "buy")

    result.stdout.fnmatch_lines([f"{pytester.path}/test_shop.py:7: Failed: load test failed: *"])
    result.stdout.no_fnmatch_line("*pytest_k6api*")


def test_strictness_has_nothing_against_load_tests(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makeini("[pytest]\nk6_vus = 2\nk6_seed = 7\naddopts = --strict-config")

    run_pytest("--strict-markers", "-k", "browse").assert_outcomes(passed=1, deselected=4)


def without_plugin(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(
        "-p", "no:k6api", "-p", "no:cacheprovider", "-v", *arguments
    )


def test_ordinary_tests_run_without_this_plugin_by_the_documented_recipe(
    pytester: pytest.Pytester, service: Service
):
    pytester.makeini("""
        [pytest]
        markers =
            scenario: a load scenario (pytest-k6api)
            load_test: scenarios that run together (pytest-k6api)
    """)

    result = without_plugin(
        pytester, "-m", "not scenario and not load_test", "--strict-markers", "--strict-config"
    )

    assert ran(result) == ["test_ordinary", "test_broken"]
    assert service.paths == []
