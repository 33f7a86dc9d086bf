"""Feeders: rows of test data for virtual users, each row once, in a circle, or at random.

A feeder belongs to the module that declares it. All virtual users of all scenarios
take from the same rows, also in threads. A process that runs a share of the load takes
the rows at the positions of its share, so that processes together take each row once.
"""

import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Literal, TypeVar, cast, overload

from pytest_k6api.model import K6ApiError, OptionError
from pytest_k6api.vu.context import StopRequest
from pytest_k6api.vu.feeders.files import read_rows
from pytest_k6api.vu.vu import BaseVU, current_vu

Row = TypeVar("Row")
Order = Literal["unique", "circular", "random"]
Exhaustion = Literal["stop", "fail"]

# Of each place in the suite's code, as they are imported.
_made: Counter[str] = Counter()


class FeederError(K6ApiError):
    """A feeder has no row: its file cannot be read, is empty, or all rows are used up."""


class FeederExhausted(StopRequest):
    """All rows were handed out; the load test ends without a failure."""

    is_about_share = True


class Feeder(Generic[Row]):
    """Hands out rows; made by `feeder`. ``next(users)`` takes one.

    Args:
        key: What it is known by in every process of the suite.
        name: What it is called in errors.
        open_rows: Returns its rows from the first on.
        order: The order in which they are handed out.
        on_exhausted: What happens after the last.
    """

    def __init__(
        self,
        key: str,
        name: str,
        open_rows: Callable[[], Iterable[Row]],
        order: Order,
        on_exhausted: Exhaustion,
    ) -> None:
        self._key = key
        self._name = name
        self._open_rows = open_rows
        self._order = order
        self._on_exhausted = on_exhausted
        self._lock = threading.Lock()
        self._source: Iterator[Row] | None = None
        self._rows: list[Row] = []
        self._handed_out = self._read = 0
        self._problem = ""  # why there are no more rows, once reading has failed
        self._random = random.Random(0)  # outside of virtual users

    def __iter__(self) -> "Feeder[Row]":
        return self

    def __next__(self) -> Row:
        return self.next()

    def next(self, vu: BaseVU | None = None) -> Row:
        """Return a row; a dictionary is copied.

        Args:
            vu: The virtual user whose RNG picks the row, if the order is random;
                the current one by default.

        Raises:
            FeederExhausted: All rows were handed out; it ends the load test.
            FeederError: There are no rows, they cannot be read, or all were handed
                out and ``on_exhausted="fail"``.
        """
        vu = vu or current_vu.get(None)
        with self._lock:
            if vu is not None and self._order != "random":
                # A successor of a lost worker goes on after the rows of that.
                self._handed_out = max(self._handed_out, vu._load.rows.first(self._key))
                vu._load.rows.claim(self._key, self._handed_out)
            row = self._pick(vu)
            self._handed_out += 1
        return cast("Row", dict(row)) if isinstance(row, dict) else row

    def _pick(self, vu: BaseVU | None) -> Row:
        if self._problem:
            raise FeederError(self._problem)
        if self._order == "random":
            if not self._rows:
                self._rows = list(self._all_rows())
                self._source = iter(())
            if self._rows:
                return (vu.random if vu is not None else self._random).choice(self._rows)
        if self._source is None:
            rows = self._all_rows()
            self._source = rows if self._order == "unique" else cycle(rows)
        position = vu._load.position if vu is not None else int
        try:
            return self._take(position(self._handed_out))
        except StopIteration:
            raise self._explain_end() from None

    def _all_rows(self) -> Iterator[Row]:
        # An iterator that has raised looks like one at its end.
        try:
            yield from self._open_rows()
        except OptionError as error:
            self._problem = str(error)
            raise FeederError(self._problem) from None
        except Exception as error:
            self._problem = f"{self._name}: no more rows, after {type(error).__name__}: {error}"
            raise

    def _take(self, position: int) -> Row:
        """Return the row at `position`, and skip those before it.

        Raises:
            StopIteration: There are not so many.
        """
        assert self._source is not None
        while True:
            row = next(self._source)
            self._read += 1
            if self._read > position:
                return row

    def _explain_end(self) -> K6ApiError:
        if not self._read:
            return FeederError(f"{self._name}: there are no rows")
        said = f"{self._name}: all {self._read} rows have been handed out"
        return FeederExhausted(said) if self._on_exhausted == "stop" else FeederError(said)

    def __repr__(self) -> str:
        return f"<Feeder of {self._name}, {self._order}, {self._handed_out} handed out>"


@overload
def feeder(
    source: str | Path, order: Order = "unique", on_exhausted: Exhaustion = "stop"
) -> Feeder[Any]: ...
@overload
def feeder(
    source: Iterable[Row], order: Order = "unique", on_exhausted: Exhaustion = "stop"
) -> Feeder[Row]: ...
def feeder(
    source: str | Path | Iterable[Any],
    order: Order = "unique",
    on_exhausted: Exhaustion = "stop",
) -> Feeder[Any]:
    """Return a feeder of the rows of `source`.

    Args:
        source: A file (``.csv`` with a header, ``.jsonl`` or ``.ndjson`` with a
            value in each line; a relative path begins at the module that calls
            this), or any iterable.
        order: ``"unique"`` hands out each row once, over all virtual users;
            ``"circular"`` starts again after the last; ``"random"`` picks by the virtual
            user's RNG, which ``--k6-seed`` makes reproducible. Circular and random
            keep all rows in memory; random reads them all at once.
        on_exhausted: Behaviour after the last unique row: ``"stop"`` ends the load
            test, and the iteration counts as skipped; ``"fail"`` fails the iteration
            and all later ones.

    Raises:
        OptionError: An argument is not valid, or the file is missing, cannot be read, or
            has no first row. A malformed row further down fails the iteration that meets it,
            and all later ones.
    """
    __tracebackhide__ = True
    _check_choice("order", order, ("unique", "circular", "random"))
    _check_choice("on_exhausted", on_exhausted, ("stop", "fail"))
    caller = sys._getframe(1)
    if not isinstance(source, (str, Path)):
        if not isinstance(source, Iterable):
            raise OptionError(f"a feeder takes a path or an iterable, got {source!r}")
        name = f"a {type(source).__name__}"
        return Feeder(_key(caller), name, lambda: source, order, on_exhausted)
    here = caller.f_globals.get("__file__")
    read = read_rows(source, Path(here).parent if here else Path.cwd())
    return Feeder(_key(caller), Path(source).name, read, order, on_exhausted)


def _key(caller: FrameType) -> str:
    """Return what tells the feeder that `caller` makes from others, in every process of the suite."""
    place = f"{caller.f_globals.get('__name__')}:{caller.f_lineno}"
    _made[place] += 1  # a loop or a helper makes several in one line
    return f"{place}:{_made[place]}"


def _check_choice(option: str, value: object, choices: tuple[str, ...]) -> None:
    __tracebackhide__ = True
    if value not in choices:
        raise OptionError(f"a feeder's {option} is one of {', '.join(choices)}; got {value!r}")
