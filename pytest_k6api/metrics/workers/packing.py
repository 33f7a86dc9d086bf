"""Deltas of series as bytes, from a worker to the controller.

A report has what was added to series since the last one. Metrics and tag sets are sent once,
in the order of their numbers, so that a report needs the ones before it. Values of a trend
are packed numbers: those that count once each, and the others beside their counts.

Nothing is lost on the way, save that an integer beyond 64 bits becomes a float, as trends
keep it. `VERSION` grows when a reader of the old bytes would go wrong.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any, Self

import msgspec

from pytest_k6api.metrics.sample_batch import Instant, Observer, SampleBatch
from pytest_k6api.metrics.sinks.deltas import Delta, new_delta
from pytest_k6api.metrics.sinks.simple import CounterSink, GaugeSink, RateSink
from pytest_k6api.metrics.sinks.trend_delta import TrendDelta
from pytest_k6api.metrics.workers.packed_numbers import PackedNumbers
from pytest_k6api.metrics.workers.sample_packing import SentBatch, pack_batch, unpack_batch
from pytest_k6api.model import Contains, K6ApiError, Metric, MetricError, MetricKind, TagTable

VERSION = 1

Deltas = dict[Metric, dict[int, Delta]]
"""Deltas by metric and by the numbers of their tag sets."""

# MessagePack has no integers beyond 64 bits: they are text.
_Number = int | float | str
_Index = Annotated[int, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]

_BEYOND = 2**63
_DAMAGED = (ArithmeticError, LookupError, ValueError)


class SerializationError(K6ApiError):
    """Bytes are no report of a worker, are damaged, or are of another version."""


class _Row(msgspec.Struct, array_like=True):
    tags: _Index


class _CounterRow(_Row):
    count: _Count
    total: _Number

    @classmethod
    def of(cls, tags_id: int, delta: CounterSink) -> Self:
        return cls(tags_id, delta.count, _sent(delta.total))

    def add_to(self, delta: CounterSink) -> None:
        delta.count += self.count
        delta.total += _received(self.total)


class _RateRow(_Row):
    count: _Count
    passes: _Index

    @classmethod
    def of(cls, tags_id: int, delta: RateSink) -> Self:
        return cls(tags_id, delta.count, delta.passes)

    def add_to(self, delta: RateSink) -> None:
        delta.count += self.count
        delta.passes += self.passes


class _GaugeRow(_Row):
    count: _Count
    at: float
    last: _Number
    least: _Number
    greatest: _Number

    @classmethod
    def of(cls, tags_id: int, delta: GaugeSink) -> Self:
        numbers = map(_sent, (delta.last, delta.least, delta.greatest))
        return cls(tags_id, delta.count, delta.at, *numbers)

    def add_to(self, delta: GaugeSink) -> None:
        received = GaugeSink()
        received.count, received.at = self.count, self.at
        received.last, received.least, received.greatest = map(
            _received, (self.last, self.least, self.greatest)
        )
        delta.merge(received)


class _TrendRow(_Row):
    total: _Number
    # Values that count once, the other values, and their counts.
    single: PackedNumbers
    repeated: PackedNumbers
    counts: PackedNumbers

    @classmethod
    def of(cls, tags_id: int, delta: TrendDelta) -> Self:
        counts = delta.counts()
        single = [value for value, count in counts.items() if count == 1]
        repeated = {value: count for value, count in counts.items() if count > 1}
        packed = map(PackedNumbers.of, (single, repeated, repeated.values()))
        return cls(tags_id, _sent(delta.total), *packed)

    def add_to(self, delta: TrendDelta) -> None:
        repeated = zip(self.repeated.unpack(), self.counts.unpack(), strict=True)
        delta.add_counted(_received(self.total), self.single.unpack(), repeated)


# Any: each takes deltas of its kind, which the key tells and types cannot.
_ROWS: Mapping[MetricKind, Any] = {
    MetricKind.COUNTER: _CounterRow,
    MetricKind.RATE: _RateRow,
    MetricKind.GAUGE: _GaugeRow,
    MetricKind.TREND: _TrendRow,
}
_DECODERS: Mapping[MetricKind, msgspec.msgpack.Decoder[Any]] = {
    MetricKind.COUNTER: msgspec.msgpack.Decoder(list[_CounterRow]),
    MetricKind.RATE: msgspec.msgpack.Decoder(list[_RateRow]),
    MetricKind.GAUGE: msgspec.msgpack.Decoder(list[_GaugeRow]),
    MetricKind.TREND: msgspec.msgpack.Decoder(list[_TrendRow]),
}


class _Column(msgspec.Struct, array_like=True):
    metric: _Index
    rows: msgspec.Raw


class Part(msgspec.Struct, array_like=True):
    """What was added to series within one moment.

    Attributes:
        until: Test-run time of the youngest of it, in seconds.
        columns: The deltas, by metric and tag set as the worker numbers them.
        refused: The number of samples that were left out, by the metric's name.
    """

    until: float
    columns: list[_Column]
    refused: dict[str, _Count]


class _SentMetric(msgspec.Struct, array_like=True):
    name: str
    kind: MetricKind
    contains: Contains
    samples_per_unit: _Count


class SeriesReport(msgspec.Struct, array_like=True):
    """What a worker measured since its last report.

    Attributes:
        until: Test-run time up to which it has told everything, in seconds.
        metrics: Metrics that the reports before did not have.
        tags: Tag sets that they did not have.
        parts: The deltas, oldest first.
        batches: The samples, where they are asked for, oldest first.
    """

    until: float
    metrics: list[_SentMetric]
    tags: list[dict[str, str]]
    parts: list[Part]
    batches: list[SentBatch]


class SeriesPacker:
    """Packs what one worker measured.

    Args:
        tags: The tag sets of its deltas.
    """

    def __init__(self, tags: TagTable) -> None:
        self._table = tags
        self._sent_tags = 0
        self._numbers: dict[Metric, int] = {}
        self._new: list[Metric] = []

    def pack(self, deltas: Deltas, until: float, refused: Mapping[str, int]) -> Part:
        """Return what was added up to `until` in the form in which it is sent."""
        columns = []
        for metric, series in deltas.items():
            make = _ROWS[metric.kind].of
            rows = msgspec.msgpack.encode([make(*each) for each in series.items()])
            columns.append(_Column(self._number(metric), msgspec.Raw(rows)))
        return Part(until, columns, dict(refused))

    def pack_samples(self, seen: Observer, elapsed: float, now: Instant) -> SentBatch:
        """Return the samples that an observer saw up to now, in the form in which they are sent."""
        return pack_batch(seen, self._number, elapsed, now)

    def report(self, parts: list[Part], batches: list[SentBatch], until: float) -> bytes:
        """Return the next report, with all that it needs, for `SeriesReader`."""
        metrics = [
            _SentMetric(each.name, each.kind, each.contains, each.samples_per_unit)
            for each in self._new
        ]
        tags = [dict(each) for each in islice(self._table, self._sent_tags, None)]
        self._new.clear()
        self._sent_tags += len(tags)
        report = SeriesReport(until, metrics, tags, parts, batches)
        return bytes([VERSION]) + msgspec.msgpack.encode(report)

    def _number(self, metric: Metric) -> int:
        number = self._numbers.get(metric)
        if number is None:
            number = self._numbers[metric] = len(self._numbers)
            self._new.append(metric)
        return number


class SeriesReader:
    """Reads the reports of one worker, in their order.

    Args:
        tags: Where its tag sets are interned; new ones in the order of the worker.
    """

    def __init__(self, tags: TagTable) -> None:
        self._table = tags
        self._metrics: list[Metric] = []
        self._tags: list[int] = []

    def read(self, data: bytes) -> SeriesReport:
        """Return the report that was sent as `data`.

        Raises:
            SerializationError: It is none, or another version's.
        """
        if data[:1] != bytes([VERSION]):
            raise SerializationError(
                f"cannot read a worker's report that begins with {bytes(data[:1])!r}; reports of"
                f" version {VERSION} begin with {bytes([VERSION])!r}"
            )
        try:
            report = msgspec.msgpack.decode(memoryview(data)[1:], type=SeriesReport)
            self._metrics += [
                Metric(
                    name=each.name,
                    kind=each.kind,
                    contains=each.contains,
                    samples_per_unit=each.samples_per_unit,
                )
                for each in report.metrics
            ]
        except (msgspec.MsgspecError, MetricError) as error:
            raise _damaged(error) from None
        self._tags += map(self._table.intern, report.tags)
        return report

    def add(self, part: Part, deltas: Deltas) -> None:
        """Add `part` of a report that was read to `deltas`.

        Raises:
            SerializationError: It is damaged; some of it may have been added.
        """
        try:
            for column in part.columns:
                metric = self._metrics[column.metric]
                series = deltas.setdefault(metric, {})
                for row in _DECODERS[metric.kind].decode(column.rows):
                    number = self._tags[row.tags]
                    delta = series.get(number)
                    if delta is None:
                        delta = series[number] = new_delta(metric)
                    row.add_to(delta)
        except (msgspec.MsgspecError, *_DAMAGED) as error:
            raise _damaged(error) from None

    def samples(self, batch: SentBatch, ahead: float) -> SampleBatch:
        """Return the samples of a report that was read; see `unpack_batch`.

        Raises:
            SerializationError: They are damaged.
        """
        try:
            return unpack_batch(batch, self._metrics, self._tags, self._table, ahead)
        except _DAMAGED as error:
            raise _damaged(error) from None


def _damaged(error: Exception) -> SerializationError:
    return SerializationError(f"damaged report of a worker: {type(error).__name__}: {error}")


def _sent(number: float) -> _Number:
    # Users' numbers may be of subclasses, of which MessagePack knows none: a truth value, say.
    if isinstance(number, int):
        return str(int(number)) if abs(number) >= _BEYOND else int(number)
    return float(number)


def _received(number: _Number) -> float:
    return int(number) if isinstance(number, str) else number
