"""Reads one response from bytes as they come: llhttp frames it, the caller receives.

llhttp hands over no header: it calls three bound methods of lists, so that no
Python function runs while it parses. The head is kept as it came, for
`pytest_k6api.http.response` to read when it is asked to. What users may meet (a
response in many pieces, 1xx before it, a body that ends with the connection, bytes
that are no HTTP) is dealt with here; heads that are known do not come this far.
"""

from collections.abc import Awaitable, Callable
from typing import NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from pytest_k6api.http.errors import (
    CLOSED_MIDWAY,
    NetworkError,
    body_too_large,
    explain_malformed,
    head_too_large,
)
from pytest_k6api.http.framing import (
    STATUS_END,
    announces_its_end,
    is_informational,
    keeps_alive,
)

MAX_HEAD = 1024 * 1024

# llhttp pops one when a message begins and one when it is complete. So tickets
# are left while a response is incomplete, and a second message, which nobody
# asked for, finds none: the pop fails, and with it the parser.
_TICKETS = ("complete", "begin")


Receive = Callable[[], Awaitable[bytes]]


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    Attributes:
        status, head, body: The response that was read: its head is everything up to
            the blank line, its body is without chunks but still encoded.
        lowered: The head in lower case, to look header names up in.
        is_last: Whether no other response may follow on the connection.

    Args:
        max_size: The most bytes that a body may have.
    """

    __slots__ = (
        "_chunks", "_max_size", "_parser", "_tickets", "body", "head", "is_last",
        "lowered", "on_body", "on_message_begin", "on_message_complete", "status",
    )  # fmt: skip

    def __init__(self, max_size: float) -> None:
        self.status = 0
        self.head = self.lowered = self.body = b""
        self.is_last = False
        self._max_size = max_size
        self._chunks: list[bytes] = []
        self._tickets: list[str] = []
        self.on_body = self._chunks.append
        self.on_message_begin = self.on_message_complete = self._tickets.pop
        self._parser = HttpResponseParser(self)

    def __repr__(self) -> str:
        return f"<ResponseReader of {self.status or 'nothing yet'}>"

    async def read(self, data: bytes, receive: Receive, *, has_body: bool) -> None:
        """Read a response into the attributes.

        Args:
            data: Its first bytes; at least one.
            receive: Returns the next bytes of the connection; none at its end.
            has_body: False for HEAD, whose response has only a head.

        Raises:
            NetworkError: It is no response, is too large, or ends midway.
        """
        self.head = b""
        self._tickets[:] = _TICKETS
        if not data.startswith(b"HTTP/1.1 2"):
            data = await self._skip_informational(data, receive)
        if has_body:
            self._feed(data, data)
            await self._read_rest(data, receive)
        else:
            await self._read_head_only(data, receive)
        self.status = self._parser.get_status_code()
        lowered = self.lowered = self.head.lower()
        if b"\r\nconnection:" in lowered or lowered.startswith(b"http/1.0"):
            self.is_last = self.is_last or not keeps_alive(lowered)
        if not has_body:
            # The old parser still waits for the body.
            self._parser = HttpResponseParser(self)

    def take_partial_body(self) -> bytes:
        """Return what there is of the body, and forget it; after a failure."""
        body = b"".join(self._chunks)
        self._chunks.clear()
        return body

    async def _skip_informational(self, data: bytes, receive: Receive) -> bytes:
        """Return what follows the 1xx responses that `data` begins with."""
        while True:
            # The least that tells a status, unless it is no HTTP at all.
            while len(data) < STATUS_END and data.startswith(b"HTTP/1."[: len(data)]):
                data += await _need_more(data, receive)
            if not is_informational(data):
                return data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                data += await _need_more(data, receive)
            else:
                data = data[end + 4 :]

    async def _read_rest(self, data: bytes, receive: Receive) -> None:
        """Read what follows `data`, which the parser has seen."""
        head = data
        while b"\r\n\r\n" not in head and self._tickets:
            data = await _need_more(head, receive)
            head += data
            self._feed(data, head)
        self.head = head[: head.find(b"\r\n\r\n") + 4]
        received = len(head) - len(self.head)
        while self._tickets:
            if received > self._max_size:
                # What frames the chunks does not count.
                received = sum(map(len, self._chunks))
                if received > self._max_size:
                    self._refuse_size()
            data = await receive()
            received += len(data)
            if not data:
                self._end_of_stream()
                break
            self._feed(data, head)
        self.body = self.take_partial_body()
        if len(self.body) > self._max_size:
            self._refuse_size()

    async def _read_head_only(self, head: bytes, receive: Receive) -> None:
        """Read a head that announces a body which will not come."""
        data = head
        while b"\r\n\r\n" not in head:
            self._feed(data, head)
            data = await _need_more(head, receive)
            head += data
        self.head = head[: head.find(b"\r\n\r\n") + 4]
        # Not what comes behind it: that need not be such a body.
        self._feed(data[: len(data) - len(head) + len(self.head)], head)
        if len(head) > len(self.head):
            self.is_last = True  # a body after all; where it ends is unknown
        self.body = b""
        self._chunks.clear()

    def _feed(self, data: bytes, head: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.is_last = True
        except HttpParserError as error:
            if self._tickets:
                raise NetworkError(explain_malformed(error, head)) from error
            self.is_last = True  # the response was complete, and something came behind it

    def _end_of_stream(self) -> None:
        """Accept the end of the connection as the end of the body, if it may be one."""
        if announces_its_end(self.head.lower()):
            raise NetworkError(CLOSED_MIDWAY)
        self.is_last = True

    def _refuse_size(self) -> NoReturn:
        raise NetworkError(body_too_large(int(self._max_size)))


async def _need_more(head: bytes, receive: Receive) -> bytes:
    data = await receive()
    if not data:
        raise NetworkError(CLOSED_MIDWAY)
    if len(head) > MAX_HEAD:
        raise NetworkError(head_too_large(MAX_HEAD))
    return data
