"""Load tests on workers measure what one process measures: the same seed, a service that answers by rule."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.distributed.clusters import certify, running_cluster
from tests.plugin.conftest import RunPytest

ROOT = Path(__file__).parents[2]

SUITE = """
    import pytest
    from pytest_k6api import Counter, Rate, Trend

    cart = Trend("cart")
    queue = Trend("queue", contains="time")
    orders = Counter("orders")
    paid = Rate("paid")

    @pytest.mark.scenario(
        vus=7, iterations=6, executor="per-vu-iterations",
        thresholds={
            "cart": ["p(95)<1", "avg<60"],
            "cart{step:second}": ["p(99.9)<5", "min>0"],
            "orders": ["count>0"],
            "checks{check:is 200}": ["rate>0.9"],
            # A set of two, which has an order of its own in each process.
            "checks{check:is 200,scenario:test_shop}": ["rate>0.1"],
            "http_req_failed": ["rate<1"],
        },
    )
    async def test_shop(vu):
        status = (200, 404, 503)[(vu.id + vu.iteration) % 3]
        with vu.group("browse"):
            page = await vu.http.get(f"/status/{status}", name=f"page {vu.id % 2}")
            vu.check(page, {"is 200": lambda found: found.status_code == 200})
            with vu.group("details"):
                vu.check(vu.iteration, {"is early": lambda number: number < 4})
        cart.add(vu.random.uniform(0, 100))
        cart.add(vu.random.gauss(0, 1), tags={"step": "second"})
        queue.add(vu.random.randrange(10**6))
        orders.add(vu.id)
        paid.add(vu.iteration % 2)
        if vu.iteration == 5 and vu.id % 2:
            raise LookupError("no such item")
"""

# Metrics with values, or with numbers of samples, that depend on time.
PACED = ("generator_lateness", "vus")
TIMED = ("http_req_", "iteration_duration", "iteration_lateness", "group_duration", *PACED)


def measured(saved: dict[str, Any]) -> dict[str, object]:
    """Return what does not depend on time of the results of a load test."""
    metrics = {
        # Floats of workers are added in another order.
        name: {**metric, "sum": round(metric["sum"], 6)} if "sum" in metric else metric
        for name, metric in saved["metrics"].items()
        if not name.startswith(TIMED) or name.startswith("http_req_failed")
    }
    return {
        "metrics": metrics,
        "samples": {
            name: metric["samples"]
            for name, metric in saved["metrics"].items()
            if not name.startswith(PACED)
        },
        "groups": saved["root_group"],
        "thresholds": [
            (each["metric"], each["expression"], each["ok"], each["observed_text"])
            for each in saved["thresholds"]
        ],
    }


def failures(report: dict[str, Any]) -> dict[tuple[str, ...], object]:
    """Return the failures in a report, without their times."""
    (load_test,) = report["load_tests"]
    return {
        (each["kind"], each["message"], each["place"]): (each["count"], each["share"])
        for each in load_test["failures"]
    }


def samples(lines: str) -> list[tuple[object, ...]]:
    """Return samples that an output wrote, without their times."""
    points = [json.loads(line) for line in lines.splitlines() if '"Point"' in line]
    return sorted(
        (point["metric"], point["data"]["value"], *sorted(point["data"]["tags"].items()))
        for point in points
        if not point["metric"].startswith(TIMED)
    )


@pytest.fixture(params=["1", "2", "3", "7", "cluster of 2", "TLS cluster of 3", "cluster of 7"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give what `--k6-workers` takes."""
    of_cluster, _, count = request.param.rpartition(" ")
    if not of_cluster:
        yield count
        return
    pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    is_secure = of_cluster.startswith("TLS")
    settings = certify(tmp_path) if is_secure else {}
    folders = [str(tmp_path)] if is_secure else []
    with dask.config.set(settings), running_cluster(*folders, machines=int(count)) as scheduler:
        yield scheduler


@pytest.mark.slow
def test_workers_measure_what_one_process_measures(
    pytester: pytest.Pytester, run_pytest: RunPytest, workers: str
):
    pytester.makepyfile(test_shop=SUITE)

    def run(name: str, *options: str) -> dict[str, Any]:
        report, output = (pytester.path / f"{name}{suffix}" for suffix in (".json", ".jsonl"))
        files = f"--k6-save={name}", f"--k6-report={report}", f"--k6-out=json={output}"
        run_pytest("--k6-seed=7", *files, *options)
        (saved,) = (pytester.path / ".k6api" / name).rglob("*.json")
        return {
            **measured(json.loads(saved.read_text())),
            "failures": failures(json.loads(report.read_text())),
            "output": samples(output.read_text()),
        }

    alone = run("alone")
    split = run("split", f"--k6-workers={workers}")

    assert split == alone
    told = (pytester.path / "split.json").read_text().replace("\\n", "\n")
    assert ("\nworker " in told) == (workers != "1")
    assert (len(alone["thresholds"]), len(alone["failures"])) == (8, 7)
    assert len(alone["output"]) > 42 * 10


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--k6-workers=2",)], ids=["alone", "two workers"])
def test_a_scenario_has_the_client_that_its_marker_asks_for(
    pytester: pytest.Pytester, run_pytest: RunPytest, options: tuple[str, ...]
):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario(
            vus=2, iterations=6, no_connection_reuse=True, discard_response_bodies=True
        )
        async def test_strangers(vu):
            response = await vu.http.get("/")
            assert response.content == b""
            assert response.timings.connecting > 0

        @pytest.mark.scenario(vus=2, iterations=2, http_versions="2-prior-knowledge")
        async def test_newer(vu):
            response = await vu.http.get("/", expected_statuses=None)
            assert response.error != "", "the service knows HTTP/1.1 alone"

        @pytest.mark.scenario(vus=1, iterations=1)
        async def test_plain(vu):
            assert (await vu.http.get("/")).content == b"Welcome"
        """
    )

    result = run_pytest(*options)

    result.assert_outcomes(passed=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leave", "code", "text"),
    [
        ("sys.exit(3)", 1, "load test failed: SystemExit: 3"),
        ("pytest.exit('enough', 7)", 7, "Exit: enough"),
        ("raise KeyboardInterrupt", 2, "KeyboardInterrupt"),
    ],
)
def test_what_ends_a_session_on_a_worker_ends_this_one_with_its_code(
    pytester: pytest.Pytester, run_pytest: RunPytest, leave: str, code: int, text: str
):
    pytester.makepyfile(
        f"""
        import pytest, sys

        @pytest.mark.scenario(vus=2, iterations=4)
        async def test_leaves(vu):
            vu.check(1, {{"is one": True}})
            {leave}
        """
    )

    result = run_pytest("--k6-workers=2", no_reraise_ctrlc=True)

    assert result.ret == code
    output = result.stdout.str()
    assert text in output
    assert "CHECKS  " in output


@pytest.mark.slow
def test_the_examples_pass_on_two_workers():
    examples = sorted(str(path) for path in (ROOT / "examples").glob("test_*.py"))
    options = ["-q", "-p", "no:cacheprovider", "--k6-workers=2", "--k6-address="]
    # Two of them run pytest themselves, which is to find the plugin.
    environment = {**os.environ}
    environment.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *examples],
        cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
