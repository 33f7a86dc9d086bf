"""Tests of significance from SciPy for the difference of two runs, one for each statistic.

| number                | test                                                                   |
|-----------------------|------------------------------------------------------------------------|
| the mean of a trend   | Welch's t-test                                                         |
| a percentile, the median | Fisher's exact test: how many samples of each lie above the percentile of both together |
| a rate                | Fisher's exact test                                                    |
| everything else       | none                                                                   |

They take value → count maps as they are, however many samples there are. They
take samples as independent, which those of one run are not quite: a p-value is
a hint, and what one run has and the next has not is noise, too.

SciPy comes with the extra ``stats`` and is imported when it is needed.
"""

import math
import operator
from collections.abc import Callable
from importlib import import_module

from pytest_k6api.metrics import Aggregation, RateSink, Sink, TrendSink

SIGNIFICANT = 0.01
"""Below this chance of a difference at least so large, it is called more than noise."""


def can_test() -> bool:
    """Tell whether SciPy is there, by importing it."""
    try:
        import_module("scipy.stats")
    except ImportError:
        return False
    return True


def p_value(before: Sink, after: Sink, aggregation: Aggregation) -> float | None:
    """Return the chance of a difference at least so large between two runs of the same thing.

    None where there is no test for such a number, or too few samples for one.
    """
    if isinstance(before, RateSink) and isinstance(after, RateSink):
        if aggregation.text != "rate":
            return None
        return _fisher((before.passes, before.count), (after.passes, after.count))
    if not (isinstance(before, TrendSink) and isinstance(after, TrendSink)):
        return None
    if aggregation.rank is not None:
        return _percentile_test(before, after, aggregation.rank)
    return _mean_test(before, after) if aggregation.text == "avg" else None


def _fisher(before: tuple[int, int], after: tuple[int, int]) -> float | None:
    if not before[1] or not after[1]:
        return None
    from scipy.stats import fisher_exact

    table = [[some, count - some] for some, count in (before, after)]
    return float(fisher_exact(table)[1])


def _percentile_test(before: TrendSink, after: TrendSink, rank: float) -> float | None:
    both = TrendSink()
    both.merge(before)
    both.merge(after)
    limit = both.percentile(rank)
    # Where many samples are equal to the percentile, they may be on either side of it.
    above = [
        _fisher(_share(before, limit, is_above), _share(after, limit, is_above))
        for is_above in (operator.gt, operator.ge)
    ]
    chances = [chance for chance in above if chance is not None]
    if len(set(chances)) < 2:
        return chances[0] if chances else None
    return min(1.0, 2 * min(chances))  # two tests have two chances to be wrong


def _share(
    trend: TrendSink, limit: float, is_above: Callable[[float, float], bool]
) -> tuple[int, int]:
    counts = trend.counts().items()
    return sum(count for value, count in counts if is_above(value, limit)), trend.count


def _mean_test(before: TrendSink, after: TrendSink) -> float | None:
    if min(before.count, after.count) < 2:
        return None
    from scipy.stats import ttest_ind_from_stats

    try:
        spreads = _deviation(before), _deviation(after)
    except OverflowError:  # numbers near the greatest there are
        return None
    means = before.total / before.count, after.total / after.count
    if not any(spreads):
        return 1.0 if means[0] == means[1] else 0.0
    found = ttest_ind_from_stats(
        means[0], spreads[0], before.count, means[1], spreads[1], after.count, equal_var=False
    )
    chance = float(found.pvalue)
    return chance if math.isfinite(chance) else None


def _deviation(trend: TrendSink) -> float:
    mean = trend.total / trend.count
    squares = math.fsum(count * (value - mean) ** 2 for value, count in trend.counts().items())
    return math.sqrt(squares / (trend.count - 1))
