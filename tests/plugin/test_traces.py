"""``--k6-trace``: from a slow or failed request to its trace."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.plugin.conftest import RunPytest, Service

SHOP = """
    import pytest

    @pytest.mark.scenario(executor="per-vu-iterations", vus=2, iterations=2, requests="record")
    async def test_buy(vu):
        await vu.http.get("/", name="home")
        await vu.http.get("/status/404", name="gone")
"""


def traces_in(path: Path, metric: str) -> list[str]:
    """Return the trace of each sample of `metric` in the file of the output ``json``."""
    lines = map(json.loads, path.read_text().splitlines())
    points = [each for each in lines if each["type"] == "Point" and each["metric"] == metric]
    return [each["data"]["metadata"]["trace_id"] for each in points]


@pytest.mark.parametrize(
    "workers", [(), pytest.param(("--k6-workers=2",), marks=pytest.mark.slow)], ids=["alone", "two"]
)
def test_outputs_and_failures_name_the_trace_of_each_request(
    workers: Sequence[str], pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=SHOP)

    result = run_pytest(
        "--k6-trace=1", "--k6-out=json=run.json", "--k6-out=csv=run.csv", *workers,
        "--k6-report=report.json", "--k6-report=report.md",
    )  # fmt: skip

    result.assert_outcomes(passed=1)
    traces = traces_in(pytester.path / "run.json", "http_req_duration")
    assert len(set(traces)) == len(traces) == 8
    assert traces_in(pytester.path / "run.json", "http_reqs") == traces
    csv = (pytester.path / "run.csv").read_text()
    assert all(f"trace_id={each}" in csv for each in traces)
    (load_test,) = json.loads((pytester.path / "report.json").read_text())["load_tests"]
    (failure,) = load_test["failures"]
    _, _, context = failure["details"].partition("> traceparent: 00-")
    assert context[:32] in traces
    slowest = load_test["slowest"]
    assert len({each["trace_id"] for each in slowest} & set(traces)) == 5
    assert slowest == sorted(slowest, key=lambda each: -each["duration"])
    first = f"{slowest[0]['trace_id']}  {slowest[0]['status']} GET {slowest[0]['name']}"
    result.stdout.re_match_lines([r" +SLOWEST REQUESTS AND THEIR TRACES$", rf" +\S+s  {first}$"])
    assert slowest[0]["trace_id"] in (pytester.path / "report.md").read_text()


def test_the_terminal_shows_the_trace_of_a_failed_request(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=SHOP.replace("record", "fail"))

    result = run_pytest("--k6-trace=0.5")

    result.stdout.re_match_lines([
        r" +> GET http://127.0.0.1:\d+/status/404$",
        r" +> traceparent: 00-dc0742[0-9a-f]{26}-[0-9a-f]{16}-0[01]$",
        r" +< 404 Said So",
    ])  # fmt: skip


def test_metadata_of_the_user_stands_beside_the_trace(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(test_shop=SHOP)

    run_pytest("--k6-trace=1", "--k6-metadata", "--k6-out=json=run.json").assert_outcomes(passed=1)

    lines = map(json.loads, (pytester.path / "run.json").read_text().splitlines())
    found = [each["data"] for each in lines if each["metric"] == "http_reqs" and "metric" in each]
    metadata = [each["metadata"] for each in found if "metadata" in each]
    assert len(metadata) == 8
    assert all(each.keys() == {"vu", "iter", "trace_id"} for each in metadata)


def test_a_rate_that_is_no_share_is_told_before_any_request(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
) -> None:
    pytester.makepyfile(test_shop=SHOP)

    result = run_pytest("--k6-trace=all")

    result.stderr.fnmatch_lines([
        "ERROR: --k6-trace: takes the share of traces to sample, from 0 to 1, such as 1 or 0.1,"
        " got 'all'"
    ])  # fmt: skip
    assert service.paths == []
