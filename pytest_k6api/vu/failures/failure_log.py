"""Failures inside virtual users, grouped: one entry per location and message.

A load test may fail a million times. An entry counts its failures and keeps the
traceback of the first and the requests of the first few, so memory is bounded and a
failure costs a few microseconds (``benchmarks/bench_iteration.py``).

Thread-safe: checks of synchronous scenarios fail in worker threads.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import CodeType
from typing import Protocol

from pytest_k6api.model import SECRETS, storable
from pytest_k6api.vu.failures.tracebacks import (
    code_location,
    failing_line,
    group_error,
    hint_for,
    one_line,
    only_error,
    render_traceback,
    trim_traceback,
)

EXAMPLES = 3
"""Number of failures of one entry that are kept with their requests."""

ENTRIES = 100
"""Number of entries, beyond which there is one for each kind, scenario and exception type."""

MOST = 2 * ENTRIES
"""Maximum of entries, beyond which there is one for each kind and scenario."""

MESSAGES_PER_LOCATION = 5
"""Number of messages of one location with an entry of their own; the others share one."""

_LONGEST_TRACEBACK = 100_000  # characters


class FailureKind(Enum):
    """The kind of code that failed."""

    ITERATION = "iteration"
    CHECK = "check"
    VU_FIXTURE = "vu_fixture"
    SETUP = "setup"
    TEARDOWN = "teardown"
    REQUEST = "request"


class Witness(Protocol):
    """The virtual user in which a failure happened."""

    @property
    def id(self) -> int:
        """The VU's number; 0 in setup and teardown."""

    @property
    def iteration(self) -> int:
        """The VU's iteration, from 0."""

    @property
    def scenario(self) -> str:
        """The scenario; empty in setup and teardown."""

    def describe_last_exchange(self) -> str:
        """Return its last request and the response in text; empty if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One failure of an entry.

    Attributes:
        vu: The VU's number.
        iteration: The VU's iteration, from 0.
        at: Seconds of test-run time.
        exchange: The last request and response before it, as text; may be empty.
    """

    vu: int
    iteration: int
    at: float
    exchange: str


class Traceback:
    """A traceback that is rendered at its first use as text.

    Rendering takes milliseconds, during which the loop would serve no virtual user
    and every pending response would seem slow.
    """

    __slots__ = ("_error", "_render", "_text")

    def __init__(self, error: BaseException, render: Callable[[BaseException], str]) -> None:
        self._error: BaseException | None = trim_traceback(error)
        self._render = render
        self._text = ""

    @property
    def error(self) -> BaseException | None:
        """The exception; None after rendering."""
        return self._error

    def __str__(self) -> str:
        error = self._error
        if error is not None:
            self._text = _rendered(error, self._render)
            self._error = None  # and its frames
        return self._text


def _rendered(error: BaseException, render: Callable[[BaseException], str]) -> str:
    try:
        return render(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a __str__ or __repr__ of the test's code
        return render_traceback(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """All failures of one kind, scenario, location and message.

    Attributes:
        kind: The kind of code that failed.
        scenario: The scenario; empty for setup and teardown.
        message: The exception's type and text, the check's name, or a request's error
            or status, method and name, in one line.
        location: ``file:line``; empty if unknown.
        count: Number of failures.
        share: `count` per iteration of the scenario, at most 1, None without iterations;
            of requests, per request of that scenario, method and name.
        first_at: Test-run time of the first, in seconds.
        last_at: Test-run time of the last.
        first_traceback: The traceback of the first; None for a check that was false.
        examples: The first few.
        hint: Advice for the code; may be empty.
        is_rest: Whether it sums up failures beyond the limit of entries.
    """

    kind: FailureKind
    scenario: str
    message: str
    location: str
    count: int
    share: float | None
    first_at: float
    last_at: float
    first_traceback: Traceback | None
    examples: tuple[Example, ...]
    hint: str = ""
    is_rest: bool = False

    @property
    def traceback(self) -> str:
        """The traceback of the first as text; empty for a check that was false."""
        return str(self.first_traceback) if self.first_traceback is not None else ""

    @property
    def details(self) -> str:
        """The hint, the traceback and the examples as one text."""
        parts = [part for part in (self.hint, self.traceback) if part]
        for example in self.examples:
            head = f"at {example.at:.3f} s"
            if example.vu:  # no VU runs setup and teardown
                head = f"VU {example.vu}, iteration {example.iteration}, {head}"
            parts.append(f"{head}\n{example.exchange}" if example.exchange else head)
        return "\n".join(parts)


_REST = "rest"

# (kind, scenario, code of the location, its line, type of the exception, message)
_Key = tuple[FailureKind, str, CodeType | None, int, type[BaseException] | None, str]


class _Entry:
    __slots__ = (
        "count",
        "examples",
        "first_at",
        "hint",
        "is_rest",
        "last_at",
        "location",
        "message",
        "traceback",
    )  # fmt: skip

    def __init__(
        self, message: str, location: str, at: float, traceback: Traceback | None, hint: str
    ) -> None:
        self.message = message
        self.location = location
        self.hint = hint
        self.is_rest = False
        self.traceback = traceback
        self.count = 0
        self.first_at = at
        self.last_at = at
        self.examples: list[Example] = []


class FailureLog:
    """The failures of one load test.

    Args:
        elapsed: Returns seconds of test-run time; callable from every thread.
        render: Renders an exception as text. Its traceback begins in user code.
        mask: Masks the secrets in a message or a traceback.
    """

    def __init__(
        self,
        elapsed: Callable[[], float],
        render: Callable[[BaseException], str] = render_traceback,
        mask: Callable[[str], str] = SECRETS.mask_text,
    ) -> None:
        self._elapsed = elapsed
        self._mask = mask
        self._render = lambda error: storable(mask(render(error)), _LONGEST_TRACEBACK)
        self._entries: dict[_Key, _Entry] = {}
        self._messages: dict[tuple[FailureKind, str, CodeType | None, int], int] = {}
        self._lock = threading.Lock()

    def add(self, kind: FailureKind, error: BaseException, witness: Witness) -> None:
        """Count the exception `error`, raised in the VU `witness`."""
        code, line = failing_line(error)
        cause = only_error(error)
        key = (kind, witness.scenario, code, line, type(cause), group_error(cause))
        self._count(key, one_line(error), error, witness)

    def add_check(
        self,
        name: str,
        witness: Witness,
        *,
        location: tuple[CodeType | None, int] = (None, 0),
        error: BaseException | None = None,
    ) -> None:
        """Count the failed check `name`, with its exception, or the `location` where it was false."""
        if error is None:
            key: _Key = (FailureKind.CHECK, witness.scenario, *location, None, name)
            self._count(key, name, None, witness)
        else:
            code, line = failing_line(error)
            message = f"{name}: {one_line(error)}"
            key = (
                FailureKind.CHECK,
                witness.scenario,
                code,
                line,
                type(error),
                f"{name}: {group_error(only_error(error))}",
            )
            self._count(key, message, error, witness)

    def snapshot(self, iterations: Mapping[str, int] | None = None) -> tuple[Failure, ...]:
        """Return all entries, most frequent first.

        Args:
            iterations: Completed iterations of each scenario.
        """
        with self._lock:
            failures = [
                _freeze(key, entry, (iterations or {}).get(key[1], 0))
                for key, entry in self._entries.items()
            ]
        return tuple(sorted(failures, key=lambda failure: (failure.is_rest, -failure.count)))

    def _count(
        self, key: _Key, message: str, error: BaseException | None, witness: Witness
    ) -> None:
        with self._lock:
            entry = self._entries.get(key) or self._open(key, message, error)
            entry.count += 1
            entry.last_at = at = self._elapsed()
            if len(entry.examples) < EXAMPLES:
                entry.examples.append(
                    Example(
                        vu=witness.id,
                        iteration=witness.iteration,
                        at=at,
                        exchange=witness.describe_last_exchange(),
                    )
                )

    def _open(self, key: _Key, message: str, error: BaseException | None) -> _Entry:
        kind, scenario, code, line, error_type, _ = key
        there = self._messages.get((kind, scenario, code, line), 0)
        is_rest = True
        if len(self._entries) >= MOST:
            key = (kind, scenario, None, 0, None, _REST)
        elif len(self._entries) >= ENTRIES:
            key = (kind, scenario, None, 0, error_type, _REST)
        elif there >= MESSAGES_PER_LOCATION:
            # Messages that differ each time would use up all entries.
            key = (kind, scenario, code, line, error_type, _REST)
        else:
            is_rest = False
            self._messages[kind, scenario, code, line] = there + 1
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._entry(message, code, line, error)
            entry.is_rest = is_rest
        return entry

    def _entry(
        self, message: str, code: CodeType | None, line: int, error: BaseException | None
    ) -> _Entry:
        return _Entry(
            storable(self._mask(message)),
            code_location(code, line),
            self._elapsed(),
            Traceback(error, self._render) if error is not None else None,
            hint_for(error) if error is not None else "",
        )


def _freeze(key: _Key, entry: _Entry, iterations: int) -> Failure:
    return Failure(
        kind=key[0],
        scenario=key[1],
        message=f"{entry.message} (and others)" if entry.is_rest else entry.message,
        location=entry.location,
        count=entry.count,
        share=min(1.0, entry.count / iterations) if iterations else None,
        first_at=entry.first_at,
        last_at=entry.last_at,
        first_traceback=entry.traceback,
        examples=tuple(entry.examples),
        hint=entry.hint,
        is_rest=entry.is_rest,
    )
