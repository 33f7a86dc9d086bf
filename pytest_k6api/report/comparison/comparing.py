"""A load test beside its baseline: what changed, by how much, and whether that is more than noise.

Numbers are computed from the samples of both, so they are as exact as the
baseline's file. Pure, save that the tests for noise import SciPy.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pytest_k6api.metrics import MetricTotal, measure, parse_aggregation
from pytest_k6api.model import PROTOCOLS, Contains, MetricKind
from pytest_k6api.report.comparison.noise import SIGNIFICANT, can_test, p_value
from pytest_k6api.report.comparison.rule import ComparisonRule
from pytest_k6api.report.files.results_file import Results
from pytest_k6api.report.text.units import NOTHING, format_per_second, format_share, format_value

# What is compared of each kind where no rule asks for more. A gauge's last value
# is what it was set to: VUs, as a rule.
_SHOWN: Mapping[MetricKind, tuple[str, ...]] = {
    MetricKind.COUNTER: ("rate",),
    MetricKind.GAUGE: (),
    MetricKind.RATE: ("rate",),
    MetricKind.TREND: ("avg", "med", "p(95)", "p(99)"),
}
# What is told where there is room for one line, beside what a rule is broken by.
_IN_ONE_LINE: Mapping[str, tuple[str, ...]] = {
    "http_reqs": ("rate",),
    "http_req_duration": ("p(95)",),
    **{protocol.failed.name: ("rate",) for protocol in PROTOCOLS},
}
_HIDDEN = frozenset(
    {
        "data_received",
        "data_sent",
        "group_duration",
        "http_req_blocked",
        "http_req_connecting",
        "http_req_tls_handshaking",
        "http_req_sending",
        "http_req_waiting",
        "http_req_receiving",
        "generator_lateness",
        "iteration_lateness",
    }
)

# k6's sub-metric that is always there.
_ASKED_BY_NOBODY = "http_req_duration{expected_response:true}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedNumber:
    """One number of one metric, before and now, in the metric's unit.

    Attributes:
        metric_id: The metric or sub-metric.
        stat: The number, such as ``p(95)``.
        kind: The metric's kind.
        contains: What the metric's numbers stand for.
        before: The baseline's.
        after: This load test's.
        p_value: The chance of a difference at least so large between two runs of
            the same thing; None where that was not tested.
        broken: The rule that says that this is too much worse; None if none does.
    """

    metric_id: str
    stat: str
    kind: MetricKind
    contains: Contains
    before: float
    after: float
    p_value: float | None = None
    broken: ComparisonRule | None = None

    @property
    def change_text(self) -> str:
        """The change in per cent: ``+4.9%``; empty where the baseline is 0 and this is not."""
        if self.before == self.after:
            return "="
        return f"{(self.after - self.before) / abs(self.before):+.1%}" if self.before else ""

    @property
    def noise_text(self) -> str:
        """Whether the change is more than noise, in words; empty where that was not tested."""
        if self.p_value is None or self.before == self.after:
            return ""
        chance = f"p={self.p_value:.2g}" if self.p_value >= 0.001 else "p<0.001"
        words = "more than noise" if self.p_value < SIGNIFICANT else "may be noise"
        return f"{words} ({chance})"

    def show(self, number: float) -> str:
        """Return `number` with its unit."""
        if self.kind is MetricKind.RATE and self.stat == "rate":
            return format_share(number)
        if self.kind is MetricKind.COUNTER and self.stat == "rate":
            return format_per_second(number, self.contains)
        return format_value(number, self.contains)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A load test beside its baseline.

    Attributes:
        title: What it was compared with.
        numbers: What both have, metric by metric.
        failures: Why it is too much worse, one sentence each.
        notes: What people should know of the comparison.
        timeline: The baseline second by second; None if it has none.
    """

    title: str
    numbers: tuple[ComparedNumber, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    timeline: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Earlier results that a load test is compared with, and how much worse it may be.

    Attributes:
        name: The name that they were saved under.
        results: The earlier results of this load test; None without any.
        rules: What may get worse, and by how much.
    """

    name: str
    results: Results | None
    rules: Sequence[ComparisonRule] = ()

    @property
    def metric_ids(self) -> list[str]:
        """The metrics and sub-metrics that the rules are about."""
        return [rule.metric_id for rule in self.rules]

    def compare(self, totals: Mapping[str, MetricTotal], elapsed: float) -> Comparison:
        """Return a load test beside the baseline.

        Args:
            totals: What it measured, with what the rules are about.
            elapsed: Seconds of test-run time.
        """
        if self.results is None:
            note = f"{self.name} has no results of this load test"
            return Comparison(title=self.name, notes=(note,))
        numbers = tuple(self._numbers(self.results, totals, elapsed))
        return Comparison(
            title=f"{self.name} ({_about(self.results)})",
            numbers=numbers,
            failures=tuple(self._failures(self.results, totals, numbers)),
            notes=tuple(_notes(self.results)),
            timeline=self.results.timeline,
        )

    def _numbers(
        self, baseline: Results, totals: Mapping[str, MetricTotal], elapsed: float
    ) -> Iterator[ComparedNumber]:
        tests = can_test()
        for metric_id, after in totals.items():
            before = baseline.total(metric_id)
            if before is None or not before.sink.count or not after.sink.count:
                continue
            for stat in self._stats(metric_id, after):
                question = parse_aggregation(stat, after.metric.kind)
                numbers = (
                    measure(before.sink, question, baseline.elapsed),
                    measure(after.sink, question, elapsed),
                )
                yield ComparedNumber(
                    metric_id=metric_id,
                    stat=stat,
                    kind=after.metric.kind,
                    contains=after.metric.contains,
                    before=numbers[0],
                    after=numbers[1],
                    p_value=p_value(before.sink, after.sink, question) if tests else None,
                    broken=self._broken_rule(metric_id, stat, *numbers),
                )

    def _stats(self, metric_id: str, total: MetricTotal) -> list[str]:
        is_hidden = total.metric.name in _HIDDEN or metric_id == _ASKED_BY_NOBODY
        shown = () if is_hidden else _SHOWN[total.metric.kind]
        asked = [rule.aggregation.text for rule in self.rules if rule.metric_id == metric_id]
        return list(dict.fromkeys([*shown, *asked]))

    def _broken_rule(
        self, metric_id: str, stat: str, before: float, after: float
    ) -> ComparisonRule | None:
        for rule in self.rules:
            is_about = rule.metric_id == metric_id and rule.aggregation.text == stat
            if is_about and rule.is_broken(before, after):
                return rule
        return None

    def _failures(
        self,
        baseline: Results,
        totals: Mapping[str, MetricTotal],
        numbers: Sequence[ComparedNumber],
    ) -> Iterator[str]:
        for number in numbers:
            if number.broken is not None:
                yield f"{_failure(number, number.broken)} {self.name}{_in_brackets(number)}"
        for metric_id in dict.fromkeys(self.metric_ids):
            had, has = baseline.total(metric_id), totals.get(metric_id)
            if had is not None and had.sink.count and (has is None or not has.sink.count):
                yield f"{metric_id} had no samples, so it cannot be compared with {self.name}"


def _failure(number: ComparedNumber, rule: ComparisonRule) -> str:
    verb = "grew" if rule.may_grow else "shrank"
    numbers = f"from {number.show(number.before)} to {number.show(number.after)}"
    return (
        f"{number.metric_id}: {number.stat} {verb} {numbers}, by more than {rule.limit_text}, since"
    )


def _in_brackets(number: ComparedNumber) -> str:
    change = [part for part in (number.change_text, number.noise_text) if part]
    return f" ({', '.join(change)})" if change else ""


def _about(baseline: Results) -> str:
    at = datetime.fromtimestamp(baseline.started_at, tz=UTC)
    facts = [baseline.outcome, f"{at:%Y-%m-%d %H:%M} UTC"]
    commit = baseline.environment.get("git_commit")
    return ", ".join([*facts, commit[:10]] if commit else facts)


def _notes(baseline: Results) -> Iterator[str]:
    if baseline.outcome != "passed":
        yield f"the baseline itself {'was ' if baseline.outcome == 'interrupted' else ''}{baseline.outcome}"
    if lost := baseline.lost_workers:
        yield f"the baseline lost {lost:,} worker{'s' if lost > 1 else ''}, with a part of its load"
    if not can_test():
        yield "whether changes are more than noise was not tested: that needs pytest-k6api[stats]"


def comparison_line(comparison: Comparison) -> str:
    """Return `comparison` in one line: the main numbers, and what is too much worse."""
    changes = [
        f"{'✗ ' if number.broken else ''}{number.metric_id} {number.stat}"
        f" {number.show(number.after)} ({number.change_text or NOTHING})"
        for number in sorted(comparison.numbers, key=_place_in_line)
        if number.broken or number.stat in _IN_ONE_LINE.get(number.metric_id, ())
    ]
    return f"compared with {comparison.title}: {', '.join(changes or comparison.notes) or NOTHING}"


def _place_in_line(number: ComparedNumber) -> int:
    # As in the line of the summary above it.
    names = list(_IN_ONE_LINE)
    return names.index(number.metric_id) if number.metric_id in names else len(names)


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return `comparison` as lines for a terminal, the first of them a heading."""
    return [
        f"COMPARED WITH {comparison.title}",
        *_aligned([_cells(number) for number in _named_once(comparison.numbers)]),
        *(f"✗ {failure}" for failure in comparison.failures),
        *(f"! {note}" for note in comparison.notes),
    ]


def _named_once(numbers: Sequence[ComparedNumber]) -> Iterator[tuple[str, ComparedNumber]]:
    last = ""
    for number in numbers:
        yield ("" if number.metric_id == last else number.metric_id), number
        last = number.metric_id


def _cells(named: tuple[str, ComparedNumber]) -> list[str]:
    name, number = named
    return [
        name,
        number.stat,
        number.show(number.before),
        f"→ {number.show(number.after)}",
        number.change_text,
        number.noise_text,
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()
