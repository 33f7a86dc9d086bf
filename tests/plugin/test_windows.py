"""Thresholds with windows, from the marker to the report."""

import pytest

from tests.plugin.conftest import RunPytest

SCENARIO = """
    import pytest

    @pytest.mark.scenario(
        duration="1s",
        thresholds={{"http_req_duration": [{entry}]}},
        setup=lambda: None,
    )
    async def test_browse(vu):
        await vu.http.get("/slow" if vu.iteration == 0 else "/")
        await vu.sleep(0.05)
"""


def test_a_slow_start_is_forgiven_after_a_warm_up(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    entry = {"threshold": "max<190", "after": "0.5s"}
    pytester.makepyfile(SCENARIO.format(entry=entry))

    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r" +✓ max<190 after 500ms  max=[\d.]+[µm]s"])


def test_a_window_that_was_crossed_is_told_with_its_time(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    entry = {"threshold": "max<190", "over_last": "2s"}
    pytester.makepyfile(SCENARIO.format(entry=entry))

    result = run_pytest()

    result.stdout.re_match_lines(
        [
            r".*the threshold http_req_duration: max<190 over the last 2s was crossed: max=2\d\d.*ms at 1\.\d s",
            r".*    ✗ max<190 over the last 2s  max=2\d\d.*ms at 1\.\d s",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_one_iteration_is_judged_as_a_whole(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(SCENARIO.format(entry={"threshold": "max>190", "after": "10s"}))

    run_pytest("--k6-smoke").assert_outcomes(passed=1)


def test_a_slip_of_the_pen_is_told_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(SCENARIO.format(entry={"threshold": "max<190", "afer": "10s"}))

    result = run_pytest()

    result.stdout.fnmatch_lines(
        [
            "k6: cannot run *http_req_duration: a threshold does not take 'afer'; did you mean 'after'?"
        ]
    )
    result.assert_outcomes(errors=1)
