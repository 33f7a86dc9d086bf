"""k6's JSON output: a line for each metric before its first sample, and a line for each sample.

What reads the files of ``k6 run --out json=FILE`` reads these. Everything that a series
repeats is made once (``benchmarks/bench_outputs.py`` has the figures).

Source: k6 v1.1.0, ``output/json/json.go`` and ``output/json/wrapper.go``.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO

from pytest_k6api.metrics import SampleBatch, Series, Threshold
from pytest_k6api.outputs.base import OutputContext, open_nothing
from pytest_k6api.outputs.files.columns import LineFormat
from pytest_k6api.outputs.files.line_target import LineTarget
from pytest_k6api.outputs.files.timestamps import TimeColumn, rfc3339
from pytest_k6api.outputs.per_series import PerSeries
from pytest_k6api.outputs.queued import QueuedOutput

_FORMAT = LineFormat('","value":', repr)
_END = "}}\n"


class JsonLinesWriter:
    """Writes samples as k6's JSON lines; a `Writer`.

    Args:
        path: See `LineTarget`.
        thresholds: The load test's; a metric's line lists those on it, and its sub-metrics.
        open_stdout: Opens the standard output.
    """

    def __init__(
        self,
        path: str,
        thresholds: Iterable[Threshold] = (),
        open_stdout: Callable[[], BinaryIO] = open_nothing,
    ) -> None:
        self._target = LineTarget(path, open_stdout)
        self._thresholds = tuple(thresholds)
        self._described: set[str] = set()
        self._frames = PerSeries(_frame)

    def open(self) -> None:
        """Open the file."""
        self._target.open()

    def write(self, batches: Sequence[SampleBatch]) -> None:
        """Append a line for each sample."""
        for batch in batches:
            times = TimeColumn.of(rfc3339)
            for series in batch.series:
                if series.metric not in self._described:
                    self._described.add(series.metric)
                    self._target.write(self._metric_line(series))
                self._target.write(self._points(series, times.texts(series.times_us)))
        self._target.flush()

    def close(self) -> None:
        """Close the file."""
        self._target.close()

    def _points(self, series: Series, times: Sequence[str]) -> str:
        head, tail = self._frames.of(series)
        known = series.metadata
        if not known:
            return _FORMAT.lines(head, times, series.values, tail)
        own = tail.removesuffix(_END)
        ends = [f"{own}{_metadata(each)}{_END}" for each in known]
        return _FORMAT.lines_with_ends(head, times, series.values, ends)

    def _metric_line(self, series: Series) -> str:
        on_it = [each for each in self._thresholds if each.metric.name == series.metric]
        filters = dict.fromkeys(each.filter for each in on_it if each.filter is not None)
        data = {
            "name": series.metric,
            "type": series.kind.value,
            "contains": series.contains.value,
            "thresholds": [_threshold(each) for each in on_it if each.filter is None],
            "submetrics": [
                {
                    "name": f"{series.metric}{{{tag_filter.text}}}",
                    "suffix": tag_filter.text,
                    "tags": dict(tag_filter.pairs),
                }
                for tag_filter in filters
            ]
            or None,
        }
        line = {"type": "Metric", "data": data, "metric": series.metric}
        return f"{_json(line)}\n"


def _frame(series: Series) -> tuple[str, str]:
    """Return what stands before the time and behind the number of each line."""
    name, tags = _json(series.metric), _json(dict(sorted(series.tags.items())))
    return f'{{"metric":{name},"type":"Point","data":{{"time":"', f',"tags":{tags}{_END}'


def _threshold(threshold: Threshold) -> object:
    """Return `threshold` as k6's option holds it: its text, or an object if it may abort."""
    if not threshold.abort_on_fail:
        return threshold.source
    delay = threshold.delay_abort_eval
    return {
        "threshold": threshold.source,
        "abortOnFail": True,
        "delayAbortEval": None if delay is None else f"{delay:g}s",
    }


def _metadata(known: Mapping[str, str]) -> str:
    return f',"metadata":{_json(known)}' if known else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_output(context: OutputContext) -> QueuedOutput:
    """Return the output ``json``.

    Raises:
        OutputError: The target cannot be written.
    """
    writer = JsonLinesWriter(context.target, context.thresholds, context.open_stdout)
    return QueuedOutput("json", writer)
