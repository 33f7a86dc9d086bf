"""One stream of a connection: what a request and its response, or a call, go over.

Any task of the connection's streams may receive for all of them: the one that the line
resumes hands frames out (`MultiplexedConnection.hand_out`), and resumes the others. So a lone
stream costs no task and no other switch than the one to its own task.
"""

import math
import types
from collections.abc import Generator
from io import BytesIO
from time import perf_counter_ns
from typing import Protocol

from outcome import Outcome
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task

from pytest_k6api.protocols.http.message.errors import TIMED_OUT, NetworkError, body_too_large
from pytest_k6api.protocols.http.multiplexed.faults import CANCEL, PROTOCOL_ERROR, StreamFault
from pytest_k6api.protocols.http.multiplexed.header_blocks import (
    HEAD_TOO_LARGE,
    MAX_HEAD,
    HeaderBlock,
)
from pytest_k6api.protocols.http.net.batched_io import NEVER, wake_up, way_to_park

STREAM_WINDOW = 4 * 1024 * 1024
"""Bytes of a response that may come before they are taken: what a slow reader holds at most.

It is k6's, so servers meet the same window.
"""

# Bytes that `Stream.receive` returns at most.
_PIECE = 256 * 1024


class Carrier(Protocol):
    """The part of a connection that its streams use.

    Attributes:
        task: The task that is resumed with what comes next.
        received_at: When the latest bytes came, in perf_counter_ns.
    """

    task: Task | None
    received_at: int

    def resume_later(self, task: Task) -> None:
        """Have `task`, which is about to sleep, resumed when something comes."""

    def take(self) -> bytes | None:
        """Return what a task was resumed with, and forget it; None for an error, or nothing."""

    def hand_out(self, data: bytes | None) -> None:
        """Hand what was received to the streams: data, or the end, or an error."""

    def appoint(self) -> None:
        """See to it that a task is resumed with what comes next, if any waits."""

    def open_stream(self, stream: "Stream", block: bytes, *, is_last: bool) -> None:
        """Give `stream` a number and send its header block."""

    def room_for(self, stream: "Stream") -> int:
        """Return how many bytes of data can be sent now; 0 or less for none."""

    def put_data(self, stream: "Stream", data: memoryview, *, is_last: bool) -> None:
        """Send `data`, for which there is room."""

    def end_stream(self, stream: "Stream", code: int) -> None:
        """Reset `stream`; no-op if it has ended."""

    def refill(self, stream: "Stream") -> None:
        """Let more of `stream` come, whose data was taken."""


class Waiter:
    """A task that waits for something on a connection.

    Attributes:
        connection: The connection.
        group: What waits in its place, if one task waits for several.
        task: The task, while it waits.
    """

    __slots__ = ("_parking", "connection", "group", "task")

    def __init__(self, connection: Carrier) -> None:
        self.connection = connection
        self.group: Waiter | None = None
        self.task: Task | None = None
        self._parking: object = way_to_park(self._abort)

    @property
    def sleeper(self) -> Task | None:
        """The task that waits; None if none does, or it was resumed already."""
        waiter = self.group or self
        task = waiter.task
        # Trio forgets the data of a task that is resumed, be it by `Traffic`.
        return task if task is not None and task.custom_sleep_data is waiter else None

    @types.coroutine
    def wait(self) -> Generator[object, Outcome[object], None]:
        """Wait until something happened, and deal with what the connection received.

        The caller looks what it was, and may have to wait again.
        """
        connection = self.connection
        # `park` and `go_on`, without the calls.
        self.task = task = current_task()
        task.custom_sleep_data = self
        if connection.task is None:
            connection.resume_later(task)
        (yield self._parking).unwrap()
        self.task = None
        connection.hand_out(connection.take())

    def park(self) -> object:
        """Begin to wait; return what this task is to yield to Trio now. `go_on` ends the wait."""
        connection = self.connection
        self.task = task = current_task()
        task.custom_sleep_data = self
        if connection.task is None:
            connection.resume_later(task)
        return self._parking

    def go_on(self) -> None:
        """Deal with what the connection received, as the task that was resumed."""
        self.task = None
        self.connection.hand_out(self.connection.take())

    def notify(self) -> None:
        """Resume the task; no-op if it does not wait, or is resumed already."""
        waiter = self.group or self  # `sleeper`, without the call
        task = waiter.task
        if task is None or task.custom_sleep_data is not waiter:
            return
        if self.connection.task is task:
            self.connection.task = None
        wake_up(task, self)

    def unwrap(self) -> None:
        """Do nothing; see `pytest_k6api.protocols.http.net.batched_io.wake_up`."""

    def _abort(self, _raise_cancel: RaiseCancelT) -> Abort:
        connection, task, self.task = self.connection, self.task, None
        if connection.task is task:
            connection.task = None
            connection.appoint()
        return Abort.SUCCEEDED


class Stream(Waiter):
    """A stream: header fields and data in both directions, each at its own pace.

    One task may send while another receives. Both raise `NetworkError` once the stream has
    failed: because the server reset it, the connection ended, or `deadline` has passed.

    Attributes:
        id: Its number; 0 before `send_headers`.
        deadline: When it is overdue, in perf_counter_ns; `NEVER` for no limit.
        max_size: The most bytes of data that may come in all.
        block: The head of the response, once it has come.
        trailers: Its trailers, if there are any.
        is_complete: Whether the response has come to its end.
        error: Why the stream has failed.
        send_window: Bytes that the server takes now; see also `Session.send_window`.
        owed: Bytes of the window that were not given back yet.
        has_sent_all: Whether the request was sent to its end.
        is_eager: Whether `wait` ends with each frame, not only with the last.
        size: Bytes of data that have come.
        started_at, sent_at: When the first bytes were given to the system, and the last.
        first_byte_at, ended_at: When the first frame of the response came, and the last.
    """

    __slots__ = (
        "_data", "_informed", "_pieces", "block", "deadline", "ended_at", "error", "first_byte_at",
        "has_sent_all", "id", "is_complete", "is_eager", "max_size", "may_be_unseen", "owed",
        "send_window", "sender", "sent_at", "size", "started_at", "trailers",
    )  # fmt: skip

    def __init__(self, connection: Carrier) -> None:
        super().__init__(connection)
        self.max_size: float = math.inf
        self.is_eager = True
        self.renew(NEVER)

    def renew(self, deadline: int) -> None:
        """Make this a stream that was not opened yet."""
        self.id = self.owed = self.size = self._informed = 0
        self.deadline = deadline
        self.block: HeaderBlock | None = None
        self.trailers: HeaderBlock | None = None
        self.error: NetworkError | None = None
        self.sender: Waiter | None = None
        self.send_window = 0
        self.is_complete = self.has_sent_all = self.may_be_unseen = False
        self.started_at = self.sent_at = self.first_byte_at = self.ended_at = 0
        self._data = b""
        # Not a list of them: of one byte each, they would take 40 times the data's size.
        self._pieces: BytesIO | None = None

    def __repr__(self) -> str:
        state = "failed" if self.error else "complete" if self.is_complete else "open"
        return f"<{type(self).__name__} {self.id} {state}>"

    def send_headers(self, block: bytes, *, is_last: bool = False) -> None:
        """Open the stream, without waiting.

        Args:
            block: The request's fields, from `encode_block`.
            is_last: Whether no data follows.
        """
        self.has_sent_all = is_last
        self.connection.open_stream(self, block, is_last=is_last)

    async def send(self, data: bytes | memoryview, *, is_last: bool = False) -> None:
        """Send `data` when the server takes it; without waiting, if it takes it now.

        Once the response is complete the rest is left out: the server does not want it.

        Args:
            data: The data; may be empty.
            is_last: Whether it ends the request.

        Raises:
            NetworkError: The stream has failed.
        """
        view = memoryview(data)
        while not self.is_complete:
            self.check()
            room = self.connection.room_for(self)
            piece, view = view[:room], view[max(room, 0) :]
            if piece or not view:
                self.has_sent_all = is_last and not view
                if piece or self.has_sent_all:
                    self.connection.put_data(self, piece, is_last=self.has_sent_all)
            if not view:
                return
            if self.sender is None:
                self.sender = Waiter(self.connection)
            if self.connection.room_for(self) <= 0:
                await self.sender.wait()

    async def receive(self) -> bytes:
        """Return the data that has come, waiting for some; ``b""`` at the end.

        `block` has come before the first data, `trailers` before the end.

        Raises:
            NetworkError: The stream has failed.
        """
        while (data := self.receive_nowait()) is None:
            await self.wait()
        return data

    def receive_nowait(self) -> bytes | None:
        """Return what `receive` does, or None if nothing has come.

        Raises:
            NetworkError: The stream has failed.
        """
        if not self.size_held and not self.is_complete:
            self.check()
            return None
        data = self.take_held(_PIECE)
        self.connection.refill(self)
        return data

    async def wait_head(self) -> HeaderBlock:
        """Wait for the head of the response and return it.

        Raises:
            NetworkError: The stream has failed.
        """
        while self.block is None:
            self.check()
            await self.wait()
        return self.block

    def reset(self, code: int = CANCEL) -> None:
        """End the stream at once; no-op if it has ended."""
        self.connection.end_stream(self, code)

    def check(self) -> None:
        """Raise what became of the stream, if it is neither under way nor complete."""
        if self.error is not None:
            raise self.error
        if not self.is_complete and (now := perf_counter_ns()) >= self.deadline:
            self.ended_at = now
            raise NetworkError(TIMED_OUT)

    @property
    def size_held(self) -> int:
        """Bytes that have come and were not taken."""
        return len(self._data) if self._pieces is None else self._pieces.tell()

    @property
    def is_drained(self) -> bool:
        """Whether what has come was taken, or will be as a whole, so that more may come."""
        return not self.is_eager or not self.size_held

    def take_held(self, most: int | None = None) -> bytes:
        """Return the data that has come, and forget it; of that only `most` bytes."""
        pieces, self._pieces = self._pieces, None
        data = self._data if pieces is None else pieces.getvalue()
        self._data = b""
        if most is not None and len(data) > most:
            self._data = data[most:]
            return data[:most]
        return data

    def take_block(self, block: HeaderBlock, *, is_last: bool) -> None:
        """Take what a header block of the stream says.

        Raises:
            StreamFault: It has no place here.
        """
        if not self.first_byte_at:
            self.first_byte_at = self.connection.received_at
        flaw = block.flaw or self._place(block, is_last=is_last)
        if flaw:
            raise StreamFault(PROTOCOL_ERROR, flaw)
        if self.is_eager:
            self.notify()

    def _place(self, block: HeaderBlock, *, is_last: bool) -> str:
        """Set `block` or `trailers`; return why it can be neither."""
        if self.block is not None:
            self.trailers = block
            if block.status:
                return "trailers with a status"
            return "" if is_last else "trailers that are not the end"
        if not block.status:
            return "a head without status"
        if block.status >= 200:
            self.block = block
            return ""
        self._informed += len(block.wire)
        if self._informed > MAX_HEAD:
            raise StreamFault(CANCEL, HEAD_TOO_LARGE)
        return "an informational response that is the end" if is_last else ""

    def take_whole(self, block: HeaderBlock, body: bytes) -> bool:
        """Take a whole response at once; return False if only its parts may tell what it is."""
        if self.is_eager or self.block or not self.has_sent_all or len(body) > self.max_size:
            return False
        self.block, self._data, self.size = block, body, len(body)
        self.is_complete = True
        self.first_byte_at = self.ended_at = self.connection.received_at
        self.notify()
        return True

    def take_data(self, data: bytes) -> None:
        """Take the data of a frame.

        Raises:
            StreamFault: It has no place here, or is too much.
        """
        if self.block is None:
            raise StreamFault(PROTOCOL_ERROR, "DATA before HEADERS")
        self.size += len(data)
        if self.size > self.max_size:
            raise StreamFault(CANCEL, body_too_large(int(self.max_size)))
        if self._pieces is not None:
            self._pieces.write(data)
        elif not self._data:
            self._data = data
        else:
            self._pieces = BytesIO()
            self._pieces.write(self._data)
            self._pieces.write(data)
        if self.is_eager:
            self.notify()

    def complete(self) -> None:
        """Take note of the end of the response.

        Raises:
            StreamFault: It is none.
        """
        if self.block is None:  # 1xx cannot end a stream
            raise StreamFault(PROTOCOL_ERROR, "a response without head")
        self.is_complete = True
        self.ended_at = self.connection.received_at
        self.notify()
        self.notify_sender()

    def fail(self, error: NetworkError) -> None:
        """Take note that nothing follows any more."""
        self.error = error
        self.ended_at = perf_counter_ns()
        self.notify()
        self.notify_sender()

    def notify_sender(self) -> None:
        """Resume the task that waits to send, if there is one."""
        if self.sender is not None:
            self.sender.notify()
