"""What outputs write, beside what k6 writes of the same script, and in a real Prometheus."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.programs import find, free_port, run_k6, run_plugin

pytestmark = [pytest.mark.sockets]

# Written by the clock, not by the script.
BY_THE_CLOCK = {"vus", "vus_max", "generator_lateness"}
ONLY_OURS = {"iteration_failures"}
COLUMNS = (
    *("check", "error", "error_code", "expected_response", "group", "method", "name", "proto"),
    *("scenario", "service", "status", "subproto", "tls_version", "url"),
)


def points(file: Path) -> "Counter[tuple[str, frozenset[tuple[str, str]], str]]":
    """Return how often a JSON file has each metric with its tags and its class of value."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    kinds = {line["metric"]: line["data"]["type"] for line in lines if line["type"] == "Metric"}
    return counted(
        (
            line["metric"],
            line["data"]["tags"] | line["data"].get("metadata", {}),
            line["data"]["value"],
            kinds,
        )
        for line in lines
        if line["type"] == "Point"
    )


def rows(file: Path) -> "Counter[tuple[str, frozenset[tuple[str, str]], str]]":
    """Return the same of a CSV file, whose empty tags are no tags."""
    with file.open(newline="") as lines:
        found = list(csv.DictReader(lines))
    return counted(
        (
            row["metric_name"],
            {
                **{name: row[name] for name in COLUMNS if row[name]},
                **pairs(row["extra_tags"]),
                **pairs(row["metadata"]),
            },
            float(row["metric_value"]),
            {},
        )
        for row in found
    )


def pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split("&") if pair)


def counted(samples: Iterator[Any]) -> "Counter[tuple[str, frozenset[tuple[str, str]], str]]":
    return Counter(
        (metric, frozenset(tags.items()), _class_of(metric, value, kinds))
        for metric, tags, value, kinds in samples
        if metric not in BY_THE_CLOCK | ONLY_OURS
    )


def _class_of(metric: str, value: float, kinds: dict[str, str]) -> str:
    """Return the value where the script decides it, else that it is measured."""
    measured = metric.startswith(("http_req_", "data_")) or metric.endswith("_duration")
    if measured and metric != "http_req_failed":
        return f"{kinds.get(metric, '')} not negative" if value >= 0 else "negative"
    return f"{kinds.get(metric, '')} {value:g}"


@pytest.fixture(scope="module")
def both(nginx, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    told = {"BASE_URL": nginx, "K6_BASE_URL": nginx, "EXECUTOR": "per-vu-iterations"}
    told |= {"VUS": "2", "ITERATIONS": "5"}
    names = {"k6": "--out", "plugin": "--k6-out"}
    with_metadata = f"--system-tags={','.join((*COLUMNS, 'vu', 'iter'))}"
    run_k6("shop", folder, told, with_metadata, *_asked(names["k6"], folder, "k6"))
    plugin = run_plugin(
        "shop", folder, told, "--k6-metadata", *_asked(names["plugin"], folder, "plugin")
    )
    return folder, plugin


def _asked(option: str, folder: Path, who: str) -> list[str]:
    outputs = (f"json={folder}/{who}.json", f"csv={folder}/{who}.csv")
    return [each for output in outputs for each in (option, output)]


@pytest.mark.k6_binary
def test_the_json_of_both_has_the_same_samples(both):
    folder, _ = both

    assert points(folder / "plugin.json") == points(folder / "k6.json")


@pytest.mark.k6_binary
def test_the_csv_of_both_has_the_same_samples_under_the_same_header(both):
    folder, _ = both

    headers = [(folder / f"{who}.csv").read_text().splitlines()[0] for who in ("plugin", "k6")]
    assert headers[0] == headers[1]
    assert rows(folder / "plugin.csv") == rows(folder / "k6.csv")


@pytest.mark.k6_binary
def test_metrics_are_described_in_the_same_words(both):
    folder, _ = both

    described = [
        {
            line["metric"]: line["data"]
            for line in map(json.loads, (folder / f"{who}.json").read_text().splitlines())
            if line["type"] == "Metric" and line["metric"] not in BY_THE_CLOCK | ONLY_OURS
        }
        for who in ("plugin", "k6")
    ]
    # k6 lists the sub-metric that it registers for everybody.
    described[1]["http_req_duration"]["submetrics"] = None
    assert described[0] == described[1]


@pytest.mark.k6_binary
def test_totals_are_those_of_the_summary(both):
    folder, plugin = both

    lines = map(json.loads, (folder / "plugin.json").read_text().splitlines())
    totals: Counter[str] = Counter()
    for line in lines:
        if line["type"] == "Point":
            totals[line["metric"]] += line["data"]["value"]
    for name in ("http_reqs", "iterations", "data_sent", "data_received", "orders"):
        assert totals[name] == pytest.approx(plugin.count(name))


@contextmanager
def running_prometheus(folder: Path) -> Iterator[str]:
    program = find("prometheus")
    port = free_port()
    (folder / "prometheus.yml").write_text("global: {}\n")
    command = [
        *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"),
        "--enable-feature=native-histograms",
    ]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not _is_ready(url):
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(url: str) -> bool:
    with suppress(OSError):
        return bool(urllib.request.urlopen(f"{url}/-/ready", timeout=5).status == 200)
    return False


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    if not (shutil.which("prometheus") or Path("/usr/bin/prometheus").exists()):
        pytest.skip("prometheus is missing")
    with running_prometheus(folder) as url:
        yield url


LOAD = """
import pytest

@pytest.mark.scenario(
    vus=2, duration="4s", thresholds={"http_req_duration{name:home}": ["p(95)<5000"]}
)
async def test_browse(vu):
    with vu.group("visit"):
        response = await vu.http.get("/", name="home")
        vu.check(response, {"is 200": lambda r: r.status_code == 200})
        await vu.http.get("/missing", name="missing")
    await vu.sleep(0.05)
"""
STATS = ("avg", "min", "med", "max", "p90", "p95", "p99")
PHASES = ("blocked", "tls_handshaking", "sending", "waiting", "receiving", "duration")
# The expressions of the panels of dashboard 19665, for one test.
PANELS_19665 = [
    'sum(k6_vus{testid=~"T"})',
    'max(k6_vus{testid=~"T"})',
    'avg(k6_http_req_duration_p95{testid=~"T"})',
    'sum(irate(k6_http_reqs_total{testid=~"T"}[1m]))',
    'sum(k6_http_reqs_total{testid=~"T"})',
    'sum(k6_http_reqs_total{testid=~"T", expected_response="false"})',
    'sum(irate(k6_http_reqs_total{testid=~"T", expected_response="false"}[1m]))',
    'avg(round(k6_http_req_failed_rate{testid=~"T"}, 0.1)*100)',
    'sum(irate(k6_data_sent_total{testid=~"T"}[1m]))',
    'sum(irate(k6_data_received_total{testid=~"T"}[1m]))',
    'avg(k6_iteration_duration_p95{testid=~"T"})',
    'avg by(name, method, status) (k6_http_req_duration_p95{testid=~"T", name="home"})',
    'sum by(name, method, status) (k6_http_reqs_total{testid=~"T"})',
    'round(k6_checks_rate{testid=~"T"}, 0.1)',
    'avg by(check) (k6_checks_rate{testid=~"T"})',
    *(f'avg(k6_http_req_{phase}_{stat}{{testid=~"T"}})' for phase in PHASES for stat in STATS),
    'k6_threshold_ok{testid=~"T"}',
]
# Likewise of dashboard 18030, of native histograms.
PANELS_18030 = [
    'sum(k6_vus{testid=~"T"})',
    'sum(irate(k6_http_reqs_total{testid=~"T"}[1m]))',
    'avg(irate(k6_data_sent_total{testid=~"T"}[1m]))',
    *(
        "histogram_quantile(0.95, sum by(le) (rate("
        f'k6_http_req_{phase}_seconds{{testid=~"T"}}[1m])))'
        for phase in ("duration", "waiting", "sending", "receiving")
    ),
    'histogram_quantile(0.95, sum by(le) (rate(k6_iteration_duration_seconds{testid=~"T"}[1m])))',
    'sum(histogram_count(k6_http_req_duration_seconds{testid=~"T"}))',
]


def ask(url: str, expression: str, testid: str) -> list[float]:
    query = urllib.parse.urlencode({"query": expression.replace('"T"', f'"{testid}"')})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as response:
        answer = json.load(response)
    return [float(found["value"][1]) for found in answer["data"]["result"]]


def load(prometheus: str, service: str, folder: Path, testid: str, **variables: str) -> str:
    (folder / "test_load.py").write_text(LOAD)
    command = [
        *(sys.executable, "-m", "pytest", "-q", "test_load.py", "-p", "no:cacheprovider"),
        *("-p", "pytest_k6api.plugin", "--k6-address=", f"--k6-base-url={service}"),
        *("--k6-requests=record", f"--k6-tag=testid={testid}", "--k6-summary=full"),
        f"--k6-out=prometheus-rw={prometheus}/api/v1/write",
    ]
    told = {f"K6_PROMETHEUS_RW_{name}": text for name, text in variables.items()}
    told |= {"K6_PROMETHEUS_RW_PUSH_INTERVAL": "1s", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **told}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if " samples written" in line]
    assert "dropped" not in line
    return done.stdout


@pytest.mark.prometheus
@pytest.mark.slow
def test_every_panel_of_the_dashboard_has_numbers(prometheus, nginx, tmp_path):
    stats = "avg,min,med,max,p(90),p(95),p(99)"

    load(prometheus, nginx, tmp_path, "classic", TREND_STATS=stats)

    answers = {panel: ask(prometheus, panel, "classic") for panel in PANELS_19665}
    assert [panel for panel, found in answers.items() if not found] == []
    requests = answers['sum(k6_http_reqs_total{testid=~"T"})'][0]
    failed = answers['sum(k6_http_reqs_total{testid=~"T", expected_response="false"})'][0]
    assert requests == 2 * failed > 20
    assert answers['k6_threshold_ok{testid=~"T"}'] == [1.0]


@pytest.mark.prometheus
@pytest.mark.slow
def test_every_panel_of_the_dashboard_for_native_histograms_has_numbers(
    prometheus, nginx, tmp_path
):
    load(prometheus, nginx, tmp_path, "native", TREND_AS_NATIVE_HISTOGRAM="true")

    answers = {panel: ask(prometheus, panel, "native") for panel in PANELS_18030}
    assert [panel for panel, found in answers.items() if not found] == []
    requests = ask(prometheus, 'sum(k6_http_reqs_total{testid=~"T"})', "native")
    assert answers[PANELS_18030[-1]] == requests


@pytest.mark.prometheus
@pytest.mark.slow
def test_stale_markers_end_the_series_at_once(prometheus, nginx, tmp_path):
    load(prometheus, nginx, tmp_path, "stale", STALE_MARKERS="true")

    assert ask(prometheus, 'k6_http_reqs_total{testid=~"T"}', "stale") == []
    assert ask(prometheus, 'max_over_time(k6_http_reqs_total{testid=~"T"}[5m])', "stale") != []
