"""Event streams that fail, in a session: told, allowed and counted as sessions and calls are."""

import pytest

from tests.plugin.conftest import RunPytest

FEEDS = """
    import pytest

    @pytest.mark.scenario(iterations=1, thresholds={"http_req_failed": ["rate<=1"]})
    async def test_feed(vu):
        for path in ("/status/503", "/"):
            async with vu.http.sse(path, name=f"feed {path}", reconnections=0) as events:
                assert [each async for each in events] == []
"""


def test_a_failed_event_stream_fails_the_load_test_by_a_rate_of_its_own(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=FEEDS)

    result = run_pytest("--k6-summary=compact")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "load test failed: 2 of 2 event streams failed: 1x 503 GET feed /status/503;"
        " 1x no event stream: Content-Type is missing (1000) GET feed /",
        "*      < 503 Said So after *",
        "*, 2 streams, 100.00% of streams failed*",
    ])  # fmt: skip


def test_a_threshold_allows_some_event_streams_to_fail(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    judged = """{
        "http_req_failed": ["rate<=1"],
        "sse_failed{status:503}": ["rate<=1"],
        "sse_failed{name:feed /}": ["rate<=1"],
    }"""
    pytester.makepyfile(test_shop=FEEDS.replace('{"http_req_failed": ["rate<=1"]}', judged))

    result = run_pytest()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([
        "*FAILED STREAMS", "*1x 503 GET feed /status/503", "*SERVER-SENT EVENTS", "*2 out of 2"
    ])  # fmt: skip
