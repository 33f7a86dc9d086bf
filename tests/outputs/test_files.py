"""Files of samples: k6's JSON lines and k6's CSV."""

import csv
import gzip
import json
import os

import pytest

from pytest_k6api.metrics import SampleBatch, Series, parse_thresholds
from pytest_k6api.model import BUILT_IN, Contains, MetricKind
from pytest_k6api.outputs import CsvWriter, JsonLinesWriter, OutputError

AT_US = 1_795_815_209_200_147  # 2026-11-27T21:33:29.200147Z


def batch(*series: Series) -> SampleBatch:
    return SampleBatch(at=AT_US / 1e6, elapsed=0.2, series=series)


def duration(*values: float, **tags: str) -> Series:
    return Series(
        metric="http_req_duration",
        kind=MetricKind.TREND,
        contains=Contains.TIME,
        tags=tags,
        values=values,
        times_us=tuple(AT_US + 1000 * number for number in range(len(values))),
    )


def write(writer, *batches):
    writer.open()
    for each in batches:
        writer.write([each])
    writer.close()


def test_json_lines_are_those_of_k6(tmp_path):
    path = tmp_path / "run.json"
    thresholds = parse_thresholds(
        {
            "http_req_duration": ["p(95)<500", "avg<100"],
            "http_req_duration{name:home}": ["max<900"],
        },
        {metric.name: metric for metric in BUILT_IN},
    )

    write(
        JsonLinesWriter(str(path), thresholds),
        batch(duration(22.664786, 1.0, name="home", group='::g "q"')),
    )

    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "type": "Metric",
            "data": {
                "name": "http_req_duration",
                "type": "trend",
                "contains": "time",
                "thresholds": ["p(95)<500", "avg<100"],
                "submetrics": [
                    {
                        "name": "http_req_duration{name:home}",
                        "suffix": "name:home",
                        "tags": {"name": "home"},
                    }
                ],
            },
            "metric": "http_req_duration",
        },
        {
            "metric": "http_req_duration",
            "type": "Point",
            "data": {
                "time": "2026-11-27T21:33:29.200147Z",
                "value": 22.664786,
                "tags": {"group": '::g "q"', "name": "home"},
            },
        },
        {
            "metric": "http_req_duration",
            "type": "Point",
            "data": {
                "time": "2026-11-27T21:33:29.201147Z",
                "value": 1.0,
                "tags": {"group": '::g "q"', "name": "home"},
            },
        },
    ]


def test_a_metric_without_thresholds_has_an_empty_list_and_no_submetrics(tmp_path):
    path = tmp_path / "run.json"

    write(JsonLinesWriter(str(path)), batch(duration(1.5)))

    described = json.loads(path.read_text().splitlines()[0])
    assert (described["data"]["thresholds"], described["data"]["submetrics"]) == ([], None)


def test_a_metric_is_described_once(tmp_path):
    path = tmp_path / "run.json"

    write(JsonLinesWriter(str(path)), batch(duration(1.0)), batch(duration(2.0)))

    types = [json.loads(line)["type"] for line in path.read_text().splitlines()]
    assert types == ["Metric", "Point", "Point"]


def test_a_name_that_ends_with_gz_is_compressed_and_folders_are_made(tmp_path):
    path = tmp_path / "new" / "run.json.gz"

    write(JsonLinesWriter(str(path)), batch(duration(1.0)))

    with gzip.open(path, "rt") as lines:
        assert [json.loads(line)["type"] for line in lines] == ["Metric", "Point"]


def test_a_dash_is_the_standard_output(tmp_path):
    stdout = tmp_path / "stdout"

    write(JsonLinesWriter("-", open_stdout=lambda: stdout.open("wb")), batch(duration(1.0)))

    lines = stdout.read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["Metric", "Point"]


def test_files_that_surely_cannot_be_written_are_refused_when_they_are_named(tmp_path):
    (tmp_path / "file").touch()

    for path, text in (
        (tmp_path, f"{tmp_path} is a folder; name a file in it, such as {tmp_path}/run.json"),
        (
            tmp_path / "file" / "run.json",
            f"{tmp_path}/file/run.json cannot be written: {tmp_path}/file is not a folder",
        ),
    ):
        with pytest.raises(OutputError) as caught:
            JsonLinesWriter(str(path))
        assert str(caught.value) == text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path):
    tmp_path.chmod(0o500)

    with pytest.raises(OutputError) as caught:
        JsonLinesWriter(str(tmp_path / "run.json"))

    assert str(caught.value) == (
        f"{tmp_path}/run.json cannot be written: permission denied in {tmp_path}"
    )


def test_a_full_disk_is_an_error_of_the_system():
    writer = JsonLinesWriter("/dev/full")
    writer.open()

    with pytest.raises(OSError, match="No space left on device"):
        writer.write([batch(duration(1.0))])
    with pytest.raises(OSError, match="No space left on device"):
        writer.close()


def test_rows_of_csv_are_those_of_k6(tmp_path):
    path = tmp_path / "run.csv"

    write(
        CsvWriter(str(path)),
        batch(duration(22.664786, name="home", group='::g "q"', run="a b", my="x,y&z=1")),
    )

    with path.open(newline="") as file:
        header, row = csv.reader(file)
    assert header == [
        *("metric_name", "timestamp", "metric_value", "check", "error", "error_code"),
        *("expected_response", "group", "method", "name", "proto", "scenario", "service"),
        *("status", "subproto", "tls_version", "url", "extra_tags", "metadata"),
    ]
    assert row == [
        *("http_req_duration", "1795815209", "22.664786", "", "", "", "", '::g "q"', "", "home"),
        *("", "", "", "", "", "", "", "my=x,y&z=1&run=a b", ""),
    ]


@pytest.mark.parametrize("name", ["run.json", "run.json.gz"])
def test_a_file_that_another_output_writes_is_left_alone(tmp_path, name):
    path = tmp_path / name
    first, second = JsonLinesWriter(str(path)), JsonLinesWriter(str(path))
    first.open()
    first.write([batch(duration(1.0))])

    with pytest.raises(OutputError) as caught:
        second.open()
    first.write([batch(duration(2.0))])
    first.close()

    assert str(caught.value) == (
        f"{path} is being written by another process or output; name another file"
    )
    written = path.read_bytes() if name == "run.json" else gzip.decompress(path.read_bytes())
    assert written.count(b'"type":"Point"') == 2
    second.open()
    second.close()
    assert path.stat().st_size < 100


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("unix", "1795815209"),
        ("unix_milli", "1795815209200"),
        ("unix_micro", "1795815209200147"),
        ("unix_nano", "1795815209200147000"),
        ("rfc3339", "2026-11-27T21:33:29Z"),
        ("rfc3339_nano", "2026-11-27T21:33:29.200147Z"),
    ],
)
def test_times_in_csv_have_the_format_that_was_asked_for(tmp_path, time_format, text):
    path = tmp_path / "run.csv"

    write(CsvWriter(str(path), time_format), batch(duration(1.0)))

    assert path.read_text().splitlines()[1].startswith(f"http_req_duration,{text},1.000000,")


def test_a_format_of_time_that_is_not_known_is_refused():
    with pytest.raises(OutputError) as caught:
        CsvWriter("run.csv", "iso")

    assert str(caught.value) == (
        "cannot write times as 'iso'; write one of unix, unix_milli, unix_micro, unix_nano,"
        " rfc3339, rfc3339_nano"
    )
