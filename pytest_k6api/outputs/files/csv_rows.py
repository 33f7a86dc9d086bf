"""k6's CSV output: one row for each sample, with a column for each of k6's system tags.

Source: k6 v1.1.0, ``output/csv/output.go`` and ``metrics/system_tag.go``.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO

from pytest_k6api.metrics import SampleBatch, Series
from pytest_k6api.outputs.base import OutputContext, OutputError, open_nothing
from pytest_k6api.outputs.files.columns import LineFormat
from pytest_k6api.outputs.files.line_target import LineTarget
from pytest_k6api.outputs.files.timestamps import TIME_FORMATS, TimeColumn
from pytest_k6api.outputs.per_series import PerSeries
from pytest_k6api.outputs.queued import QueuedOutput
from pytest_k6api.outputs.variables import Variables

TAG_COLUMNS = (
    "check", "error", "error_code", "expected_response", "group", "method", "name", "proto",
    "scenario", "service", "status", "subproto", "tls_version", "url",
)  # fmt: skip
"""k6's default system tags, in the order of its columns."""

_FORMAT = LineFormat(",", "{:f}".format)

HEADER = ("metric_name", "timestamp", "metric_value", *TAG_COLUMNS, "extra_tags", "metadata")


class CsvWriter:
    """Writes samples as k6's CSV; a `Writer`.

    Args:
        path: See `LineTarget`.
        time_format: ``unix``, ``unix_milli``, ``unix_micro``, ``unix_nano``, ``rfc3339`` or
            ``rfc3339_nano``.
        open_stdout: Opens the standard output.
    """

    def __init__(
        self,
        path: str,
        time_format: str = "unix",
        open_stdout: Callable[[], BinaryIO] = open_nothing,
    ) -> None:
        if time_format not in TIME_FORMATS:
            known = ", ".join(TIME_FORMATS)
            raise OutputError(f"cannot write times as {time_format!r}; write one of {known}")
        self._target = LineTarget(path, open_stdout)
        self._format_time = TIME_FORMATS[time_format]
        self._frames = PerSeries(_frame)

    def open(self) -> None:
        """Open the file, and write the header."""
        self._target.open()
        self._target.write(_row(HEADER))

    def write(self, batches: Sequence[SampleBatch]) -> None:
        """Append a row for each sample."""
        for batch in batches:
            times = TimeColumn.of(self._format_time)
            for series in batch.series:
                self._target.write(self._rows(series, times.texts(series.times_us)))
        self._target.flush()

    def close(self) -> None:
        """Close the file."""
        self._target.close()

    def _rows(self, series: Series, times: Sequence[str]) -> str:
        head, tail = self._frames.of(series)
        known = series.metadata
        if not known:
            return _FORMAT.lines(head, times, series.values, tail)
        # Their values are numbers: nothing has to be quoted.
        own = tail.removesuffix("\n")
        ends = [f"{own}{_pairs(each)}\n" for each in known]
        return _FORMAT.lines_with_ends(head, times, series.values, ends)


def _frame(series: Series) -> tuple[str, str]:
    """Return what stands before the time and behind the number of each row."""
    tags = series.tags
    extra = sorted(name for name in tags if name not in TAG_COLUMNS)
    columns = [tags.get(name, "") for name in TAG_COLUMNS]
    tail = _row([*columns, _pairs({name: tags[name] for name in extra}), ""])
    return f"{series.metric},", f",{tail}"


def _pairs(named: Mapping[str, str]) -> str:
    return "&".join(f"{name}={text}" for name, text in named.items())


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def csv_output(context: OutputContext) -> QueuedOutput:
    """Return the output ``csv`` as its target and k6's variables want it.

    Raises:
        OutputError: One of them cannot be used.
    """
    variables = Variables("K6_CSV_", context.environment)
    time_format = variables.text("TIME_FORMAT", "unix")
    writer = CsvWriter(context.target, time_format, context.open_stdout)
    return QueuedOutput("csv", writer)
