"""Results of load tests, as the fixture ``k6`` returns them.

Every value has a ``repr`` with its numbers, so that a failed
``assert k6.metrics["http_req_duration"].p(95) < 200`` explains itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pytest_k6api.model import K6ApiError, MetricKind
from pytest_k6api.plugin.collection.thresholds import known_metrics

if TYPE_CHECKING:
    from pytest_k6api.metrics import (
        CheckSnapshot,
        GroupSnapshot,
        MetricSnapshot,
        Point,
        ThresholdSnapshot,
    )
    from pytest_k6api.run import RunResults


class ResultError(K6ApiError, LookupError):
    """The results do not have this value; the text lists the values that they have."""


class FinishedLoadTest(Protocol):
    """The part of a load test that results are read from."""

    @property
    def name(self) -> str:
        """The pytest node id."""

    @property
    def outcome(self) -> str | None:
        """``passed``, ``failed`` or ``interrupted``; None before its end."""

    @property
    def results(self) -> "RunResults":
        """Its results."""


class MetricResult:
    """One metric of a load test, or the part of it that has certain tags.

    Numbers are in the metric's unit: milliseconds, bytes, or plain. A number that
    this kind of metric does not have raises `ResultError`.
    """

    def __init__(self, load_test: FinishedLoadTest, metric: "MetricSnapshot") -> None:
        self._load_test = load_test
        self._metric = metric

    @property
    def id(self) -> str:
        """The metric's name with the tag filter."""
        return self._metric.id

    @property
    def kind(self) -> MetricKind:
        """Counter, gauge, rate or trend."""
        return self._metric.kind

    @property
    def samples(self) -> int:
        """The number of samples."""
        return self._metric.samples

    def p(self, rank: float) -> float:
        """Return the value that `rank` per cent of a trend's samples do not exceed.

        Exact, and in the metric's unit, such as milliseconds; see the reference of
        metrics for how it is interpolated.

        Args:
            rank: Percentage in [0, 100]; 50 is the median.

        Raises:
            ResultError: This is no trend, or `rank` is outside [0, 100].
        """
        return self._ask(f"p({rank:.15g})")

    @property
    def avg(self) -> float:
        """The mean of a trend."""
        return self._ask("avg")

    @property
    def min(self) -> float:
        """The smallest value of a trend or gauge."""
        return self._ask("min")

    @property
    def med(self) -> float:
        """The median of a trend."""
        return self._ask("med")

    @property
    def max(self) -> float:
        """The largest value of a trend or gauge."""
        return self._ask("max")

    @property
    def count(self) -> float:
        """The sum of a counter, or the number of values of a trend."""
        return self._ask("count")

    @property
    def rate(self) -> float:
        """The share of non-zero samples of a rate, or a counter per second."""
        return self._ask("rate")

    @property
    def value(self) -> float:
        """The last value of a gauge."""
        return self._ask("value")

    @property
    def passes(self) -> int:
        """The number of non-zero samples of a rate."""
        return int(self._ask("passes"))

    @property
    def fails(self) -> int:
        """The number of zero samples of a rate."""
        return int(self._ask("fails"))

    @property
    def per_second(self) -> "tuple[Point, ...]":
        """The metric second by second, for five metrics.

        They are ``http_reqs``, ``http_req_failed``, ``http_req_duration``,
        ``iterations`` and ``vus``, each without a tag filter. A point has `second`,
        `seconds` (its length), `count`, `value` (a counter per second, the
        share of a rate, the mean of a trend, the last of a gauge) and `max`. A load
        test of more than an hour has points of two seconds, then of four, and so on.
        The last point may be shorter.
        """
        points = self._load_test.results.timeline(self.id)
        if points is None:
            from pytest_k6api.metrics import KEPT_BY_SECOND

            raise ResultError(
                f"{self.id} is not kept by the second; {', '.join(sorted(KEPT_BY_SECOND))} are"
            )
        return points

    @property
    def thresholds(self) -> "tuple[ThresholdSnapshot, ...]":
        """The thresholds on exactly this metric and filter."""
        return self._metric.thresholds

    def _ask(self, stat: str) -> float:
        for known in (self._metric.sample, self._metric.extra):
            if stat in known:
                return known[stat]
        try:
            metric = self._load_test.results.query(self.id, (stat,))
        except K6ApiError as error:
            raise ResultError(str(error)) from None
        if metric is None:
            raise ResultError(f"{self.id} has no sample")
        return metric.extra[stat]

    def __repr__(self) -> str:
        numbers = {**self._metric.sample, **self._metric.extra}
        shown = " ".join(f"{name}={number:.6g}" for name, number in numbers.items())
        return f"<{self.kind.value} {self.id}: {shown}>"


class Metrics(Mapping[str, MetricResult]):
    """The metrics of a load test by name, or by name and tags: ``http_reqs{status:200}``."""

    def __init__(self, load_test: FinishedLoadTest) -> None:
        self._load_test = load_test

    def __getitem__(self, metric_id: str) -> MetricResult:
        metric = self._load_test.results.query(metric_id) or _counted_nothing(metric_id)
        if metric is None:
            names = ", ".join(self)
            raise ResultError(
                f"{self._load_test.name} has no sample of {metric_id!r}; it has {names}"
            )
        return MetricResult(self._load_test, metric)

    def __contains__(self, metric_id: object) -> bool:
        return isinstance(metric_id, str) and self._load_test.results.query(metric_id) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._load_test.results.snapshot.metrics)

    def __len__(self) -> int:
        return len(self._load_test.results.snapshot.metrics)

    def __repr__(self) -> str:
        return f"<metrics of {self._load_test.name}: {', '.join(self)}>"


def _counted_nothing(metric_id: str) -> "MetricSnapshot | None":
    """Return a counter without samples, which is 0, as for thresholds."""
    from pytest_k6api.metrics import MetricSnapshot, parse_metric_id

    name, _ = parse_metric_id(metric_id)
    metric = known_metrics().get(name)
    if metric is None or metric.kind is not MetricKind.COUNTER:
        return None
    return MetricSnapshot(
        id=metric_id,
        name=name,
        kind=metric.kind,
        contains=metric.contains,
        sample={"count": 0.0, "rate": 0.0},
        extra={},
        samples=0,
    )


class LoadTestResults:
    """The results of one load test, from its first to its last second.

    Dicts have no entry for groups and checks that never ran, except for the root of the
    groups. In `metrics` a counter without samples is 0, and any other metric without
    samples raises `ResultError`.
    """

    def __init__(self, load_test: FinishedLoadTest) -> None:
        self._load_test = load_test

    @property
    def name(self) -> str:
        """The pytest node id of the load test."""
        return self._load_test.name

    @property
    def outcome(self) -> str | None:
        """``passed``, ``failed`` or ``interrupted``."""
        return self._load_test.outcome

    @property
    def elapsed(self) -> float:
        """Seconds of test-run time, pauses not counted."""
        return self._load_test.results.snapshot.elapsed

    @property
    def metrics(self) -> Metrics:
        """The metrics, by name with or without a tag filter."""
        return Metrics(self._load_test)

    @property
    def groups(self) -> "dict[str, GroupSnapshot]":
        """The groups by path, such as ``::visit homepage``; the root is ``""``."""
        return {group.path: group for group in self._load_test.results.snapshot.root.walk()}

    @property
    def checks(self) -> "dict[str, CheckSnapshot]":
        """The checks by path, such as ``::visit homepage::status is 200``."""
        groups = self._load_test.results.snapshot.root.walk()
        return {check.path: check for group in groups for check in group.checks}

    @property
    def thresholds(self) -> "tuple[ThresholdSnapshot, ...]":
        """The thresholds, with their state at the end."""
        return tuple(self._load_test.results.snapshot.thresholds)

    def __repr__(self) -> str:
        return f"<results of {self.name}: {self.outcome}, {self.elapsed:.1f} s>"


class FinishedTests(Mapping[str, LoadTestResults]):
    """The load tests of a session that have ended, in the order of their ends.

    Keys are pytest node ids, or an end of one that is unique, such as the function's
    name.
    """

    def __init__(self, load_tests: Sequence[FinishedLoadTest]) -> None:
        self._load_tests = {test.name: test for test in load_tests}

    def __getitem__(self, name: str) -> LoadTestResults:
        matching = self._matching(name)
        if len(matching) == 1:
            return LoadTestResults(self._load_tests[matching[0]])
        if matching:
            raise ResultError(
                f"{len(matching)} load tests are called {name!r}; ask for one of"
                f" {', '.join(map(repr, matching))}"
            )
        names = ", ".join(map(repr, self)) or "none has ended yet"
        raise ResultError(f"no load test of this session is called {name!r}; there are: {names}")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and len(self._matching(name)) == 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._load_tests)

    def __len__(self) -> int:
        return len(self._load_tests)

    def __repr__(self) -> str:
        return f"<load tests: {', '.join(self)}>"

    def _matching(self, name: str) -> list[str]:
        if name in self._load_tests:
            return [name]
        # With or without the parameters in brackets.
        return [
            node_id
            for node_id in self
            if f"::{node_id}".endswith(f"::{name}")
            or f"::{node_id.partition('[')[0]}".endswith(f"::{name}")
        ]


class SessionResults:
    """The results of the session's load tests; its own attributes are those of the last one.

    Before the end of the first one, all attributes except `address` and `tests` raise
    `ResultError`.
    """

    def __init__(self, load_tests: Sequence[FinishedLoadTest], address: str = "") -> None:
        self._address = address
        # Not copied: a fixture may be set up before its load test and read after it.
        self._load_tests = load_tests

    @property
    def address(self) -> str:
        """The address of the control API, such as ``http://127.0.0.1:6565``; empty if it is off."""
        return self._address

    @property
    def tests(self) -> FinishedTests:
        """Every load test that has ended, by node id or by name."""
        return FinishedTests(self._ended())

    @property
    def last(self) -> LoadTestResults:
        """The results of the load test that ended last."""
        ended = self._ended()
        if not ended:
            raise ResultError(
                "no load test has ended in this session yet; tests run in the order of their"
                " files, so place this one after the load test that it asks about"
            )
        return LoadTestResults(ended[-1])

    @property
    def metrics(self) -> Metrics:
        """The metrics of the last load test."""
        return self.last.metrics

    @property
    def groups(self) -> "dict[str, GroupSnapshot]":
        """The groups of the last load test, by path."""
        return self.last.groups

    @property
    def checks(self) -> "dict[str, CheckSnapshot]":
        """The checks of the last load test, by path."""
        return self.last.checks

    @property
    def thresholds(self) -> "tuple[ThresholdSnapshot, ...]":
        """The thresholds of the last load test."""
        return self.last.thresholds

    def _ended(self) -> "list[FinishedLoadTest]":
        return [test for test in self._load_tests if test.outcome is not None]

    def __repr__(self) -> str:
        return f"<results of {len(self._ended())} load tests: {', '.join(self.tests)}>"
