"""Calls over HTTP/2: one message there, one message back, and trailers, as gRPC has them."""

import types
from collections.abc import Generator
from typing import NamedTuple, Protocol

from outcome import Outcome
from trio.lowlevel import current_task

from pytest_k6api.protocols.http.h2.frames import LEAST_FRAME
from pytest_k6api.protocols.http.h2.patterns import AnyPattern
from pytest_k6api.protocols.http.h2.session import Session
from pytest_k6api.protocols.http.multiplexed import Carrier, HeaderBlock, Stream


class Answer(NamedTuple):
    """The response to a call.

    Attributes:
        block: The fields of its head.
        body: Its data.
        trailers: The fields behind them; the head's if there is nothing else.
    """

    block: HeaderBlock
    body: bytes
    trailers: HeaderBlock


class CallCarrier(Carrier, Protocol):
    """The part of a connection that its calls use.

    Attributes:
        ended_at: When the last byte of a response came.
        session: The connection's state.
        calls: Calls that are over and serve again.
    """

    ended_at: int
    session: Session
    calls: "list[CallStream]"

    def send_soon(self, data: bytes) -> None:
        """Send `data` when the loop comes round."""

    def answer(self) -> None:
        """Send what the session has to say, likewise."""


class CallStream(Stream):
    """A stream for requests and responses that are short and whole; it serves again when it is over."""

    __slots__ = ("_carrier", "_is_clean")

    def __init__(self, connection: CallCarrier) -> None:
        super().__init__(connection)
        self._carrier = connection
        self.is_eager = False
        # Whether it is as `renew` leaves it.
        self._is_clean = True

    @types.coroutine
    def run(
        self, block: bytes, content: bytes, deadline: int, max_size: int
    ) -> Generator[object, Outcome[object], Answer]:
        """Send a request and return the response; nothing of it is taken before it is whole.

        Args:
            block: The request's fields, from `encode_block`.
            content: Its data; may be empty.
            deadline: When it is overdue, in perf_counter_ns.
            max_size: The most bytes of the response's data.

        The connection has room for it.

        Raises:
            NetworkError: There is no response; the stream has ended.
        """
        self._prepare(deadline, max_size)
        connection = self._carrier
        try:
            if not self._send_whole(block, content):
                self.send_headers(block)
                yield from self.send(content, is_last=True).__await__()
            else:
                # `wait`, but for what is done with the data.
                self.task = task = current_task()
                task.custom_sleep_data = self
                if connection.task is None:
                    connection.resume_later(task)
                (yield self._parking).unwrap()
                self.task = None
                data = connection.take()
                taken = connection.session.take_like_before(self.id, data) if data else None
                if taken is not None:
                    return self._answer_like_before(*taken)
                connection.hand_out(data)
            while not self.is_complete:
                self.check()
                yield from self.wait()
        except BaseException:
            self.reset()
            raise
        head = self.block
        assert head is not None
        connection.calls.append(self)
        return Answer(head, self.take_held(), self.trailers or head)

    def _prepare(self, deadline: int, max_size: int) -> None:
        if not self._is_clean:
            self.renew(deadline)
        self._is_clean = False
        self.deadline = deadline
        self.max_size = max_size

    def _send_whole(self, block: bytes, content: bytes) -> bool:
        """Send a request in one piece; return False if it, or the connection, is not fit for that."""
        connection = self._carrier
        session = connection.session
        size, block_size = len(content), len(block)
        room = min(LEAST_FRAME, session.first_window, session.send_window)
        if size > room or block_size > LEAST_FRAME or session.next_id == 1:
            return False
        number = session.open(self).to_bytes(4)
        self.has_sent_all = True
        self.send_window -= size
        session.send_window -= size
        connection.send_soon(
            b"%b\1\4%b%b%b\0\1%b%b"
            % (block_size.to_bytes(3), number, block, size.to_bytes(3), number, content)
        )
        return True

    def _answer_like_before(self, pattern: AnyPattern, body: bytes) -> Answer:
        connection = self._carrier
        self.ended_at = connection.ended_at = connection.received_at
        if connection.session.answers:
            connection.answer()
        self._is_clean = True
        connection.calls.append(self)
        return Answer(pattern.block, body, pattern.trailers or pattern.block)
