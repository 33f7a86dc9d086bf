"""The end-of-test summary as lines of text, in the spirit of k6's.

Thresholds and checks first, because they decide; then the metrics in groups,
aligned. Plain text, without colours.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

from pytest_k6api.metrics import (
    GroupSnapshot,
    MetricSnapshot,
    RequestsRow,
    Snapshot,
)
from pytest_k6api.model import BUILT_IN, PROTOCOLS, Contains, MetricKind, ProtocolMetrics
from pytest_k6api.report.text.requests_table import request_lines, slowest_lines
from pytest_k6api.report.text.threshold_text import observed_text
from pytest_k6api.report.text.units import (
    NOTHING,
    format_count,
    format_per_second,
    format_share,
    format_value,
)

_TREND = ("avg", "min", "med", "max", "p(90)", "p(95)")

# Sub-phases of requests are in the export and the API; here they would bury the rest.
_HIDDEN = frozenset(
    {
        "checks",
        "group_duration",
        "http_req_blocked",
        "http_req_connecting",
        "http_req_tls_handshaking",
        "http_req_sending",
        "http_req_waiting",
        "http_req_receiving",
    }
)
_EXECUTION = frozenset(
    {
        "iterations",
        "iteration_duration",
        "iteration_failures",
        "iteration_lateness",
        "iterations_skipped",
        "dropped_iterations",
        "generator_lateness",
        "response_time_from_due",
        "vus",
        "vus_max",
    }
)
# The titles of built-in metrics, by how their names begin.
_TITLES = {protocol.prefix: protocol.title for protocol in PROTOCOLS}

_PLACES = {metric.name: place for place, metric in enumerate(BUILT_IN)}


def summary_lines(
    snapshot: Snapshot, requests: Sequence[RequestsRow] = (), target: str = ""
) -> list[str]:
    """Return the summary of a load test, line by line, without outer margins.

    Args:
        snapshot: What was measured.
        requests: The requests by name.
        target: What relative URLs are joined to; names of requests leave it out.
    """
    by_name = {
        protocol.title: request_lines(list(rows), target)
        for protocol, rows in groupby(requests, key=lambda row: row.protocol)
    }
    sections = [
        _threshold_lines(snapshot),
        _check_lines(snapshot),
        *_metric_sections(snapshot, by_name),
        slowest_lines(snapshot.slowest, target),
        [f"! {warning}" for warning in snapshot.warnings],
    ]
    lines: list[str] = []
    for section in filter(None, sections):
        lines += ["", *section] if lines else section
    return lines


def summary_line(snapshot: Snapshot) -> str:
    """Return the main numbers of `snapshot` in one line; empty while nothing was measured."""
    return ", ".join(_main_numbers(snapshot))


def _main_numbers(snapshot: Snapshot) -> Iterator[str]:
    for name, text_of in _IN_ONE_LINE:
        metric = snapshot.metrics.get(name)
        if metric is not None and metric.samples:
            yield text_of(metric)


_Text = Callable[[MetricSnapshot], str]


def _counted(noun: str, plural: str, metric: MetricSnapshot) -> str:
    return f"{format_count(metric.samples)} {noun if metric.samples == 1 else plural}"


def _share(what: str, metric: MetricSnapshot) -> str:
    return f"{format_share(metric.sample['rate'])} of {what}"


def _p95(metric: MetricSnapshot) -> str:
    return f"p(95)={format_value(metric.sample['p(95)'], metric.contains)}"


def _of_protocol(protocol: ProtocolMetrics) -> Iterator[tuple[str, _Text]]:
    plural = f"{protocol.noun}s"
    yield protocol.counted.name, partial(_counted, protocol.noun, plural)
    if protocol.counted.kind is MetricKind.COUNTER:
        yield protocol.counted.name, lambda metric: format_per_second(metric.sample["rate"])
    yield protocol.duration.name, _p95
    yield protocol.failed.name, partial(_share, f"{plural} failed")


_IN_ONE_LINE: tuple[tuple[str, _Text], ...] = (
    ("iterations", partial(_counted, "iteration", "iterations")),
    *(entry for protocol in PROTOCOLS for entry in _of_protocol(protocol)),
    ("http_req_retries", partial(_counted, "retry", "retries")),
    ("checks", partial(_share, "checks succeeded")),
)


def _threshold_lines(snapshot: Snapshot) -> list[str]:
    lines = []
    for metric in snapshot.metrics.values():
        if not metric.thresholds:
            continue
        lines.append(f"  {metric.id}")
        width = max(len(threshold.text) for threshold in metric.thresholds)
        for threshold in metric.thresholds:
            observed = observed_text(threshold, metric)
            lines.append(f"    {_mark(threshold.ok)} {threshold.text:<{width}}  {observed}")
    return ["THRESHOLDS", *lines] if lines else []


def _mark(ok: bool | None) -> str:
    return "-" if ok is None else "✓" if ok else "✗"


def _check_lines(snapshot: Snapshot) -> list[str]:
    lines = list(_group_lines(snapshot.root, depth=1))
    if not lines:
        return []
    checks = [check for group in snapshot.root.walk() for check in group.checks]
    passes = sum(check.passes for check in checks)
    total = passes + sum(check.fails for check in checks)
    share = f" ({format_share(passes / total)})" if total else ""
    return [f"CHECKS  {format_count(passes)} of {format_count(total)} succeeded{share}", *lines]


def _group_lines(group: GroupSnapshot, depth: int) -> Iterator[str]:
    margin = "  " * depth
    for check in group.checks:
        yield f"{margin}{'✗' if check.fails else '✓'} {check.name}"
        if check.fails:
            share = format_share(check.passes / (check.passes + check.fails))
            counts = f"✓ {format_count(check.passes)} / ✗ {format_count(check.fails)}"
            yield f"{margin}  ↳ {share} — {counts}"
    for inner in group.groups:
        lines = list(_group_lines(inner, depth + 1))
        if lines:
            yield f"{margin}{inner.name}"
            yield from lines


def _metric_sections(snapshot: Snapshot, by_name: Mapping[str, list[str]]) -> Iterator[list[str]]:
    shown = [metric for metric in snapshot.metrics.values() if metric.name not in _HIDDEN]
    metrics = sorted(shown, key=_place)
    width = max((len(_label(metric)) for metric in metrics), default=0) + 3
    for title in ("CUSTOM", *_TITLES.values(), "EXECUTION", "NETWORK"):
        chosen = [metric for metric in metrics if _section(metric) == title]
        if chosen:
            yield [title, *_aligned(chosen, width)]
        yield by_name.get(title, [])


def metric_texts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield the id of each metric with its numbers as text; without checks, which groups have."""
    for metric in sorted(snapshot.metrics.values(), key=_place):
        if metric.name != "checks" and (metric.samples or metric.kind is MetricKind.COUNTER):
            yield metric.id, ", ".join(_cells(metric))


def _place(metric: MetricSnapshot) -> tuple[int, str]:
    # Always the same order, whatever was measured first; a metric before its parts.
    return _PLACES.get(metric.name, -1), metric.id


def _section(metric: MetricSnapshot) -> str:
    if metric.name in _EXECUTION:
        return "EXECUTION"
    if metric.name in {"data_sent", "data_received"}:
        return "NETWORK"
    for prefix, title in _TITLES.items():
        if metric.name in _PLACES and metric.name.startswith(prefix):
            return title
    return "CUSTOM"


def _aligned(metrics: Sequence[MetricSnapshot], width: int) -> Iterator[str]:
    columns = [_cells(metric) for metric in metrics]
    trends = [cells for metric, cells in zip(metrics, columns, strict=True) if _is_wide(metric)]
    widths = [max(map(len, column)) for column in zip(*trends, strict=True)]
    for metric, cells in zip(metrics, columns, strict=True):
        label = _label(metric)
        yield f"  {label:.<{width}}: {_row(metric, cells, widths)}".rstrip()


def _row(metric: MetricSnapshot, cells: Iterable[str], widths: Sequence[int]) -> str:
    if not _is_wide(metric):
        return "  ".join(cells)
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))


def _is_wide(metric: MetricSnapshot) -> bool:
    return metric.kind is MetricKind.TREND and metric.samples > 0


def _label(metric: MetricSnapshot) -> str:
    if metric.id == metric.name:
        return metric.name
    return f"  {metric.id.removeprefix(metric.name)}"


def _cells(metric: MetricSnapshot) -> list[str]:
    sample, extra = metric.sample, metric.extra
    if not metric.samples and metric.kind is not MetricKind.COUNTER:
        return [NOTHING]
    if metric.kind is MetricKind.TREND:
        return [f"{word}={format_value(sample[word], metric.contains)}" for word in _TREND]
    if metric.kind is MetricKind.RATE:
        total = extra["passes"] + extra["fails"]
        of_all = f"{format_count(extra['passes'])} out of {format_count(total)}"
        return [format_share(sample["rate"]), of_all]
    if metric.kind is MetricKind.GAUGE:
        return [
            format_value(sample["value"], metric.contains),
            f"min={format_value(extra['min'], metric.contains)}",
            f"max={format_value(extra['max'], metric.contains)}",
        ]
    data = metric.contains is Contains.DATA
    count = (
        format_value(sample["count"], metric.contains) if data else format_count(sample["count"])
    )
    return [count, format_per_second(sample["rate"], metric.contains)]
