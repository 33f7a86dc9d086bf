"""Samples as bytes, for outputs and hooks in the controller.

A batch has the columns that its deltas were made of, so that it has no sample that was
refused. Metrics and tag sets have the numbers of the worker's reports. Times are microseconds
before the batch's end, common to all metrics of the same rows: two bytes each, as a rule.

Values arrive as they were sampled, save that truth values become 1 and 0, and integers beside
floats, or beyond 64 bits, floats.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec

from pytest_k6api.metrics.sample_batch import Instant, Observer, SampleBatch, Series
from pytest_k6api.metrics.workers.packed_numbers import PackedNumbers
from pytest_k6api.model import MarkedTags, Metric, TagTable

_Index = Annotated[int, msgspec.Meta(ge=0)]


class _SentSeries(msgspec.Struct, array_like=True):
    metric: _Index
    tags: _Index
    samples: PackedNumbers
    # Places in `SentBatch.ages`, None where all are as old as the batch, and `SentBatch.metadata`.
    ages: _Index | None
    metadata: _Index


class SentBatch(msgspec.Struct, array_like=True):
    """The samples of one round of a worker's pump.

    Attributes:
        at: Wall time of its end by the worker's clock, in seconds.
        elapsed: Test-run time of its end.
        ages: Microseconds by which samples are older, for series with the same times.
        metadata: Metadata of samples, for series of the same rows; empty if there is none.
        series: The samples.
    """

    at: float
    elapsed: float
    ages: list[PackedNumbers]
    metadata: list[list[dict[str, str]]]
    series: list[_SentSeries]


def pack_batch(
    seen: Observer, number_of: Callable[[Metric], int], elapsed: float, now: Instant
) -> SentBatch:
    """Return what an observer saw, with numbers for metrics, in the form in which it is sent."""
    batch = SentBatch(now.at, elapsed, [], [], [])

    def ages_of(times: Sequence[int]) -> PackedNumbers:
        return PackedNumbers.of([(now.now_ns - time) // 1_000 for time in times])

    ages = _Shared(batch.ages, ages_of)
    metadata = _Shared(batch.metadata, _metadata)
    for metric, parts, times, numbers in seen.columns:
        number = number_of(metric)
        for tags_id, samples in parts.items():
            sent = _SentSeries(
                number,
                int(tags_id),
                PackedNumbers.of(samples),
                None if times is None else ages.place(times[tags_id]),
                metadata.place(numbers[tags_id]),
            )
            batch.series.append(sent)
    return batch


def unpack_batch(
    sent: SentBatch, metrics: Sequence[Metric], tags: Sequence[int], table: TagTable, ahead: float
) -> SampleBatch:
    """Return the batch that was sent.

    Args:
        sent: The batch as `pack_batch` made it.
        metrics: The worker's metrics, by its numbers.
        tags: The numbers of its tag sets here, by its numbers.
        table: The tag sets here.
        ahead: Seconds by which its wall clock reads more than the one here.

    Raises:
        LookupError: There is no such metric, tag set or time.
        ValueError: Numbers are damaged.
    """
    at = sent.at - ahead
    now_us = round(at * 1e6)
    times = [tuple([now_us - age for age in ages.unpack()]) for ages in sent.ages]
    series = []
    for each in sent.series:
        samples, tags_id = tuple(each.samples.unpack()), tags[each.tags]
        of_rows = (now_us,) * len(samples) if each.ages is None else times[each.ages]
        series.append(
            Series.observed(
                metrics[each.metric],
                table[tags_id],
                samples,
                [_marked(tags_id, known) for known in sent.metadata[each.metadata]],
                partial(_itself, of_rows),
            )
        )
    return SampleBatch(at=at, elapsed=sent.elapsed, series=tuple(series))


class _Shared:
    """Values made of columns, each once, by the identity of the column."""

    def __init__(self, values: list[Any], make: Callable[[Sequence[int]], object]) -> None:
        self._values = values
        self._make = make
        self._places: dict[int, int] = {}

    def place(self, column: Sequence[int]) -> int:
        """Return the place of the value of `column`, which lives as long as this does."""
        known = self._places.get(id(column))
        if known is None:
            known = self._places[id(column)] = len(self._values)
            self._values.append(self._make(column))
        return known


def _metadata(numbers: Sequence[int]) -> list[dict[str, str]]:
    if MarkedTags not in map(type, numbers):
        return []
    return [dict(each.metadata) if isinstance(each, MarkedTags) else {} for each in numbers]


def _marked(tags_id: int, metadata: Mapping[str, str]) -> MarkedTags:
    marked = MarkedTags(tags_id)
    marked.metadata = metadata
    return marked


def _itself(times: tuple[int, ...]) -> tuple[int, ...]:
    return times
