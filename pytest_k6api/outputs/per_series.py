"""A value for each series, made when its first samples come. Pure."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from pytest_k6api.metrics import Series

T = TypeVar("T")


class PerSeries(Generic[T]):
    """What an output makes of the metric and the tags of a series, such as the text around its numbers.

    Tag sets are interned, so that a series is known by the identity of its tags; they are kept,
    so that no other object gets their `id`.

    Args:
        make: Makes the value for a series.
    """

    def __init__(self, make: Callable[[Series], T]) -> None:
        self._make = make
        self._made: dict[tuple[str, int], tuple[T, Mapping[str, str]]] = {}

    def of(self, series: Series) -> T:
        """Return the value for the metric and the tags of `series`."""
        key = series.metric, id(series.tags)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(series), series.tags
        return made[0]

    def clear(self) -> None:
        """Forget all values."""
        self._made.clear()
