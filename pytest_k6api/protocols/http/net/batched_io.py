"""Sends all requests together and receives all responses together, once in each turn of the loop.

A virtual user that called ``send`` and ``recv`` itself would mix Python with the
kernel's network code, request by request: each evicts the other from the caches
of the processor, and each lone ``send`` wakes a server that had just gone to
sleep. In batches a request costs a third less (``docs/explanation/performance.md``). And
times are those of the system calls, or better: where the kernel tells when a response
came in, what other virtual users do in the meantime is not counted as the server's time
(``benchmarks/fairness.py`` compares both sides).

So a connection puts itself into `Traffic.outbox` and its task to sleep. Trio tells
its instruments when it is about to wait for events, and when it has waited: `Traffic`
sends and receives then. Which sockets are ready `pytest_k6api.protocols.http.net.readiness`
tells it.

A `Line` sends a request and waits for its response. A `Duplex` sends whenever it likes,
and its task is resumed each time something comes.
"""

import select
import ssl
from collections.abc import Callable
from time import perf_counter_ns
from typing import Protocol

import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    TrioToken,
    current_trio_token,
    reschedule,
    wait_task_rescheduled,
)

from pytest_k6api.protocols.http.net.readiness import (
    HUNG_UP,
    EpollReadiness,
    TaskReadiness,
    come_round,
)
from pytest_k6api.protocols.http.net.tcp import (
    ROOM_FOR_ARRIVAL,
    TIMESPEC,
    KernelClock,
    NonBlockingSocket,
)

_MOST_EVENTS = 4096

NEVER = 1 << 63
"""A deadline that is not reached, in perf_counter_ns."""

# Bytes asked for first: Python allocates as much, and most responses fit.
FIRST_SIZE = 16 * 1024


class Line(Protocol):
    """A connection as `Traffic` sees it: it sends one request, then waits for the response.

    Attributes:
        fd: The socket's file descriptor.
        task: The task that waits for something to be received, or None.
        wire: The bytes to send.
        bytes_sent: How much of it was sent.
        started_at: When its sending began, in perf_counter_ns.
        sent_at: When all of it had been; 0 before.
        data: The bytes received; None while there are none, and after an error.
        error: The error, if there was one.
        received_at: When `data` came in.
        is_timed: Whether anything needs these times. If not, nothing is sure but that data came
            before `received_at`, which costs less.
        has_news: Whether something came while no task waited: the end, most likely.
    """

    fd: int
    task: Task | None
    wire: bytes
    bytes_sent: int
    started_at: int
    sent_at: int
    data: bytes | None
    error: Exception | None
    received_at: int
    is_timed: bool
    has_news: bool

    @property
    def sock(self) -> NonBlockingSocket:
        """Its socket, which does not block."""

    def unwrap(self) -> None:
        """Do nothing; see `wake_up`."""


class Duplex(Line, Protocol):
    """A connection that sends whether or not a task waits for something to be received."""

    def flush(self) -> bool:
        """Send what the socket takes of `wire`; return whether nothing is left. Never raises."""


class Sleeper(Protocol):
    """A task that waits for something else than data."""

    def wake(self) -> None:
        """Resume it so that it checks; no-op if it does not wait."""


def way_to_park(abort: Callable[[RaiseCancelT], Abort]) -> object:
    """Return what a coroutine may yield, as often as it likes, to wait for `wake_up`.

    It is the message by which `trio.lowlevel.wait_task_rescheduled` tells Trio what
    to do: made once for a connection and not for each request, which saves a
    coroutine, a generator and the message (a sixth of what Trio's part costs).
    """
    return wait_task_rescheduled(abort).send(None)  # noqa: ASYNC105 - see above


class Wakes(Protocol):
    """The reason why a task is resumed."""

    def unwrap(self) -> None:
        """Do nothing; see `wake_up`."""


def wake_up(task: Task, line: Wakes) -> None:
    """Resume `task`, which waits for `line`.

    `line` itself stands where Trio has an outcome, which the task only unwraps: a real
    one for each request would cost a quarter of Trio's part.
    """
    reschedule(task, line)  # type: ignore[arg-type]


class Traffic(trio.abc.Instrument):
    """Sends and receives for all connections of one load test.

    Attributes:
        outbox: Lines whose `wire` is to be sent when the loop comes round.
        duplex_outbox: Duplex lines that have something to send then, or to look for.
        clock: Translates the kernel's times of arrival.
        uses_epoll: Whether the system has epoll; where it has not, other parts of Trio do.
        tells_end: Whether an end that came with the last bytes sets `has_news` at once.
        turns_late: Turns of the loop by which something may have come before it is received.
    """

    uses_epoll = hasattr(select, "epoll")

    def __init__(self) -> None:
        self.outbox: list[Line] = []
        self.duplex_outbox: list[Duplex] = []
        self.clock = KernelClock()
        self._readiness = EpollReadiness() if self.uses_epoll else TaskReadiness()
        self._poll = self._readiness.poll
        self.tells_end = self._readiness.tells_end
        self.turns_late = self._readiness.turns_late
        self._lines: dict[int, Line] = {}
        self._dials: dict[int, Sleeper] = {}
        self._missed: list[Line] = []
        # The sockets whose peer has said that it sends no more, which is told once: the end
        # stands behind what was not received then.
        self._hung_up: set[int] = set()
        # Duplex lines whose send buffer is full.
        self._blocked: dict[int, Duplex] = {}
        self._token: TrioToken | None = None
        # When the last poll began that told all there was, in perf_counter_ns.
        self._polled_at = 0

    def __repr__(self) -> str:
        return f"<Traffic over {len(self._lines)} connections>"

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Let Trio know of everything that comes, until cancelled."""
        self._token = current_trio_token()
        trio.lowlevel.add_instrument(self)
        try:
            await self._readiness.run(task_status=task_status)
        finally:
            trio.lowlevel.remove_instrument(self)

    def add(self, line: Line) -> None:
        """Watch `line` until it is closed."""
        self._lines[line.fd] = line
        self._readiness.add(line)

    def remove(self, line: Line) -> None:
        """Forget `line`: its socket is about to be closed, or is another's for a while."""
        self._readiness.remove(line)
        self._lines.pop(line.fd, None)
        self._hung_up.discard(line.fd)
        self._blocked.pop(line.fd, None)

    def add_dial(self, fd: int, dial: Sleeper) -> None:
        """Wake `dial` when the socket `fd` is connected, or cannot be."""
        self._readiness.add_dial(fd)
        self._dials[fd] = dial

    def remove_dial(self, fd: int) -> None:
        """Stop watching the socket `fd`."""
        self._readiness.remove_dial(fd)
        del self._dials[fd]

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - Trio's signature
        """Send what is in the outboxes; Trio calls it when all tasks have had their turn."""
        if self.duplex_outbox:
            self._send_duplex()
        outbox = self.outbox
        if not outbox:
            return
        now = perf_counter_ns()
        for line in outbox:
            if line.task is None:  # it was cancelled, or is overdue
                continue
            line.started_at = now
            try:
                line.bytes_sent = line.sock.send(line.wire)
            # Trio drops an instrument that raises, and all would wait for ever.
            except Exception as error:  # noqa: BLE001
                line.error = error
                self._hand_back(line)
                continue
            now = perf_counter_ns()
            if line.bytes_sent != len(line.wire):
                self._hand_back(line)
                continue
            line.sent_at = now
            if line.has_news:
                self._look_again(line)
        outbox.clear()

    # One function, because each call would cost 0.1 µs or more.
    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002, C901, PLR0912, PLR0915 - Trio's signature
        """Receive what has come, and resume the tasks that wait for it."""
        asked = perf_counter_ns()
        events = self._poll(0, _MOST_EVENTS)
        now, offset = perf_counter_ns(), self.clock.offset
        # What is told now has come since the last poll, unless that had too much to tell.
        earliest = self._polled_at
        if len(events) < _MOST_EVENTS:
            self._polled_at = asked
        if self._missed:
            events += self._missed_beside(events)
        lines = self._lines
        for fd, flags in events:
            if (line := lines.get(fd)) is None:
                if fd in self._dials:
                    self._dials[fd].wake()
                continue
            task = line.task
            if task is None or not line.sent_at:
                line.has_news = True
                if flags & HUNG_UP:
                    self._hung_up.add(fd)
                continue
            try:
                arrived = now
                if not line.is_timed:
                    line.data = line.sock.recv(FIRST_SIZE)
                else:
                    line.data, told, _, _ = line.sock.recvmsg(FIRST_SIZE, ROOM_FOR_ARRIVAL)
                    if told:  # `arrived_at`, without the call
                        seconds, nanoseconds = TIMESPEC(told[0][2])
                        arrived = seconds * 1_000_000_000 + nanoseconds - offset
                line.received_at = arrived if earliest <= arrived <= now else now
            except (BlockingIOError, ssl.SSLWantReadError):  # TLS had something for itself
                continue
            except Exception as error:  # noqa: BLE001 - as above
                line.error = error
            line.task = None
            reschedule(task, line)  # type: ignore[arg-type]  # see `wake_up`
            # epoll is edge-triggered, and the end of a stream may share its edge
            # with the last bytes of a response: the next request must still meet it.
            if flags & HUNG_UP:
                line.has_news = True
                self._hung_up.add(fd)
        if self._blocked:
            self._send_blocked()

    def _missed_beside(self, events: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return what is to be dealt with beside `events`, of which epoll tells no more."""
        ended, met = self._hung_up, dict(events)
        fds = [line.fd for line in self._missed]
        self._missed.clear()
        # One that is among `events` is received for in any case, but not up to its end.
        return [(fd, HUNG_UP if fd in ended else 0) for fd in fds if fd in ended or fd not in met]

    def _send_duplex(self) -> None:
        outbox, self.duplex_outbox = self.duplex_outbox, []
        for line in outbox:
            if line.has_news and line.task is not None:
                self._look_again(line)
            if line.flush() or line.fd in self._blocked:
                continue
            if line.fd in self._lines:  # or it is closed
                self._blocked[line.fd] = line
                self._readiness.add_writer(line.fd)

    def _send_blocked(self) -> None:
        for fd, line in list(self._blocked.items()):
            if line.flush() and self._blocked.pop(fd, None) is not None:
                self._readiness.remove_writer(fd)

    def _look_again(self, line: Line) -> None:
        """Receive for `line` in this turn, though it may not be told of again."""
        line.has_news = False
        if not self._missed:  # once in a turn
            self._hurry()
        self._missed.append(line)

    def _hand_back(self, line: Line) -> None:
        # At once: a response may come in this very turn, and the task that gets it
        # would take the request for sent.
        task, line.task = line.task, None
        assert task is not None
        wake_up(task, line)
        self._hurry()

    def _hurry(self) -> None:
        # Trio has already decided how long to wait for events: this cuts it short. Called
        # by a task it might not: Trio may deal with the call before it waits.
        assert self._token is not None
        self._token.run_sync_soon(come_round)

    def close(self) -> None:
        """Give the system's resources back."""
        self._readiness.close()
        self.clock.close()
