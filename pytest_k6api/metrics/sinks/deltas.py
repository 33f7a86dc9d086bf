"""What was added to a series since it was last asked, to be merged into its sink.

Deltas of counters, gauges and rates are sinks of their kind; a trend's has no order.
"""

from typing import NamedTuple

from pytest_k6api.metrics.sinks.simple import CounterSink, GaugeSink, RateSink
from pytest_k6api.metrics.sinks.trend_delta import TrendDelta
from pytest_k6api.model import Metric, MetricKind

Delta = CounterSink | GaugeSink | RateSink | TrendDelta


def new_delta(metric: Metric) -> Delta:
    """Return an empty delta for a series of `metric`."""
    match metric.kind:
        case MetricKind.COUNTER:
            return CounterSink(metric.samples_per_unit)
        case MetricKind.GAUGE:
            return GaugeSink(metric.samples_per_unit)
        case MetricKind.RATE:
            return RateSink()
        case MetricKind.TREND:
            return TrendDelta()


class Summary(NamedTuple):
    """What the samples of a delta add up to.

    Attributes:
        number: How many samples there are.
        total: Their sum; of a rate, those that are not zero.
        greatest: The greatest of them. A counter does not know its samples: they are taken as
            equal if they can be whole, as the ones of a count are, and else as one sample
            and zeros.
        last: The last one of a gauge; 0 elsewhere.
    """

    number: int
    total: float
    greatest: float
    last: float = 0


def summary_of(delta: Delta) -> Summary:
    """Return what the samples of `delta` add up to, of which there is at least one."""
    count = delta.count
    match delta:
        case CounterSink(total=total):
            share, rest = divmod(total, count)
            return Summary(count, total, max(total, 0) if rest else share)
        case GaugeSink(last=last):
            return Summary(1, last, last, last)
        case RateSink(passes=passes):
            return Summary(count, passes, 1 if passes else 0)
        case _:
            return Summary(count, delta.total, max(delta.counts()))
