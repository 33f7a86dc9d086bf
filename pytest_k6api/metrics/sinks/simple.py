"""Where the samples of one time series add up: one sink for each kind of metric.

Numbers go in as they were sampled and come out in the metric's reported unit.
A sink takes finite numbers only (`is_countable`); the engine refuses all others
before they get here. One thread writes.

Source: k6 v1.1.0, ``metrics/sink.go``.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any, Protocol, Self

from pytest_k6api.metrics.aggregation import Aggregation
from pytest_k6api.metrics.sinks.trend import MOST_WAITING, TrendSink
from pytest_k6api.metrics.sinks.trend_memory import TrendMemory
from pytest_k6api.model import Metric, MetricKind


class Sink(Protocol):
    """What all kinds of sinks can do.

    Attributes:
        count: How many samples it has taken.
    """

    count: int

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples, oldest first; there is at least one and all are finite."""

    # Any: a sink or a delta of the same kind of metric, which types cannot tell here.
    def merge(self, other: Any, /) -> None:
        """Add all that `other` has taken, as younger samples; `other` stays as it is."""

    def measure(self, aggregation: Aggregation, /) -> float:
        """Return one number in the reported unit, 0 while empty.

        What a counter did per second is not a sink's knowledge: ask `measure`.
        """

    def settle(self) -> None:
        """Finish what was put off, so that reading changes nothing any more."""


class CounterSink:
    """The sum of all samples.

    Attributes:
        total: The sum, in samples' units.
    """

    __slots__ = ("count", "samples_per_unit", "total")

    def __init__(self, samples_per_unit: int = 1) -> None:
        self.count = 0
        self.total: float = 0
        self.samples_per_unit = samples_per_unit

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples; see `Sink`."""
        self.count += len(values)
        self.total += sum(values)

    def merge(self, other: Self, /) -> None:
        """Add all that `other` has taken."""
        self.count += other.count
        self.total += other.total

    def measure(self, _aggregation: Aggregation, /) -> float:
        """Return the sum, which is all that a counter has by itself."""
        return self.total if self.samples_per_unit == 1 else self.total / self.samples_per_unit

    def settle(self) -> None:
        """Do nothing: there is nothing put off."""


class GaugeSink:
    """The last sample, and the least and the greatest.

    Attributes:
        last: The youngest sample.
        least: The least sample.
        greatest: The greatest sample, also where all are negative, as in k6
            v2.2; v1.1.0 then says 0.
        at: The time of the last sample, in seconds of test-run time; 0 where samples come
            one after the other, and nothing else is needed to order them.
    """

    __slots__ = ("at", "count", "greatest", "last", "least", "samples_per_unit")

    def __init__(self, samples_per_unit: int = 1) -> None:
        self.at = 0.0
        self.count = 0
        self.last: float = 0
        self.least: float = 0
        self.greatest: float = 0
        self.samples_per_unit = samples_per_unit

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples; see `Sink`."""
        self._add(len(values), values[-1], min(values), max(values))

    def merge(self, other: Self, /) -> None:
        """Add all that `other` has taken; its last sample is the younger one, unless `at` differs."""
        if other.count:
            last = other.last if other.at >= self.at or not self.count else self.last
            self._add(other.count, last, other.least, other.greatest)
            self.at = max(self.at, other.at)

    def measure(self, aggregation: Aggregation, /) -> float:
        """Return ``value``, ``min`` or ``max``."""
        numbers = {"value": self.last, "min": self.least, "max": self.greatest}
        number = numbers[aggregation.text]
        return number if self.samples_per_unit == 1 else number / self.samples_per_unit

    def settle(self) -> None:
        """Do nothing: there is nothing put off."""

    def _add(self, count: int, last: float, least: float, greatest: float) -> None:
        self.least = min(self.least, least) if self.count else least
        self.greatest = max(self.greatest, greatest) if self.count else greatest
        self.last = last
        self.count += count


class RateSink:
    """The share of samples that are not zero.

    Attributes:
        passes: How many samples were not zero.
    """

    __slots__ = ("count", "passes")

    def __init__(self) -> None:
        self.count = 0
        self.passes = 0

    def add_many(self, values: Sequence[float], /) -> None:
        """Add samples; see `Sink`."""
        self.count += len(values)
        self.passes += len(values) - values.count(0)

    def merge(self, other: Self, /) -> None:
        """Add all that `other` has taken."""
        self.count += other.count
        self.passes += other.passes

    def measure(self, aggregation: Aggregation, /) -> float:
        """Return ``rate``, ``passes``, ``fails`` or ``count``."""
        match aggregation.text:
            case "passes":
                return self.passes
            case "fails":
                return self.count - self.passes
            case "count":
                return self.count
            case _:
                return self.passes / self.count if self.count else 0.0

    def settle(self) -> None:
        """Do nothing: there is nothing put off."""


def new_sink(
    metric: Metric, memory: TrendMemory | None = None, *, most_waiting: int = MOST_WAITING
) -> Sink:
    """Return an empty sink of the kind that `metric` needs.

    Args:
        metric: What it is for.
        memory: What a trend shares with others; None for memory of its own.
        most_waiting: Observations that may wait in a trend; see `TrendSink`.
    """
    match metric.kind:
        case MetricKind.COUNTER:
            return CounterSink(metric.samples_per_unit)
        case MetricKind.GAUGE:
            return GaugeSink(metric.samples_per_unit)
        case MetricKind.RATE:
            return RateSink()
        case MetricKind.TREND:
            return TrendSink(metric.samples_per_unit, memory, most_waiting=most_waiting)


def measure(sink: Sink, aggregation: Aggregation, elapsed: float) -> float:
    """Return one number of `sink`, always finite: the way every reported number is made.

    Args:
        sink: Where the samples are; while it is empty, every number is 0.
        aggregation: One that this kind of metric has.
        elapsed: Seconds of test-run time. A counter's rate is 0 while none has
            passed, as in k6 v2.2; v1.1.0 divides by zero.
    """
    number = sink.measure(aggregation)
    if isinstance(sink, CounterSink) and aggregation.text == "rate":
        number = number / elapsed if elapsed > 0 else 0.0
    return finite(number)


def finite(number: float) -> float:
    """Return `number` as JSON can hold it.

    The sum of finite numbers can still overflow: infinity is the greatest float then, and
    NaN, the difference of two overflows, is as good as 0.
    """
    if math.isfinite(number):
        # A gauge that was told True is 1 in JSON, not true.
        return int(number) if isinstance(number, bool) else number
    return math.copysign(sys.float_info.max, number) if math.isinf(number) else 0.0
