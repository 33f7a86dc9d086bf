"""Thresholds of every load test, from the ini file."""

import pytest

from tests.plugin.conftest import RunPytest, Service

SUITE = """
    import pytest

    @pytest.mark.scenario(thresholds={"http_reqs": ["count==1"]})
    async def test_requests(vu):
        await vu.http.get("/status/404")

    @pytest.mark.scenario
    async def test_nothing_of_that(vu):
        pass
"""
INI = """
    [pytest]
    k6_thresholds =
        http_req_failed: rate<0.5
        http_reqs{name:none,status:404}: count<1
        http_reqs: count==1
"""


def test_they_are_judged_where_there_are_samples(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(SUITE)

    result = run_pytest()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*failed: the threshold http_req_failed: rate<0.5 was crossed*",
            "*::test_requests: failed*",
            "*http_reqs",
            "*✓ count==1*",
            "*http_reqs{name:none,status:404}",
            "*- count<1  not judged",
            "*http_req_failed",
            "*✗ rate<0.5  rate=100.00%",
            "*::test_nothing_of_that: passed*",
            "*http_req_failed",
            "*- rate<0.5  not judged",
        ],
        consecutive=False,
    )
    assert result.stdout.str().count("count==1  count=1") == 1


def test_they_can_be_switched_off(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(SUITE)

    run_pytest("--k6-no-thresholds").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "http_req_failed rate<0.5",
            "*k6_thresholds: cannot read 'http_req_failed rate<0.5'; write '<metric>: <expression>',"
            " such as 'http_req_failed: rate<0.01'",
        ),
        ("checks: avg<1", "*k6_thresholds: checks: the threshold 'avg<1' asks a rate for 'avg'*"),
        # No name that another test declares: this process may remember that one for a while.
        ("nobodys: avg<1", "*k6_thresholds: nobodys: there is no metric 'nobodys'*"),
    ],
)
def test_what_cannot_be_read_is_told_once_and_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service, line: str, message: str
) -> None:
    pytester.makepyfile(SUITE)
    pytester.makeini(f"[pytest]\nk6_thresholds =\n    {line}\n")

    result = run_pytest()

    result.stderr.fnmatch_lines([message])
    assert len([text for text in result.errlines if text]) == 1
    assert (result.ret, service.paths) == (pytest.ExitCode.USAGE_ERROR, [])
