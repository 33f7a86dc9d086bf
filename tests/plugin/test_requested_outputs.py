"""Outputs that are asked for by ``--k6-out``: read, checked, run, and told in the summary."""

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.plugin.conftest import RunPytest, Service

SUITE = """
    import pytest

    @pytest.mark.scenario(vus=2, iterations=6, thresholds={"checks": ["rate>0.5"]})
    async def test_browse(vu):
        vu.check(await vu.http.get("/", name="home"), {"is 200": lambda r: r.status_code == 200})

    @pytest.mark.scenario(iterations=2)
    async def test_buy(vu):
        await vu.http.get("/", name="buy")
"""


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=SUITE)


def points(path: Path) -> Counter[str]:
    """Return how many points of each metric a JSON file has."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return Counter(line["metric"] for line in lines if line["type"] == "Point")


def outputs(result: pytest.RunResult) -> list[str]:
    """Return the lines of the summary about outputs, without numbers that differ."""
    lines = [line.strip() for line in result.outlines]
    found = [line for line in lines if " written" in line]
    return [re.sub(r"[\d,]+ samples", "# samples", line) for line in found]


def test_every_sample_is_written_and_the_summary_says_how_many(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    result = run_pytest(
        "-k", "browse", "--k6-out", "json=out/run.json", "--k6-out", "csv=run.csv.gz"
    )

    result.assert_outcomes(passed=1)
    found = points(pytester.path / "out/run.json")
    assert (found["http_reqs"], found["http_req_waiting"], found["checks"]) == (6, 6, 6)
    assert (found["iterations"], found["iteration_duration"]) == (6, 6)
    with gzip.open(pytester.path / "run.csv.gz", "rt", newline="") as file:
        rows = Counter(row["metric_name"] for row in csv.DictReader(file))
    assert rows == found
    total = sum(found.values())
    result.stdout.fnmatch_lines(
        [
            "*OUTPUTS",
            f"*json=out/run.json: {total:,} samples written",
            f"*csv=run.csv.gz: {total:,} samples written",
        ]
    )


def test_each_load_test_has_a_file_of_its_own(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    run_pytest("--k6-out=json=run.json.gz", "--k6-out=json={name}.json").assert_outcomes(passed=2)

    names = sorted(path.name for path in pytester.path.glob("*.json*"))
    assert [re.sub(r"-[0-9a-f]{8}", "-#", name) for name in names] == [
        "run-2.json.gz",
        "run.json.gz",
        "test_shop.py-test_browse-#.json",
        "test_shop.py-test_buy-#.json",
    ]


@pytest.mark.parametrize("where", ["ini", "environment"])
def test_outputs_can_be_asked_for_elsewhere(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    if where == "ini":
        pytester.makeini("[pytest]\nk6_out =\n    json=a.json\n    csv=b.csv\n")
    else:
        monkeypatch.setenv("K6_OUT", "json=a.json,csv=b.csv")

    run_pytest("-k", "buy").assert_outcomes(passed=1)

    assert (pytester.path / "a.json").exists()
    assert (pytester.path / "b.csv").exists()


def test_the_time_of_a_request_is_the_end_of_its_response(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(
        test_slow="""
        import time
        import pytest

        spans = []

        @pytest.mark.scenario(iterations=3)
        async def test_slow(vu):
            began = time.time_ns() // 1000
            await vu.http.get("/slow", name="slow")
            spans.append((began, time.time_ns() // 1000))

        def test_times(k6):
            import datetime, json
            with open("run.json") as file:
                points = [json.loads(line) for line in file]
            times = [
                datetime.datetime.fromisoformat(each["data"]["time"]).timestamp() * 1e6
                for each in points
                if each["type"] == "Point" and each["metric"] == "http_req_waiting"
            ]
            assert len(times) == 3
            for time, (began, ended) in zip(times, spans):
                # Two clocks that are read one after the other may be a little apart.
                assert began + 199_000 < time < ended + 1_000
        """
    )

    run_pytest("test_slow.py", "--k6-out=json=run.json").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (
            "jsno=run.json",
            "--k6-out jsno=run.json: there is no output 'jsno'; did you mean json?",
        ),
        (
            "json=.",
            "--k6-out json=.: * is a folder; name a file in it, such as *run.json",
        ),
        (
            "influxdb=ftp://ann:secret@host",
            "--k6-out influxdb=ftp://***@host: cannot read the URL *",
        ),
        (
            "statsd=8125",
            "--k6-out statsd=8125: cannot read the address '8125'; write one such as localhost:8125",
        ),
    ],
)
def test_what_cannot_be_used_is_told_before_any_load(
    run_pytest: RunPytest, service: Service, output: str, problem: str
) -> None:
    result = run_pytest(f"--k6-out={output}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {problem}"])
    assert "secret" not in result.stderr.str()
    assert service.paths == []


def test_a_format_of_time_that_is_none_is_told_before_any_load(
    run_pytest: RunPytest, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K6_CSV_TIME_FORMAT", "iso")

    result = run_pytest("--k6-out=csv=run.csv")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --k6-out csv=run.csv: cannot write times as 'iso'; *"])
    assert service.paths == []


def test_a_target_that_cannot_be_opened_any_more_fails_the_load_test_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
) -> None:
    pytester.makeconftest(
        """
        import pathlib, pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_call():
            pathlib.Path("out").touch()
        """
    )

    result = run_pytest("-k", "browse", "--k6-out=json=out/run.json")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["--k6-out json=out/run.json: *out is not a folder"])
    assert service.paths == []


def test_an_output_that_cannot_be_started_is_told_in_one_line(
    run_pytest: RunPytest, service: Service
) -> None:
    result = run_pytest("-k", "browse", "--k6-out=json=/proc/run.json")

    result.assert_outcomes(failed=1)
    told = [line for line in result.outlines if line.startswith("--k6-out")]
    assert len(told) == 1
    assert told[0].startswith("--k6-out json=/proc/run.json: /proc/run.json: ")
    result.stdout.no_fnmatch_line("*During handling*")
    assert service.paths == []


def test_a_full_disk_is_one_line_and_the_load_test_goes_on(
    run_pytest: RunPytest, service: Service
) -> None:
    result = run_pytest("-k", "browse", "--k6-out=json=/dev/full", "--k6-summary=compact")

    result.assert_outcomes(passed=1)
    assert len(service.paths) == 6
    (line,) = [line for line in result.outlines if "/dev/full" in line]
    assert re.fullmatch(
        r" *! output json=/dev/full: 0 samples written, [\d,]+ dropped: No space left on device",
        line,
    )


def test_a_server_that_is_away_is_told_and_costs_no_more_than_the_time_for_what_is_left(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_k6api.outputs.queued.CLOSE_TIMEOUT", 0.3)
    pytester.makeconftest(
        """
        import functools
        import pytest_k6api.outputs.remote.influxdb as influxdb

        influxdb.QueuedOutput = functools.partial(influxdb.QueuedOutput, close_timeout=0.3)
        """
    )

    result = run_pytest("-k", "browse", "--k6-out=influxdb=http://127.0.0.1:1/k6")

    result.assert_outcomes(passed=1)
    (line,) = [line for line in result.outlines if "127.0.0.1:1" in line]
    assert re.fullmatch(
        r" *! output influxdb=http://127\.0\.0\.1:1/k6: 0 samples written, [\d,]+ dropped,"
        r" \d+ retr(y|ies): Connection refused",
        line,
    )


@pytest.mark.parametrize("body", ["raise KeyboardInterrupt", "raise SystemExit", "vu.stop('done')"])
def test_the_last_samples_are_written_however_it_ends(
    pytester: pytest.Pytester, run_pytest: RunPytest, body: str
) -> None:
    pytester.makepyfile(
        test_shop=f"""
        import pytest

        @pytest.mark.scenario(iterations=6)
        async def test_browse(vu):
            await vu.http.get("/", name="home")
            {body}
        """
    )

    run_pytest("--k6-out=json=run.json", no_reraise_ctrlc=True)

    assert points(pytester.path / "run.json")["http_reqs"] >= 1


PLUGIN = """
from pytest_k6api import OutputError, QueuedOutput


class Lines:
    def __init__(self, context):
        if not context.target:
            raise OutputError("takes a target, such as lines=out.txt")
        self.context = context

    def open(self):
        self.file = open(self.context.target, "w")
        thresholds = ",".join(each.source for each in self.context.thresholds)
        scenarios = ",".join(each.name for each in self.context.load_test.scenarios)
        print(self.context.load_test.name, thresholds, scenarios, file=self.file)

    def write(self, batches):
        for batch in batches:
            for series in batch.series:
                if series.metric == "http_reqs":
                    print(series.tags["name"], len(series.values), file=self.file)

    def close(self):
        self.file.close()


def make(context):
    return QueuedOutput("lines", Lines(context))
"""


@pytest.fixture
def distribution(pytester: pytest.Pytester) -> None:
    """Install a distribution that adds the output ``lines``."""
    (pytester.path / "linesout.py").write_text(PLUGIN)
    about = pytester.path / "linesout-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: linesout\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[pytest_k6api.outputs]\nlines = linesout:make\nbroken = linesout:missing\n"
    )
    pytester.syspathinsert()


@pytest.mark.usefixtures("distribution")
def test_another_distribution_adds_an_output(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    result = run_pytest("-k", "browse", "--k6-out=lines={name}.txt")

    result.assert_outcomes(passed=1)
    (path,) = pytester.path.glob("test_shop.py-test_browse-*.txt")
    first, *rest = path.read_text().splitlines()
    assert first == "test_shop.py::test_browse rate>0.5 test_browse"
    assert sum(int(line.removeprefix("home ")) for line in rest) == 6
    assert outputs(result) == ["lines={name}.txt: # samples written"]


@pytest.mark.usefixtures("distribution")
@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("lines", "--k6-out lines: takes a target, such as lines=out.txt"),
        (
            "broken",
            "--k6-out broken: broken: linesout:missing cannot be imported: AttributeError: *",
        ),
        ("line", "--k6-out line: there is no output 'line'; did you mean lines?"),
    ],
)
def test_what_is_wrong_with_another_distribution_is_told_before_any_load(
    run_pytest: RunPytest, service: Service, output: str, problem: str
) -> None:
    result = run_pytest(f"--k6-out={output}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {problem}"])
    assert service.paths == []


def metadata_of(path: Path, metric: str) -> list[dict[str, str] | None]:
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [
        line["data"].get("metadata")
        for line in lines
        if line["type"] == "Point" and line["metric"] == metric
    ]


def test_metadata_tells_the_virtual_user_and_its_iteration_where_it_is_asked_for(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(
        test_shop="""
        import pytest
        from pytest_k6api import Counter

        orders = Counter("orders")

        @pytest.mark.scenario(
            executor="per-vu-iterations", vus=2, iterations=2, setup=lambda: orders.add(1)
        )
        def test_buy(vu):
            with vu.group("cart"):
                vu.check(vu.http.get("/", name="home"), {"is 200": lambda r: r.status_code == 200})
            orders.add(1)
        """
    )

    run_pytest("--k6-metadata", "--k6-out=json=run.json", "--k6-out=csv=run.csv").assert_outcomes(
        passed=1
    )

    each_once = Counter((vu, iteration) for vu in "12" for iteration in "01")
    file = pytester.path / "run.json"
    for metric in ("http_req_waiting", "checks", "group_duration", "iterations"):
        told = [each for each in metadata_of(file, metric) if each and "vu" in each]
        assert Counter((each["vu"], each["iter"]) for each in told) == each_once
    # As in k6, setup has no virtual user, and the load test's own samples have neither.
    assert {"iter": "0"} in metadata_of(file, "orders")
    assert set(metadata_of(file, "vus")) <= {None}
    with (pytester.path / "run.csv").open(newline="") as lines:
        found = [row["metadata"] for row in csv.DictReader(lines) if row["check"]]
    assert sorted(found) == ["vu=1&iter=0", "vu=1&iter=1", "vu=2&iter=0", "vu=2&iter=1"]


def test_samples_have_no_metadata_unless_it_is_asked_for(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    run_pytest("-k", "buy", "--k6-out=json=run.json").assert_outcomes(passed=1)

    assert metadata_of(pytester.path / "run.json", "iterations") == [None, None]


def test_tags_of_the_session_are_on_samples_outside_of_scenarios_too(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile(
        test_shop="""
        import pytest

        async def get(vu):
            await vu.http.get("/", name="home")

        @pytest.mark.scenario(iterations=1, tags={"kind": "smoke"}, setup=get)
        async def test_buy(vu):
            await vu.sleep(0.5)
        """
    )
    pytester.makeini("[pytest]\nk6_tag = team=web\n")

    run_pytest("--k6-tag=build=7", "--k6-out=json=run.json").assert_outcomes(passed=1)

    lines = map(json.loads, (pytester.path / "run.json").read_text().splitlines())
    tags = {line["metric"]: line["data"]["tags"] for line in lines if line["type"] == "Point"}
    session = {"team": "web", "build": "7"}
    assert tags["generator_lateness"] == session
    assert tags["http_reqs"].items() >= session.items()
    assert "kind" not in tags["http_reqs"]
    assert tags["iterations"] == {**session, "kind": "smoke", "group": "", "scenario": "test_buy"}


def start_pytest(pytester: pytest.Pytester, service: Service, *arguments: str):
    command = [sys.executable, "-m", "pytest", "-p", "k6api", "-p", "no:cacheprovider"]
    settings = ["--k6-address=", f"--k6-base-url={service.url}", *arguments]
    return subprocess.Popen(
        [*command, *settings], cwd=pytester.path, stdout=subprocess.PIPE, text=True, env=os.environ
    )


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_the_standard_output_gets_whole_lines_whatever_captures_it(
    pytester: pytest.Pytester, service: Service, capture: str
) -> None:
    arguments = ("-kbuy", "--k6-out=json=-", f"--capture={capture}", "--k6-progress=10ms")
    with start_pytest(pytester, service, *arguments) as process:
        stdout, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    lines = stdout.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    count = sum(each["type"] == "Point" and each["metric"] == "http_reqs" for each in found)
    assert count == 2
    # All else is told in lines of its own, and the progress not at all.
    assert [line for line in lines if '"metric"' in line and not line.startswith("{")] == []
    assert [line for line in lines if "iterations" in line and line.startswith("k6:")] == []


def test_the_last_samples_are_written_before_sigterm_ends_the_session(
    pytester: pytest.Pytester, service: Service
) -> None:
    pytester.makepyfile(
        test_shop="""
        import pytest

        @pytest.mark.scenario(duration="1h")
        async def test_browse(vu):
            await vu.http.get("/", name="home")
            await vu.sleep(0.01)
        """
    )
    with start_pytest(pytester, service, "--k6-out=json=-", "-q") as process:
        assert process.stdout is not None
        first = next(line for line in process.stdout if '"http_reqs","type":"Point"' in line)
        process.send_signal(signal.SIGTERM)
        rest = [line for line in process.stdout if line.startswith("{")]

    assert json.loads(first)["data"]["tags"]["name"] == "home"
    assert all(json.loads(line) for line in rest)
    written = 1 + sum('"http_reqs","type":"Point"' in line for line in rest)
    assert written == len(service.paths)
