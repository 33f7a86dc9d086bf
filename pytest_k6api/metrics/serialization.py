"""The contents of sinks as data: one form, readable as JSON or packed as bytes.

The members are the same in both: `samples`, and what the kind of metric adds up.
A trend's `values` are pairs of value and count, in ascending order, which answer every
question that the trend could answer. JSON has them as pairs
(``docs/reference/results-format.md``); packed they take a few bytes each.

Merging series that were read back equals merging the originals, to the last bit, so that
workers can send theirs; integers beyond 2**53 are doubles by then, as trends keep them. `VERSION` grows when a reader of the old bytes would
go wrong. Pure.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from typing import Any, NamedTuple

import msgspec

from pytest_k6api.metrics.sinks.simple import (
    CounterSink,
    GaugeSink,
    RateSink,
    Sink,
    finite,
    new_sink,
)
from pytest_k6api.metrics.sinks.trend import TrendSink
from pytest_k6api.model import Contains, K6ApiError, Metric, MetricError, MetricKind

VERSION = 1

# JSON as it is read and written.
Document = dict[str, Any]

_MOST_IN_CHUNK = 1_024
_LARGE = 2**63
_CODES = {code: 2 ** (8 * array(code).itemsize) for code in "BHIQ"}


_DAMAGED = (MetricError, ArithmeticError, LookupError, TypeError, ValueError)


class SerializationError(K6ApiError):
    """Bytes are no packed series, are damaged, or are of another version."""


class TaggedSink(NamedTuple):
    """The samples of one metric with one set of tags."""

    metric: Metric
    tags: Mapping[str, str]
    sink: Sink


class _PackedSeries(msgspec.Struct, array_like=True):
    name: str
    kind: MetricKind
    contains: Contains
    samples_per_unit: int
    tags: dict[str, str]
    sums: Document


class _Packed(msgspec.Struct, array_like=True):
    version: int
    series: list[_PackedSeries]


def sink_document(sink: Sink) -> Document:
    """Return the contents of `sink` as JSON values; in the thread that feeds it."""
    match sink:
        case CounterSink():
            sums: Document = {"sum": finite(sink.total)}
        case GaugeSink():
            sums = {"last": sink.last, "min": sink.least, "max": sink.greatest}
        case RateSink():
            sums = {"passes": sink.passes}
        case TrendSink() if sink.count:
            sink.settle()
            # A truth value is a number to Python and is not to JSON.
            pairs = sorted((value + 0, count) for value, count in sink.counts().items())
            sums = {
                "sum": finite(sink.total),
                "min": sink.lowest,
                "max": sink.highest,
                "digits": sink.digits,
                "values": pairs,
            }
        case _:
            sums = {"values": []}
    return {"samples": sink.count, **sums}


def read_sink(metric: Metric, document: Mapping[str, Any]) -> Sink:
    """Return the sink of `metric` that `sink_document` made `document` of.

    Raises:
        KeyError, TypeError, ValueError: A member is missing or is something else.
    """
    if metric.kind is MetricKind.TREND and document["values"]:
        return TrendSink.restored(
            dict(map(tuple, document["values"])),
            total=document["sum"],
            lowest=document["min"],
            highest=document["max"],
            samples_per_unit=metric.samples_per_unit,
            digits=document["digits"],
        )
    sink = new_sink(metric)
    sink.count = document["samples"]
    match sink:
        case CounterSink():
            sink.total = document["sum"]
        case GaugeSink():
            sink.last, sink.least, sink.greatest = (document[key] for key in ("last", "min", "max"))
        case RateSink():
            sink.passes = document["passes"]
    return sink


def pack_series(series: Iterable[TaggedSink]) -> bytes:
    """Return `series` as bytes, for `unpack_series`."""
    packed = [
        _PackedSeries(
            name=metric.name,
            kind=metric.kind,
            contains=metric.contains,
            samples_per_unit=metric.samples_per_unit,
            tags=dict(tags),
            sums=_packed(sink_document(sink)),
        )
        for metric, tags, sink in series
    ]
    return msgspec.msgpack.encode(_Packed(VERSION, packed))


def unpack_series(data: bytes) -> list[TaggedSink]:
    """Return the series that `pack_series` made `data` of.

    Raises:
        SerializationError: It did not, or another version of it did.
    """
    try:
        version, *_ = msgspec.msgpack.decode(data, type=list[Any])
        if version != VERSION:
            raise SerializationError(
                f"packed series of version {version!r}; version {VERSION} can be read here"
            )
        packed = msgspec.msgpack.decode(data, type=_Packed)
        return [_unpacked(each) for each in packed.series]
    except (msgspec.MsgspecError, *_DAMAGED) as error:
        raise SerializationError(f"damaged series: {type(error).__name__}: {error}") from None


def merge_series(series: Iterable[TaggedSink]) -> list[TaggedSink]:
    """Return one of each metric and tags, with the samples of all of them, oldest first."""
    merged: dict[tuple[str, frozenset[tuple[str, str]]], TaggedSink] = {}
    for each in series:
        key = each.metric.name, frozenset(each.tags.items())
        if key not in merged:
            merged[key] = TaggedSink(each.metric, each.tags, new_sink(each.metric))
        merged[key].sink.merge(each.sink)
    return list(merged.values())


def _packed(document: Document) -> Document:
    """Return `document` as MessagePack can have it, with the values packed."""
    # MessagePack has no integers beyond 64 bits.
    packed = {
        key: str(value) if isinstance(value, int) and abs(value) >= _LARGE else value
        for key, value in document.items()
        if key != "values"
    }
    if "values" in document:
        packed["values"] = [_pack_chunk(chunk) for chunk in _chunks(document["values"])]
    return packed


def _unpacked(series: _PackedSeries) -> TaggedSink:
    metric = Metric(
        name=series.name,
        kind=series.kind,
        contains=series.contains,
        samples_per_unit=series.samples_per_unit,
    )
    sums: Document = {
        key: int(value) if isinstance(value, str) else value for key, value in series.sums.items()
    }
    if "values" in sums:
        sums["values"] = [pair for each in sums["values"] for pair in _unpack_chunk(each)]
    return TaggedSink(metric, series.tags, read_sink(metric, sums))


def _chunks(pairs: Sequence[tuple[float, int]]) -> Iterator[list[tuple[float, int]]]:
    """Yield neighbouring pairs with values of one type."""
    for _, run in groupby(pairs, key=lambda pair: type(pair[0])):
        some = list(run)
        for start in range(0, len(some), _MOST_IN_CHUNK):
            yield some[start : start + _MOST_IN_CHUNK]


def _pack_chunk(pairs: Sequence[tuple[float, int]]) -> tuple[Any, ...]:
    """Return a chunk: its least integer and the steps from there, or floats whole; the counts."""
    values, counts = zip(*pairs, strict=True)
    if isinstance(values[0], float):
        return None, *_bytes_of("d", values), *_bytes_of(_narrowest(max(counts)), counts)
    steps = [after - before for before, after in pairwise(values)]
    return (
        values[0],
        *_bytes_of(_narrowest(max(steps, default=0)), steps),
        *_bytes_of(_narrowest(max(counts)), counts),
    )


def _unpack_chunk(chunk: Sequence[Any]) -> Iterator[tuple[float, int]]:
    first, code, data, count_code, count_data = chunk
    numbers, counts = _array_of(code, data), _array_of(count_code, count_data)
    values = numbers if first is None else accumulate(numbers, initial=first)
    return zip(values, counts, strict=True)


def _bytes_of(code: str, numbers: Iterable[float]) -> tuple[str, bytes]:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return code, packed.tobytes()


def _array_of(code: str, data: bytes) -> "array[Any]":
    if code != "d" and code not in _CODES:
        raise ValueError(f"no numbers are packed as {code!r}")
    numbers = array(code)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _narrowest(number: int) -> str:
    return next(code for code, end in _CODES.items() if number < end)
