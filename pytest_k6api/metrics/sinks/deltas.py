"""What was added to a series since it was last asked, to be merged into its sink.

Deltas of counters, gauges and rates are sinks of their kind; a trend's has no order.
"""

from collections.abc import Sequence
from itertools import chain, repeat, starmap

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


def samples_of(delta: Delta) -> Sequence[float]:
    """Return a column of samples that adds up to `delta`, for what is kept by the second.

    Of a trend and a rate they are the samples, ordered by value; of a gauge the last one.
    A counter does not know its samples: they are taken as equal if they can be whole, as
    the ones of a count are, and else as one sample and zeros.
    """
    match delta:
        case CounterSink(count=count, total=total):
            share, rest = divmod(total, count)
            return [share] * count if not rest else [total, *[0] * (count - 1)]
        case GaugeSink():
            return [delta.last]
        case RateSink():
            return [0] * (delta.count - delta.passes) + [1] * delta.passes
        case _:
            return list(chain.from_iterable(starmap(repeat, delta.counts().items())))
