"""Failures inside virtual users as values: what failed, where, how often, and examples."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from pytest_k6api.model import PROTOCOLS
from pytest_k6api.vu.failures.tracebacks import render_traceback, trim_traceback

_NAMED_WORKERS = 3
_NOUNS = frozenset(protocol.noun for protocol in PROTOCOLS)


class FailureKind(Enum):
    """The kind of code that failed."""

    ITERATION = "iteration"
    CHECK = "check"
    VU_FIXTURE = "vu_fixture"
    SETUP = "setup"
    TEARDOWN = "teardown"
    REQUEST = "request"
    STREAM = "stream"
    SESSION = "session"
    CALL = "call"

    @property
    def is_protocols(self) -> bool:
        """Whether a protocol failed, which has an exchange and no traceback."""
        return self.value in _NOUNS

    @property
    def whole(self) -> str:
        """The word for the things that `Failure.share` is a share of."""
        return f"{self.value}s of that name" if self.is_protocols else "iterations"


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
        worker: The worker of which it is; empty if the load test has none.
    """

    vu: int
    iteration: int
    at: float
    exchange: str
    worker: str = ""

    @property
    def place(self) -> str:
        """The worker, VU and iteration, as far as there are any: no VU runs setup and teardown."""
        vu = f"VU {self.vu}, iteration {self.iteration}" if self.vu else ""
        return ", ".join(filter(None, (self.worker, vu)))


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

    @classmethod
    def of_text(cls, text: str) -> "Traceback":
        """Return a traceback that was rendered elsewhere."""
        traceback = cls(BaseException(), lambda _: text)
        str(traceback)
        return traceback

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
        workers: The workers in which it happened, in the order of their names.
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
    workers: tuple[str, ...] = ()

    @property
    def traceback(self) -> str:
        """The traceback of the first as text; empty for a check that was false."""
        return str(self.first_traceback) if self.first_traceback is not None else ""

    @property
    def on_workers(self) -> str:
        """Where it happened, such as ``on worker 1, worker 3``; empty if there are no workers."""
        if len(self.workers) > _NAMED_WORKERS:
            return f"on {len(self.workers)} workers"
        return f"on {', '.join(self.workers)}" if self.workers else ""

    @property
    def details(self) -> str:
        """The workers, the hint, the traceback and the examples as one text."""
        parts = [part for part in (self.on_workers, self.hint, self.traceback) if part]
        for example in self.examples:
            head = ", ".join(filter(None, (example.place, f"at {example.at:.3f} s")))
            parts.append(f"{head}\n{example.exchange}" if example.exchange else head)
        return "\n".join(parts)
