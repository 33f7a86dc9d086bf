"""One open WebSocket session: messages out and in, and what became of it.

There is no task for it. Whoever waits for something reads for all (`_wait_for`); the
sweeper of the load test looks after a session that nobody reads, so that pings are
answered and deadlines kept (`wake`). Sending hands frames to the batch of all
connections, and waits only where the server does not take them.

`send` and `receive` are a hot path (``benchmarks/bench_websocket.py``).
"""

import math
from collections import deque
from contextlib import suppress
from time import perf_counter_ns

import trio

from pytest_k6api.model import Recorder
from pytest_k6api.protocols.http import DuplexLine, RequestFailure, explain_transfer
from pytest_k6api.protocols.http.net.batched_io import NEVER
from pytest_k6api.protocols.websocket import failures
from pytest_k6api.protocols.websocket.failures import WebSocketClosed
from pytest_k6api.protocols.websocket.outgoing import MOST_UNSENT, Outgoing
from pytest_k6api.protocols.websocket.rows import WS_RECEIVED_ROWS, WS_SENT_ROWS
from pytest_k6api.protocols.websocket.waits import Message, Wait
from pytest_k6api.protocols.websocket.wire.deflate import Deflater
from pytest_k6api.protocols.websocket.wire.frames import (
    ABNORMAL,
    GOING_AWAY,
    Breach,
    Close,
    Event,
    Ping,
    Pong,
)
from pytest_k6api.protocols.websocket.wire.reader import FrameReader

# Size of messages that no task has asked for, above which no more are read, and the oldest
# are dropped if a task waits for something else. Even an empty one takes some.
_MOST_UNREAD = 1024 * 1024
_OVERHEAD = 64
# Seconds that a server has to close the connection after the closing handshake.
_LINGER = 1.0
# Nanoseconds after which the sweeper looks after a session again.
_LOOK = 250_000_000


class WebSocketSession:
    """The inside of a `WebSocket`: its connection, its state, its counts.

    Attributes:
        is_open: Whether it is not over.
        is_usable: Whether messages can be sent and received: not any more once it is
            being closed.
        deadline: When the sweeper looks after it, in perf_counter_ns.
        failure: Why it failed; None if it has not, so far.
        closed_by_server: The close frame of the server; None before.
        was_closed: Whether that came before any close frame of ours.
        outgoing: Sends; knows the close frame sent, ours or the answer.
        ended_at: When it was over, in perf_counter_ns; 0 before.
        unread: The messages that came and were not received.
        dropped: How many of them were dropped, because they were too many.
        last_sent, last_received: The messages that went last, for reports; None before.

    Args:
        line: The connection, which is the session's from now on.
        reader: Reads its frames.
        recorder: The virtual user's.
        tags_id: The number of the tag set of its samples.
    """

    def __init__(
        self,
        line: DuplexLine,
        reader: FrameReader,
        recorder: Recorder,
        tags_id: int,
        *,
        deflater: Deflater | None = None,
        idle_timeout: float = math.inf,
        max_duration: float = math.inf,
    ) -> None:
        self.line = line
        self.recorder = recorder
        self.is_open = self.is_usable = True
        self.failure: RequestFailure | None = None
        self.closed_by_server: Close | None = None
        self.was_closed = False
        self.outgoing = Outgoing(line, recorder, deflater)
        self.ended_at = 0
        self.unread: deque[Message] = deque()
        self.dropped = 0
        self.last_sent: Message | None = None
        self.last_received: Message | None = None
        self._read_whole, self._feed = reader.read_whole, reader.feed
        self._tls = self.outgoing.tls
        self._put_message = self.outgoing.put_message
        self._row = (tags_id,)
        self._waits: list[Wait] = []
        self._is_reading = False
        self._unread_size = 0
        # Whether all has been said, and the server is to close the connection.
        self._is_servers_turn = False
        self._need = ""
        self._idle_timeout = idle_timeout
        self._has_idle_timeout = idle_timeout != math.inf
        self.opened_at = self._not_idle_at = now = perf_counter_ns()
        self._ends_at = now + max_duration
        self.deadline: float = now

    def __repr__(self) -> str:
        return f"<WebSocketSession over {self.line!r}, {'open' if self.is_open else 'closed'}>"

    async def send(self, message: Message) -> None:
        """Send `message`; wait only if much is waiting to be sent."""
        if not self.is_usable:
            raise self.closed_error("sent a message")
        self._put_message(message)
        self.recorder.buffer.rows[WS_SENT_ROWS].append(self._row)
        self.last_sent = message
        if len(self.line.wire) > MOST_UNSENT:
            await self._wait_sent()

    # One function, because each call would cost 0.1 µs or more.
    async def receive(self) -> Message:  # noqa: C901
        """Return the next message."""
        unread, line = self.unread, self.line
        if not unread:
            if self._is_reading or self._waits:
                return await self._receive_beside_others()
            self._is_reading = True
            if self._has_idle_timeout:
                self._not_idle_at = perf_counter_ns()
            try:
                while not unread:
                    if not self.is_usable:
                        raise self.closed_error("waited for a message")
                    # `_read`, without the call.
                    try:
                        data = await line.receive()
                    except (OSError, trio.ClosedResourceError) as error:
                        self._lose(error)
                        continue
                    if not self._waits and (message := self._read_whole(data)) is not None:
                        self._record(message, data)
                        return message
                    self.take(data)
                    if len(line.wire) > MOST_UNSENT:
                        await self._wait_sent()
            finally:
                self._is_reading = False
                if self._waits:
                    self._hand_on()
        message = unread.popleft()
        self._unread_size -= len(message) + _OVERHEAD
        return message

    async def _receive_beside_others(self) -> Message:
        wait = Wait(_is_message, math.inf, "")
        message = await self.wait_for(wait, "waited for a message")
        assert isinstance(message, (str, bytes))
        return message

    async def wait_for(self, wait: Wait, doing: str) -> Event:
        """Return the event that `wait` waits for, reading unless another task does.

        Raises:
            WebSocketClosed: The session is over; `doing` is what the scenario did then.
        """
        self._waits.append(wait)
        self.deadline = min(self.deadline, wait.deadline)
        try:
            while not wait.is_over:
                if self.ended_at:
                    raise self.closed_error(doing)
                if self._is_reading:
                    await wait.sleep()
                    continue
                self._is_reading = True
                try:
                    await self._read()
                finally:
                    self._is_reading = False
        finally:
            self._waits.remove(wait)
            self._hand_on()
        if wait.error is not None:
            raise wait.error
        assert wait.event is not None
        return wait.event

    def _hand_on(self) -> None:
        """Let another task that waits read, if none does."""
        if self._waits and not self._is_reading:
            self._waits[0].wake()

    async def _read(self) -> None:
        """Read once, and deal with what came; the session may be over then."""
        if len(self.line.wire) > MOST_UNSENT:
            # A server that sends pings and does not take the pongs.
            await self._wait_sent()
        try:
            data = await self.line.receive()
        except (OSError, trio.ClosedResourceError) as error:
            self._lose(error)
        else:
            self.take(data)

    async def _wait_sent(self) -> None:
        try:
            await self.line.wait_sent()
        except (OSError, trio.ClosedResourceError) as error:
            self._lose(error)

    def _record(self, message: Message, data: bytes) -> None:
        """Record a message that is all of the bytes `data`; `take` without what is more than that."""
        recorder = self.recorder
        if self._tls is None:
            recorder.bytes_received += len(data)
        else:
            self.outgoing.count(data)
        recorder.buffer.rows[WS_RECEIVED_ROWS].append(self._row)
        self.last_received = message

    def take(self, data: bytes) -> None:
        """Deal with the bytes `data`, of which there are none at the end of the stream."""
        self.outgoing.count(data)
        if not data:
            self.end(failures.gone() if self.outgoing.close_sent is None else None)
            return
        at = self.line.received_at
        for event in self._feed(data):
            if not isinstance(event, (str, bytes)):
                self._take_control(event, at)
                continue
            self.recorder.buffer.rows[WS_RECEIVED_ROWS].append(self._row)
            self.last_received = event
            if self._waits and self._take_awaited(event, at):
                continue
            if self.is_usable:
                self.unread.append(event)
                self._unread_size += len(event) + _OVERHEAD
                if self._unread_size > _MOST_UNREAD and self._waits:
                    self._drop_oldest()

    def _take_awaited(self, event: Event, at: int) -> bool:
        """Give `event` to the first task that waits for it; return whether there is one."""
        return any(not wait.is_over and wait.offer(event, at) for wait in self._waits)

    def _drop_oldest(self) -> None:
        while self._unread_size > _MOST_UNREAD and len(self.unread) > 1:
            self._unread_size -= len(self.unread.popleft()) + _OVERHEAD
            self.dropped += 1

    def _take_control(self, event: Event, at: int) -> None:
        if isinstance(event, Ping):
            self.outgoing.put_pong(event.payload)
        elif isinstance(event, Pong):
            self._take_awaited(event, at)
        elif isinstance(event, Close):
            self.closed_by_server = event
            self.was_closed = self.outgoing.close_sent is None
            self.outgoing.put_close(event.code, "")
            self._is_servers_turn = True
            self.end()
        elif isinstance(event, Breach):
            self.outgoing.put_close(event.code, event.text)
            self._is_servers_turn = True
            self.end(failures.broken_rule(event))

    def _lose(self, error: Exception) -> None:
        """Deal with `error` of the connection: the end, or an interruption by `end` or `close`."""
        if not isinstance(error, OSError):
            return
        # A server may take our close frame as the end of everything.
        self.end(None if self.outgoing.close_sent is not None else explain_transfer(error, "read"))

    def end(self, failure: RequestFailure | None = None) -> None:
        """Let the session be over, which tasks that wait learn; its connection is still there."""
        if self.ended_at:
            return
        self.is_open = self.is_usable = False
        self.ended_at = perf_counter_ns()
        self.failure = self.failure or failure
        self.deadline = NEVER
        for wait in self._waits:
            wait.wake()
        self.line.interrupt()

    def wake(self) -> None:
        """Look after the session: answer pings while nobody reads, and keep deadlines."""
        now = perf_counter_ns()
        if not self._is_reading:
            self._not_idle_at = now
            self._read_nowait()
        elif now - max(self.line.received_at, self._not_idle_at) >= self._idle_timeout:
            seconds = self._idle_timeout / 1e9
            self.fail(failures.overdue(f"the server sent nothing for {seconds:g} s (idle_timeout)"))
        if now >= self._ends_at:
            seconds = (self._ends_at - self.opened_at) / 1e9
            self.fail(
                failures.overdue(f"the session took longer than {seconds:g} s (max_duration)")
            )
        for wait in self._waits:
            if now >= wait.deadline and not wait.is_over:
                self.fail(wait.overdue)
                break
        if not self.ended_at:
            self.deadline = min(now + _LOOK, self._next_deadline())

    def _next_deadline(self) -> float:
        least = min([wait.deadline for wait in self._waits], default=math.inf)
        return min(least, self._ends_at, self._not_idle_at + self._idle_timeout)

    def fail(self, failure: RequestFailure) -> None:
        """Say good-bye and be over, because of `failure`."""
        if not self.ended_at:
            self.outgoing.put_close(GOING_AWAY, "")
            self.end(failure)

    def _read_nowait(self) -> None:
        try:
            while self._unread_size < _MOST_UNREAD and len(self.line.wire) <= MOST_UNSENT:
                data = self.line.receive_nowait()
                if data is None or self.ended_at:
                    return
                self.take(data)
        except OSError as error:
            self._lose(error)

    async def close(self, code: int, reason: str, patience: float) -> None:
        """Send a close frame, and wait up to `patience` seconds for the answer to it."""
        if self.ended_at:
            return
        self.is_usable = False
        self.outgoing.put_close(code, reason)
        self.line.interrupt()
        deadline = perf_counter_ns() + patience * 1e9
        wait = Wait(_is_nothing, deadline, f"the server did not close within {patience:g} s")
        with suppress(WebSocketClosed):
            await self.wait_for(wait, "closed it")

    async def hang_up(self) -> None:
        """Close the connection; give the server a second to do so first, for its is the last word."""
        with suppress(OSError, trio.ClosedResourceError):
            # The end comes with the close frame as a rule: then there is nothing to wait for.
            if self._is_servers_turn and self.line.receive_nowait() != b"":
                with trio.move_on_after(_LINGER):
                    while await self.line.receive():
                        pass
        self.drop()

    def drop(self) -> None:
        """Close the connection at once, with a close frame if the socket takes it."""
        if self.line.is_open:
            if not self.ended_at:
                self.outgoing.put_close(GOING_AWAY, "")
            self.line.flush()
            self.outgoing.count(b"")
        self.end()
        self.line.close()

    def closed_error(self, doing: str) -> WebSocketClosed:
        """Return the exception for what the scenario does, or did, when the session is over."""
        self._need = doing
        code, reason = self.closed_by_server or self.outgoing.close_sent or Close(ABNORMAL, "")
        text = self.need_failure().text
        return WebSocketClosed(text, code=code, reason=reason, owner=self)

    def need_failure(self) -> RequestFailure:
        """Return the failure of a session that was over when the scenario needed it."""
        if self.failure is not None:
            return self.failure
        if self.closed_by_server is not None and self.was_closed:
            return failures.unexpected_close(self.closed_by_server, self._need)
        return failures.closed_too_soon(self._need)


def _is_nothing(_event: Event) -> bool:
    return False


def _is_message(event: Event) -> bool:
    return isinstance(event, (str, bytes))
