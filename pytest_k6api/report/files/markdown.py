"""The results of a load test as Markdown, for the summary page of a CI run. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from pytest_k6api.metrics import MetricSnapshot, Snapshot
from pytest_k6api.model import PROTOCOLS, MetricKind, printable
from pytest_k6api.report.comparison.comparing import Comparison
from pytest_k6api.report.text.requests_table import slowest_rows
from pytest_k6api.report.text.threshold_text import observed_text
from pytest_k6api.report.text.units import (
    format_count,
    format_per_second,
    format_share,
    format_value,
)

_TREND = ("avg", "med", "p(95)", "max")


def markdown_summary(
    name: str,
    outcome: str,
    snapshot: Snapshot,
    reasons: Sequence[str] = (),
    comparison: Comparison | None = None,
    *,
    requests: Sequence[Sequence[Sequence[str]]] = (),
) -> str:
    """Return the section about one load test, with a line feed at its end.

    Args:
        name: The pytest node id.
        outcome: ``passed``, ``failed`` or ``interrupted``.
        snapshot: What was measured.
        reasons: Why it failed, one sentence each.
        comparison: It beside its baseline, if there is one.
        requests: Tables of requests by name, the head of each first; see `request_tables`.
    """
    mark = "✅" if outcome == "passed" else "❌"
    lines = [f"### {mark} {_text(name)}: {outcome}, {snapshot.elapsed:.1f} s", ""]
    if reasons:
        lines += [*(f"- {_text(reason)}" for reason in reasons), ""]
    if snapshot.warnings:
        lines += [*(f"- ⚠️ {_text(warning)}" for warning in snapshot.warnings), ""]
    lines += [*_table(_threshold_rows(snapshot)), *_table(_metric_rows(snapshot))]
    for table in requests:
        lines += _table(table)
    lines += _table(slowest_rows(snapshot.slowest, "")) if snapshot.slowest else []
    if comparison is not None:
        lines += [f"Compared with {_text(comparison.title)}:", ""]
        lines += _table(_comparison_rows(comparison))
        lines += [*(f"- {_text(note)}" for note in comparison.notes), ""]
    return "\n".join(lines).rstrip() + "\n\n"


def _threshold_rows(snapshot: Snapshot) -> Iterator[Sequence[str]]:
    yield "", "Threshold", "Observed"
    for metric in snapshot.metrics.values():
        for threshold in metric.thresholds:
            mark = {None: "", True: "✅", False: "❌"}[threshold.ok]
            yield mark, f"{metric.id}: {threshold.text}", observed_text(threshold, metric)


def _metric_rows(snapshot: Snapshot) -> Iterator[Sequence[str]]:
    yield "Metric", "Result"
    counted = [protocol.counted.name for protocol in PROTOCOLS]
    for name in (*counted, "iterations"):
        counter = _measured(snapshot, name)
        if counter is not None and counter.kind is MetricKind.COUNTER:
            rate = format_per_second(counter.sample["rate"])
            yield name, f"{format_count(counter.sample['count'])}, {rate}"
    for name in (*(protocol.failed.name for protocol in PROTOCOLS), "checks"):
        if share := _measured(snapshot, name):
            yield name, format_share(share.sample["rate"])
    for name in (*(protocol.duration.name for protocol in PROTOCOLS), "iteration_duration"):
        if trend := _measured(snapshot, name):
            numbers = (
                f"{stat}={format_value(trend.sample[stat], trend.contains)}" for stat in _TREND
            )
            yield name, " ".join(numbers)


def _measured(snapshot: Snapshot, name: str) -> MetricSnapshot | None:
    # A threshold lists its metric, samples or none.
    metric = snapshot.metrics.get(name)
    return metric if metric is not None and metric.samples else None


def _comparison_rows(comparison: Comparison) -> Iterator[Sequence[str]]:
    yield "", "Metric", "", "Baseline", "Now", "Change", "Noise"
    for number in comparison.numbers:
        yield (
            "❌" if number.broken else "",
            number.metric_id,
            number.stat,
            number.show(number.before),
            number.show(number.after),
            number.change_text,
            number.noise_text,
        )


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return `rows` as a table, the first of them as its head; nothing if that is all."""
    head, *body = rows
    if not body:
        return []
    lines = [head, ["---"] * len(head), *body]
    return [*(f"| {' | '.join(map(_text, line))} |" for line in lines), ""]


def _text(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, in one line."""
    text = printable(text.replace("\n", " "))
    for letter in "\\`*_<>|[]":
        text = text.replace(letter, f"\\{letter}")
    return text
