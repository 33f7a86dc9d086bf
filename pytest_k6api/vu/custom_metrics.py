"""Metrics that users declare in their modules and feed from any virtual user.

A metric belongs to no load test: `add` finds the recorder of the current VU through
`current_recorder`. Declarations are registered by weak references, until their module
is collected, so that thresholds can be checked at collection.
"""

import gc
import math
import sys
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from numbers import Real
from types import TracebackType
from typing import ClassVar, Literal
from weakref import WeakSet

import trio

from pytest_k6api.model import Contains, Metric, MetricError, MetricKind, current_recorder, storable
from pytest_k6api.model.metrics import BUILT_IN
from pytest_k6api.vu.vu import current_vu

_BUILT_IN_NAMES = frozenset(metric.name for metric in BUILT_IN)
_Contains = Literal["default", "time", "data"]


class _CustomMetric:
    """Base of the four kinds.

    Attributes:
        metric: Its name, kind and contents.
        location: ``file:line`` of the declaration.
    """

    __slots__ = ("__weakref__", "location", "metric")
    _kind: ClassVar[MetricKind]

    def __init__(self, name: str, contains: str) -> None:
        __tracebackhide__ = True  # pytest shows the declaration, not this code
        # Two frames up: the caller of the public constructor.
        caller = sys._getframe(2)
        self.location = f"{caller.f_code.co_filename}:{caller.f_lineno}"
        try:
            self.metric = _declare(name, self._kind, _read_contains(name, contains), self.location)
        except MetricError as error:
            raise error.with_traceback(None) from None
        _declared.add(self)

    def add(self, value: float, tags: Mapping[str, object] | None = None) -> None:
        """Record `value` with the current tags of the virtual user, and `tags` over them.

        Args:
            value: A finite number, or a bool.
            tags: More tags for this one sample; values are converted to strings.

        Raises:
            MetricError: `value` is no finite number, or no virtual user is running.
        """
        recorder = current_recorder.get(None)
        if recorder is None:
            raise MetricError(
                f"{self.metric.name}: there is no virtual user to record for; call add() in a"
                " scenario, in setup, in teardown or in a VU fixture"
            )
        context = recorder.context
        tags_id = (
            context.id_with({str(key): str(text) for key, text in tags.items()})
            if tags
            else context.id
        )
        recorder.buffer.samples.append((self.metric, tags_id, self._number(value)))

    def _number(self, value: object) -> float:
        number = math.nan
        if isinstance(value, (Real, Decimal)):
            with suppress(OverflowError, ValueError):  # 10**400, Decimal("sNaN")
                number = float(value)
        # NaN compares false with everything and would spoil every later percentile.
        if math.isfinite(number):
            return number
        raise MetricError(
            f"{self.metric.name}: a {self._kind.value} takes finite numbers up to 1.8e308, got"
            f" {_shown(value)}"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.metric.name!r})"


class Counter(_CustomMetric):
    """A custom metric that sums up its values; 0 without a value.

    Args:
        name: 2 to 129 letters, digits and underscores, not starting with a digit.
        contains: The unit: plain numbers, milliseconds or bytes.

    Raises:
        MetricError: The name cannot be used, is a built-in metric's, or was
            declared with another kind or other contents.
    """

    __slots__ = ()
    _kind = MetricKind.COUNTER

    def __init__(self, name: str, *, contains: _Contains = "default") -> None:
        __tracebackhide__ = True
        super().__init__(name, contains)

    def add(self, value: float = 1, tags: Mapping[str, object] | None = None) -> None:
        """Add `value`, 1 by default; see the class for errors."""
        super().add(value, tags)


class Gauge(_CustomMetric):
    """A custom metric that keeps the last value, and the smallest and largest.

    A threshold on it fails while it has no value. Arguments and errors as for `Counter`.
    """

    __slots__ = ()
    _kind = MetricKind.GAUGE

    def __init__(self, name: str, *, contains: _Contains = "default") -> None:
        __tracebackhide__ = True
        super().__init__(name, contains)


class Rate(_CustomMetric):
    """A custom metric that keeps the share of values that are true or not zero.

    The share is between 0 and 1; a threshold is written ``"rate>0.99"``, and fails
    while there is no value. Errors as for `Counter`.
    """

    __slots__ = ()
    _kind = MetricKind.RATE

    def __init__(self, name: str) -> None:
        __tracebackhide__ = True
        super().__init__(name, "default")


class Trend(_CustomMetric):
    """A custom metric that keeps every value for exact percentiles.

    A threshold on it fails while it has no value. Arguments and errors as for
    `Counter`; with ``contains="time"`` values are milliseconds.
    """

    __slots__ = ()
    _kind = MetricKind.TREND

    def __init__(self, name: str, *, contains: _Contains = "default") -> None:
        __tracebackhide__ = True
        super().__init__(name, contains)

    def timed(self, tags: Mapping[str, object] | None = None) -> "TimedBlock":
        """Return a context manager that records the duration of its block in milliseconds.

        Recorded also if the block raises, but not if the iteration is interrupted.

        Raises:
            MetricError: On entering, if no virtual user is running.
        """
        return TimedBlock(self, tags)


class TimedBlock:
    """Times a block for `Trend.timed`."""

    __slots__ = ("_began", "_tags", "_trend")

    def __init__(self, trend: Trend, tags: Mapping[str, object] | None) -> None:
        self._trend = trend
        self._tags = tags

    def __enter__(self) -> None:
        self._began = self._now()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None or not issubclass(kind, trio.Cancelled):
            self._trend.add((self._now() - self._began) * 1000, self._tags)

    def _now(self) -> float:
        vu = current_vu.get(None)
        if vu is None:
            raise MetricError(
                f"{self._trend.metric.name}: there is no virtual user to record for; use timed()"
                " in a scenario, in setup, in teardown or in a VU fixture"
            )
        return vu._now()


_declared: WeakSet[_CustomMetric] = WeakSet()


def declared_metrics() -> Mapping[str, Metric]:
    """Return the custom metrics declared so far, by name."""
    return {custom.metric.name: custom.metric for custom in list(_declared)}


def _shown(value: object) -> str:
    """Return `value` for a message; Python converts no integer of more than 4,300 digits."""
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"an integer of {math.floor(value.bit_length() * math.log10(2)) + 1:,} digits"
    return storable(repr(value), 100)


def _read_contains(name: str, contains: str) -> Contains:
    try:
        return Contains(contains)
    except ValueError:
        raise MetricError(
            f"{name}: contains is 'default', 'time' or 'data', got {contains!r}"
        ) from None


def _declare(name: str, kind: MetricKind, contains: Contains, location: str) -> Metric:
    if name in _BUILT_IN_NAMES:
        raise MetricError(f"{name}: is the name of a built-in metric; choose another")
    metric = Metric(name=name, kind=kind, contains=contains)
    earlier = _find(name)
    if earlier is not None and earlier.metric != metric:
        # The module of the earlier one may be waiting for the garbage collector.
        del earlier
        gc.collect()
        earlier = _find(name)
    if earlier is None:
        return metric
    if earlier.metric != metric:
        raise MetricError(
            f"{location}: the metric {name!r} is declared as {_about(metric)} and was declared as"
            f" {_about(earlier.metric)} at {earlier.location}; give one of them another name"
        )
    return earlier.metric  # one object for all, so that samples are compared by identity


def _find(name: str) -> _CustomMetric | None:
    return next((custom for custom in list(_declared) if custom.metric.name == name), None)


def _about(metric: Metric) -> str:
    return f"a {metric.kind.value} of {metric.contains.value} values"
