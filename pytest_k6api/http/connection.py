"""One kept-alive HTTP/1.1 connection: put a request on the wire, take the response off.

This is the hot path of the whole product (``benchmarks/bench_http_client.py``
has the figures), written for few operations rather than few lines:

- no cancel scope, no task and no nursery: `deadline` is looked at by the load
  test's one sweeper, whose `trio.lowlevel.notify_closing` wakes the wait below;
- the socket is non-blocking: bytes are sent at once, and Trio is asked to wait
  only for the response, or when the send buffer is full;
- with many connections, `pytest_k6api.http.readiness` waits for all of them;
- llhttp frames the message, but hands over no header: it calls three bound
  methods of lists, so that no Python function runs while it parses. The head is
  kept as it came, for `pytest_k6api.http.response` to read when it is asked to.

Times are ``time.perf_counter_ns``, taken right after the system call returned.
"""

import errno
import socket
import ssl
from time import perf_counter_ns
from typing import NoReturn

import trio
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from trio.lowlevel import current_task, wait_readable, wait_task_rescheduled, wait_writable

from pytest_k6api.http.errors import (
    CLOSED_EARLY,
    CLOSED_MIDWAY,
    TIMED_OUT,
    NetworkError,
    body_too_large,
    explain_malformed,
    explain_transfer,
    head_too_large,
)
from pytest_k6api.http.framing import (
    STATUS_END,
    announces_its_end,
    is_informational,
    keeps_alive,
)
from pytest_k6api.http.readiness import Readiness
from pytest_k6api.http.tcp import count_tcp_bytes
from pytest_k6api.http.uploading import Upload

NEVER = 1 << 63
# Python allocates this much for every `recv`: most responses fit, and from
# 64 KB on glibc's allocator tidies up each time.
_FIRST_SIZE = 16 * 1024
_MORE_SIZE = 256 * 1024
MAX_HEAD = 1024 * 1024

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_PEER_IS_GONE = frozenset({errno.EPIPE, errno.ECONNRESET})


# llhttp pops one when a message begins and one when it is complete. So tickets
# are left while a response is incomplete, and a second message, which nobody
# asked for, finds none: the pop fails, and with it the parser.
_TICKETS = ("complete", "begin")


class Connection:
    """A connected socket, and what the last exchange over it gave.

    Attributes:
        protocol: What its responses are tagged with: ``HTTP/1.1``, followed by
            k6's TLS version if there is one.
        deadline: When the exchange under way is overdue, in perf_counter_ns.
        connecting, handshaking: Nanoseconds that TCP and TLS took.
        is_used: Whether a request went over it before the present one.
        is_open: False once closed.
        is_reusable: Whether another request may follow the last exchange.
        status, head, body: The response: its head is everything up to the blank
            line, its body is without chunks but still encoded.
        lowered: The head in lower case, to look header names up in.
        sent_at, first_byte_at, ended_at: When the request was written, when the
            first byte of the response was there, and the last.
        bytes_sent, bytes_received: The exchange's bytes on the wire; the first
            exchange's include the TLS handshake.
        ready_at: When the connection was open, in perf_counter_ns.
    """

    __slots__ = (
        "_abort_wait", "_chunks", "_max_size", "_parser", "_readiness", "_tickets",
        "_wire_received", "_wire_sent", "body", "bytes_received", "bytes_sent", "connecting",
        "deadline", "ended_at", "fd", "first_byte_at", "handshaking", "head", "is_open",
        "is_reusable", "is_tls", "is_used", "lowered", "on_body", "on_message_begin",
        "on_message_complete", "protocol", "ready_at", "sent_at", "sock", "status",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        protocol: str,
        max_size: int | None,
        readiness: Readiness | None = None,
    ) -> None:
        self.ready_at = perf_counter_ns()
        self.sock = sock
        self.fd = sock.fileno()
        self.is_tls = isinstance(sock, ssl.SSLSocket)
        self.protocol = protocol
        self.deadline = NEVER
        self.connecting = self.handshaking = 0
        self.is_used = False
        self.is_open = self.is_reusable = True
        self.status = 0
        self.head = self.lowered = self.body = b""
        self.sent_at = self.first_byte_at = self.ended_at = 0
        self.bytes_sent = self.bytes_received = self._wire_sent = self._wire_received = 0
        self._max_size = NEVER if max_size is None else max_size
        self._chunks: list[bytes] = []
        self._tickets: list[str] = []
        self.on_body = self._chunks.append
        self.on_message_begin = self.on_message_complete = self._tickets.pop
        self._parser = HttpResponseParser(self)
        self._readiness = readiness
        if readiness is not None:
            readiness.add(self.fd)
            self._abort_wait = readiness.aborter(self.fd)

    def __repr__(self) -> str:
        state = "closed" if not self.is_open else "busy" if self.deadline != NEVER else "idle"
        return f"<Connection {self.protocol} fd={self.fd} {state}>"

    # One function, because each call would cost 0.1 µs or more.
    async def exchange(  # noqa: C901, PLR0912, PLR0915
        self, wire: bytes, deadline: int, *, has_body: bool = True, upload: Upload | None = None
    ) -> None:
        """Send `wire` and receive the response into the attributes.

        Args:
            wire: The request's head and, unless `upload` sends it, its body.
            deadline: When to give up, in perf_counter_ns.
            has_body: False for HEAD, whose response has only a head.
            upload: What sends the body, if it is not in `wire`.

        Raises:
            NetworkError: There is no usable response. The connection is closed
                then, and also when the task is cancelled.
        """
        sock = self.sock
        self.deadline = deadline
        self.sent_at = self.first_byte_at = 0
        self.bytes_received = 0
        self.head = b""
        self._tickets[:] = _TICKETS
        try:
            try:
                sent = self.bytes_sent = sock.send(wire)
            except _WOULD_BLOCK:
                sent = self.bytes_sent = 0
            if upload is not None or sent != len(wire):
                await self._send_rest(wire, sent, upload)
            self.sent_at = perf_counter_ns()
            readiness = self._readiness
            if readiness is None:
                await wait_readable(self.fd)
            elif readiness.missed:
                await readiness.wait(self.fd)
            else:
                readiness.waiting[self.fd] = current_task()
                await wait_task_rescheduled(self._abort_wait)
            try:
                data = sock.recv(_FIRST_SIZE)
            except _WOULD_BLOCK:  # TLS had something for itself
                data = await self._receive_more()
            self.first_byte_at = self.ended_at = perf_counter_ns()
            self.bytes_received = len(data)
            # Not a 2xx of HTTP/1.1, or not all there: the careful way.
            if data[:10] != b"HTTP/1.1 2" or not has_body:
                await self._receive_unusual(data, has_body=has_body)
            else:
                try:
                    self._parser.feed_data(data)
                except HttpParserError as error:
                    self._forgive(error, data)
                if self._tickets:
                    await self._receive_rest(data)
                else:
                    self.head = data[: data.find(b"\r\n\r\n") + 4]
                    self.body = self._chunks.pop() if len(self._chunks) == 1 else self._join()
                    self.status = self._parser.get_status_code()
                    if len(self.body) > self._max_size:
                        self._refuse_size()
            lowered = self.lowered = self.head.lower()
            at = lowered.find(b"\r\nconnection:")
            if at >= 0 and lowered[at + 13 : at + 26] != b" keep-alive\r\n":
                self.is_reusable = self.is_reusable and keeps_alive(lowered)
        except BaseException as error:
            failure = self._give_up(error)
            if failure is None:
                raise
            raise failure from error
        self.deadline = NEVER
        if self.is_tls:
            self._count_wire()

    async def _send_rest(self, wire: bytes, sent: int, upload: Upload | None) -> None:
        try:
            await self.send_all(memoryview(wire)[sent:])
            if upload is not None:
                await upload.send(self.send_all, self.deadline)
        except OSError as error:
            if error.errno not in _PEER_IS_GONE:
                raise
            # A server may answer before it has read everything, and close: the
            # answer (413, say) tells more than the broken pipe.
            self.is_reusable = False

    async def send_all(self, data: memoryview) -> None:
        """Put `data` on the wire, waiting whenever the send buffer is full."""
        while data:
            try:
                sent = self.sock.send(data)
            except _WOULD_BLOCK as error:
                if isinstance(error, ssl.SSLWantReadError):
                    await self._wait()
                else:
                    await wait_writable(self.fd)
            else:
                self.bytes_sent += sent
                data = data[sent:]

    async def _receive_more(self) -> bytes:
        """Return the next bytes, or ``b""`` at the end of the connection."""
        # A plain socket has most often nothing yet. But TLS holds bytes that the
        # socket no longer shows, and `Readiness` wants it drained before a wait.
        sock = self.sock
        if self._readiness is None and not self.is_tls:
            await self._wait()
        while True:
            try:
                data = sock.recv(_MORE_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError):
                await self._wait()
            except ssl.SSLWantWriteError:
                await wait_writable(self.fd)
            else:
                break
        self.ended_at = perf_counter_ns()
        self.bytes_received += len(data)
        return data

    async def _wait(self) -> None:
        """Wait until there may be something to receive."""
        # `Readiness` wakes who is overdue without a word.
        if perf_counter_ns() >= self.deadline:
            raise NetworkError(TIMED_OUT)
        if self._readiness is None:
            await wait_readable(self.fd)
        else:
            await self._readiness.wait(self.fd)

    async def _receive_unusual(self, data: bytes, *, has_body: bool) -> None:
        """Receive a response that may have anything unusual."""
        if not data:
            self.first_byte_at = 0
            raise NetworkError(CLOSED_EARLY, is_stale=self.is_used)
        data = await self._skip_informational(data)
        if has_body:
            self._feed(data, data)
            await self._receive_rest(data)
        else:
            await self._receive_head_only(data)
        version = self.head[:8].decode("latin-1")
        self.protocol = version + self.protocol[len(version) :]
        if version != "HTTP/1.1":
            self.is_reusable = self.is_reusable and keeps_alive(self.head.lower())

    async def _skip_informational(self, data: bytes) -> bytes:
        """Return what follows the 1xx responses that `data` begins with."""
        while True:
            # The least that tells a status, unless it is no HTTP at all.
            while len(data) < STATUS_END and data.startswith(b"HTTP/1."[: len(data)]):
                data += await self._need_more(data)
            if not is_informational(data):
                return data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                data += await self._need_more(data)
            else:
                data = data[end + 4 :]

    async def _need_more(self, head: bytes) -> bytes:
        data = await self._receive_more()
        if not data:
            raise NetworkError(CLOSED_MIDWAY)
        if len(head) > MAX_HEAD:
            raise NetworkError(head_too_large(MAX_HEAD))
        return data

    async def _receive_rest(self, data: bytes) -> None:
        """Receive what follows `data`, which the parser has seen."""
        head = data
        while b"\r\n\r\n" not in head and self._tickets:
            data = await self._need_more(head)
            head += data
            self._feed(data, head)
        self.head = head = head[: head.find(b"\r\n\r\n") + 4]
        overhead = len(head)
        while self._tickets:
            if self.bytes_received - overhead > self._max_size:
                self._refuse_size()
            data = await self._receive_more()
            if not data:
                self._end_of_stream(head)
                break
            self._feed(data, head)
        self.body = self._join()
        self.status = self._parser.get_status_code()

    def _join(self) -> bytes:
        body = b"".join(self._chunks)
        self._chunks.clear()
        return body

    def _refuse_size(self) -> NoReturn:
        raise NetworkError(body_too_large(self._max_size))

    def _feed(self, data: bytes, head: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.is_reusable = False
        except HttpParserError as error:
            self._forgive(error, head)

    def _forgive(self, error: HttpParserError, head: bytes) -> None:
        """Accept an error that came after the response was complete."""
        if self._tickets:
            raise NetworkError(explain_malformed(error, head)) from error
        self.is_reusable = False

    def _end_of_stream(self, head: bytes) -> None:
        """Accept the end of the connection as the end of the body, if it may be one."""
        if announces_its_end(head.lower()):
            raise NetworkError(CLOSED_MIDWAY)
        self.is_reusable = False

    async def _receive_head_only(self, head: bytes) -> None:
        """Receive a head that announces a body which will not come."""
        self._feed(head, head)
        while b"\r\n\r\n" not in head:
            data = await self._need_more(head)
            head += data
            self._feed(data, head)
        self.head = head[: head.find(b"\r\n\r\n") + 4]
        self.body = b""
        self.status = self._parser.get_status_code()
        if len(head) > len(self.head):
            self.is_reusable = False  # a body after all; where it ends is unknown
        self._chunks.clear()
        # The old parser still waits for the body.
        self._parser = HttpResponseParser(self)

    def _give_up(self, error: BaseException) -> NetworkError | None:
        """Close; return `error` in the client's words, or None if it is not the network's."""
        overdue = perf_counter_ns() >= self.deadline
        self.ended_at = perf_counter_ns()
        self.body = b"".join(self._chunks)
        if self.is_tls:
            self._count_wire()
        self.close()
        if isinstance(error, trio.ClosedResourceError) and overdue:
            return NetworkError(TIMED_OUT)
        if isinstance(error, OSError):
            operation = "read" if self.sent_at else "write"
            return NetworkError(
                explain_transfer(error, operation),
                is_stale=self.is_used and not self.bytes_received and error.errno in _PEER_IS_GONE,
            )
        return error if isinstance(error, NetworkError) else None

    def _count_wire(self) -> None:
        """Replace the exchange's byte counts by what TCP carried, TLS records included."""
        counts = count_tcp_bytes(self.sock)
        if counts is not None:
            sent, received = counts
            self.bytes_sent, self._wire_sent = sent - self._wire_sent, sent
            self.bytes_received, self._wire_received = received - self._wire_received, received

    def close(self) -> None:
        """Close the socket at once; whoever waits on it wakes up."""
        if not self.is_open:
            return
        self.is_open = self.is_reusable = False
        if self.deadline != NEVER:
            self.wake()
            self.deadline = NEVER
        self.sock.close()

    def wake(self) -> None:
        """Wake who waits on the socket; a wait of Trio's ends in ClosedResourceError."""
        trio.lowlevel.notify_closing(self.fd)
        if self._readiness is not None:
            self._readiness.wake(self.fd)
