"""One kept-alive HTTP/1.1 connection: put a request on the wire, take the response off.

This is the hot path of the whole product (``benchmarks/bench_http_client.py``
has the figures), written for few operations rather than few lines:

- no cancel scope, no task and no nursery: `deadline` is looked at by the load
  test's one sweeper, which wakes whoever waits below;
- no system call either: `pytest_k6api.http.traffic` sends the request and receives
  the first bytes of the response, together with those of all other connections.
  What is unusual (a body made while it is sent, a response in many pieces, an
  error) is dealt with here, by the task itself;
- llhttp frames the message, but hands over no header: it calls three bound
  methods of lists, so that no Python function runs while it parses. The head is
  kept as it came, for `pytest_k6api.http.response` to read when it is asked to.

Times are ``time.perf_counter_ns``, taken beside the system calls.
"""

import errno
import socket
import ssl
from time import perf_counter_ns
from typing import NoReturn

import trio
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from trio.lowlevel import (
    Abort,
    Task,
    current_task,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
    wait_writable,
)

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
from pytest_k6api.http.tcp import count_tcp_bytes
from pytest_k6api.http.traffic import Traffic
from pytest_k6api.http.uploading import Upload

NEVER = 1 << 63
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
        started_at, sent_at: When the sending of the request began, and when it had
            been written; 0 until then.
        first_byte_at, ended_at: When the first byte of the response was there, and
            the last.
        bytes_sent, bytes_received: The exchange's bytes on the wire; the first
            exchange's include the TLS handshake.
        ready_at: When the connection was open, in perf_counter_ns.
        task, wire, data, error, received_at, has_news: What `Traffic` needs; see `traffic.Line`.
    """

    __slots__ = (
        "_chunks", "_max_size", "_parser", "_tickets", "_traffic", "_wire_received", "_wire_sent",
        "body", "bytes_received", "bytes_sent", "connecting", "data", "deadline", "ended_at",
        "error", "fd", "first_byte_at", "handshaking", "has_news", "head", "is_open",
        "is_reusable", "is_tls", "is_used", "lowered", "on_body", "on_message_begin",
        "on_message_complete", "protocol", "ready_at", "received_at", "sent_at", "sock", "started_at", "status",
        "task", "wire",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        protocol: str,
        max_size: int | None,
        traffic: Traffic | None = None,
    ) -> None:
        self.ready_at = perf_counter_ns()
        self.sock = sock
        self.fd = sock.fileno()
        self.is_tls = isinstance(sock, ssl.SSLSocket)
        self.protocol = protocol
        self.deadline = NEVER
        self.connecting = self.handshaking = 0
        self.is_used = self.has_news = False
        self.is_open = self.is_reusable = True
        self.status = 0
        self.wire = self.head = self.lowered = self.body = b""
        self.task: Task | None = None
        self.data: bytes | None = None
        self.error: Exception | None = None
        self.started_at = self.sent_at = self.received_at = 0
        self.first_byte_at = self.ended_at = 0
        self.bytes_sent = self.bytes_received = self._wire_sent = self._wire_received = 0
        self._max_size = NEVER if max_size is None else max_size
        self._chunks: list[bytes] = []
        self._tickets: list[str] = []
        self.on_body = self._chunks.append
        self.on_message_begin = self.on_message_complete = self._tickets.pop
        self._parser = HttpResponseParser(self)
        self._traffic = traffic
        if traffic is not None:
            traffic.add(self)

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
        self.deadline = deadline
        self.wire = wire
        self.data = self.head = b""
        self.bytes_sent = self.bytes_received = self.sent_at = self.first_byte_at = 0
        self._tickets[:] = _TICKETS
        try:
            traffic = self._traffic
            if traffic is not None and upload is None:
                self.task = current_task()
                traffic.outbox.append(self)
                await wait_task_rescheduled(self._abort)
            data = self.data
            if data:
                self.first_byte_at = self.ended_at = self.received_at
                self.bytes_received = len(data)
            else:
                data = await self._exchange_alone(upload)
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

    def _abort(self, _raise_cancel: object) -> Abort:
        self.task = None
        return Abort.SUCCEEDED

    async def _exchange_alone(self, upload: Upload | None) -> bytes:
        """Do what `Traffic` did not do, or not to its end; return the first bytes received."""
        self._check_wake()
        if not self.sent_at:
            self.started_at = perf_counter_ns()
        if upload is not None or self.bytes_sent != len(self.wire):
            await self._send_rest(memoryview(self.wire)[self.bytes_sent :], upload)
            self.sent_at = perf_counter_ns()
        data = await self._receive_more()
        self.first_byte_at = self.ended_at
        return data

    def _check_wake(self) -> None:
        """Raise what the task was woken for, if it was for no good."""
        error, self.error = self.error, None
        if error is not None and not isinstance(error, _WOULD_BLOCK):
            raise error
        # The sweeper wakes who is overdue without a word.
        if not self.data and perf_counter_ns() >= self.deadline:
            raise NetworkError(TIMED_OUT)

    async def _send_rest(self, data: memoryview, upload: Upload | None) -> None:
        try:
            await self.send_all(data)
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
                    await wait_readable(self.fd)
                else:
                    await wait_writable(self.fd)
            else:
                self.bytes_sent += sent
                data = data[sent:]

    async def _receive_more(self) -> bytes:
        """Return the next bytes, or ``b""`` at the end of the connection."""
        # First `recv`, then wait: an edge is told once, and TLS holds bytes that
        # the socket no longer shows.
        sock = self.sock
        data: bytes | None = None
        while data is None:
            try:
                data = sock.recv(_MORE_SIZE)
                self.received_at = perf_counter_ns()
            except (BlockingIOError, ssl.SSLWantReadError):
                data = await self._wait()
            except ssl.SSLWantWriteError:
                await wait_writable(self.fd)
        self.ended_at = self.received_at
        self.bytes_received += len(data)
        return data

    async def _wait(self) -> bytes | None:
        """Wait for something to be received; return it, or None if there may be something now."""
        if self._traffic is None:
            await wait_readable(self.fd)
            return None
        self.data = None
        self.task = current_task()
        await wait_task_rescheduled(self._abort)
        self._check_wake()
        return self.data

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
        if self._traffic is not None:
            self._traffic.remove(self)
        if self.deadline != NEVER:
            self.wake()
            self.deadline = NEVER
        self.sock.close()

    def wake(self) -> None:
        """Wake who waits on the socket; a wait of Trio's ends in ClosedResourceError."""
        task, self.task = self.task, None
        if task is not None:
            reschedule(task)
        else:
            trio.lowlevel.notify_closing(self.fd)
