"""Failures inside virtual users, grouped: one entry per location and message.

A load test may fail a million times. An entry counts its failures and keeps the
traceback of the first and the requests of the first few, so memory is bounded and a
failure costs a few microseconds (``benchmarks/bench_iteration.py``).

Thread-safe: checks of synchronous scenarios fail in worker threads.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import NamedTuple

from pytest_k6api.model import SECRETS, storable
from pytest_k6api.vu.failures.failure import Example, Failure, FailureKind, Traceback, Witness
from pytest_k6api.vu.failures.tracebacks import (
    code_location,
    failing_line,
    group_error,
    hint_for,
    one_line,
    only_error,
    render_traceback,
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


_REST = "rest"

CodeLine = tuple[CodeType | None, int]
"""A line of code; None if it is unknown."""


class FailureKey(NamedTuple):
    """What failures of one entry have in common.

    Attributes:
        kind: The kind of code that failed.
        scenario: The scenario.
        place: Code and line here, ``file:line`` of other processes; None for any.
        cause: The type of the exception here, its name of other processes; None for any.
        text: The message without its varying parts.
    """

    kind: FailureKind
    scenario: str
    place: CodeLine | str | None
    cause: type[BaseException] | str | None
    text: str


@dataclass(slots=True, kw_only=True)
class CountedFailures:
    """Failures that have a key in common; see `Failure`."""

    message: str
    location: str
    first_at: float
    last_at: float
    traceback: Traceback | None = None
    hint: str = ""
    is_rest: bool = False
    count: int = 0
    examples: list[Example] = field(default_factory=list)
    workers: set[str] = field(default_factory=set)


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
        self._entries: dict[FailureKey, CountedFailures] = {}
        # By kind, scenario and place.
        self._messages: dict[tuple[FailureKind, str, Hashable], int] = {}
        self._lock = threading.Lock()

    def add(self, kind: FailureKind, error: BaseException, witness: Witness) -> None:
        """Count the exception `error`, raised in the VU `witness`."""
        cause = only_error(error)
        place = failing_line(error)
        key = FailureKey(kind, witness.scenario, place, type(cause), group_error(cause))
        self._count(key, place, one_line(error), error, witness)

    def add_check(
        self,
        name: str,
        witness: Witness,
        *,
        location: CodeLine = (None, 0),
        error: BaseException | None = None,
    ) -> None:
        """Count the failed check `name`, with its exception, or the `location` where it was false."""
        message = text = name
        if error is not None:
            location = failing_line(error)
            message = f"{name}: {one_line(error)}"
            text = f"{name}: {group_error(only_error(error))}"
        cause = type(error) if error is not None else None
        key = FailureKey(FailureKind.CHECK, witness.scenario, location, cause, text)
        self._count(key, location, message, error, witness)

    def take_in(self, key: FailureKey, told: CountedFailures) -> None:
        """Add failures that were counted in another process.

        Args:
            key: What they have in common.
            told: What is new of them; `count` is that of the new ones.
        """
        with self._lock:
            entry = self._entries.get(key) or self._open(
                key,
                lambda: replace(told, count=0, examples=[], workers=set()),
                is_rest=told.is_rest,
            )
            entry.count += told.count
            entry.first_at = min(entry.first_at, told.first_at)
            entry.last_at = max(entry.last_at, told.last_at)
            entry.traceback = entry.traceback or told.traceback
            entry.workers |= told.workers
            examples = sorted([*entry.examples, *told.examples], key=lambda example: example.at)
            entry.examples = examples[:EXAMPLES]

    def entries(self) -> list[tuple[FailureKey, CountedFailures]]:
        """Return what is counted by now, as copies that share the tracebacks."""
        with self._lock:
            return [
                (key, replace(entry, examples=entry.examples[:], workers=entry.workers.copy()))
                for key, entry in self._entries.items()
            ]

    def snapshot(self, iterations: Mapping[str, int] | None = None) -> tuple[Failure, ...]:
        """Return all entries, most frequent first.

        Args:
            iterations: Completed iterations of each scenario.
        """
        failures = [
            _freeze(key, entry, (iterations or {}).get(key.scenario, 0))
            for key, entry in self.entries()
        ]
        return tuple(sorted(failures, key=lambda failure: (failure.is_rest, -failure.count)))

    def _count(
        self,
        key: FailureKey,
        place: CodeLine,
        message: str,
        error: BaseException | None,
        witness: Witness,
    ) -> None:
        with self._lock:
            entry = self._entries.get(key) or self._open(
                key, lambda: self._entry(message, place, error)
            )
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

    def _open(
        self, key: FailureKey, make: Callable[[], CountedFailures], *, is_rest: bool = False
    ) -> CountedFailures:
        """Return an entry for `key`, made now unless there are too many: then a rest's."""
        limited = self._limited(key, is_rest=is_rest)
        entry = self._entries.get(limited)
        if entry is None:
            entry = self._entries[limited] = make()
            entry.is_rest = limited is not key
        return entry

    def _limited(self, key: FailureKey, *, is_rest: bool) -> FailureKey:
        if len(self._entries) >= MOST:
            return key._replace(place=None, cause=None, text=_REST)
        if len(self._entries) >= ENTRIES:
            return key._replace(place=None, text=_REST)
        there = self._messages.get(key[:3], 0)
        if is_rest or there >= MESSAGES_PER_LOCATION:
            # Messages that differ each time would use up all entries.
            return key._replace(text=_REST)
        self._messages[key[:3]] = there + 1
        return key

    def _entry(self, message: str, place: CodeLine, error: BaseException | None) -> CountedFailures:
        now = self._elapsed()
        return CountedFailures(
            message=storable(self._mask(message)),
            location=code_location(*place),
            first_at=now,
            last_at=now,
            traceback=Traceback(error, self._render) if error is not None else None,
            hint=hint_for(error) if error is not None else "",
        )


def _freeze(key: FailureKey, entry: CountedFailures, iterations: int) -> Failure:
    return Failure(
        kind=key.kind,
        scenario=key.scenario,
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
        workers=tuple(sorted(entry.workers, key=lambda name: (len(name), name))),
    )
