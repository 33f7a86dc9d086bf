"""A UDP socket with QUIC over it, which a `DuplexLine` uses as it uses a socket with TLS.

`qh3` knows QUIC and has no socket; here datagrams come and go. What is received is a mark that
there is something to hand out (`take_events`), what is sent is a mark as well: each
stream's data was given to QUIC before. Timers are looked after by `QuicTimers`.
"""

import errno
import logging
import math
import socket
from contextlib import suppress
from time import perf_counter, perf_counter_ns
from typing import Any

import trio
from qh3._hazmat import Certificate
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection
from qh3.quic.events import HandshakeCompleted, QuicEvent
from qh3.quic.packet import QuicFrameType
from trio.lowlevel import wait_readable

from pytest_k6api.protocols.http.h3.errors import (
    NO_ERROR,
    NO_STREAMS,
    NO_VERSION,
    connection_failure,
    transport_failure,
)
from pytest_k6api.protocols.http.message.errors import (
    TIMED_OUT,
    NetworkError,
    RequestFailure,
    explain_transfer,
)
from pytest_k6api.protocols.http.net.tcp import ROOM_FOR_ARRIVAL, Received

# More than the 1,472 bytes that the server is told of.
_DATAGRAM = 2048
# Datagrams that are received at once: others have their turn then.
_MOST_AT_ONCE = 64
_REFUSED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})
# A datagram that is too large for the way, or for which there is no room: as good as lost.
_LOST = frozenset({errno.EMSGSIZE, errno.ENOBUFS})

MARK = b"."
"""Stands for what QUIC has received, or has to say."""

# Ends of a connection that are none by a mistake: of HTTP/3, and as many servers have it.
_GOOD_ENDS = frozenset({NO_ERROR, 0})
# What QUIC calls its last timer, and its state once the server says that it knows nothing of it.
_IDLE = "idle"
_RESET = "terminated"

RESET_BY_PEER = explain_transfer(ConnectionResetError(errno.ECONNRESET, ""), "read")

# It warns of each connection that a server closes, which pytest would show.
logging.getLogger("quic").setLevel(logging.CRITICAL)


class QuicSocket:
    """A connected UDP socket and the QUIC connection over it.

    Attributes:
        quic: The connection.
        bytes_sent, bytes_received: Bytes of datagrams since it was made.
        datagrams_received: How many have come.
        may_have_more: Whether datagrams may be there that were not received.
        is_paused: Whether events wait with QUIC, so that the windows of streams are used up.
        answered_at: When the first datagram came, in perf_counter_ns; 0 before.

    Args:
        sock: The connected, non-blocking socket, which is this one's from now on.
        configuration: What QUIC and its TLS go by.
    """

    __slots__ = (
        "_address", "_is_forgotten", "_sock", "_unsent", "answered_at", "bytes_received", "bytes_sent",
        "datagrams_received", "is_paused", "may_have_more", "quic",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, configuration: QuicConfiguration) -> None:
        self._sock = sock
        self._address = sock.getpeername()[:2]
        self._unsent: list[bytes] = []
        self.bytes_sent = self.bytes_received = self.datagrams_received = self.answered_at = 0
        self.may_have_more = self.is_paused = False
        # Whether the connection has ended because nothing came for too long.
        self._is_forgotten = False
        self.quic = QuicConnection(configuration=configuration)
        self.quic.connect(self._address, perf_counter())

    def __repr__(self) -> str:
        return f"<QuicSocket fd={self._sock.fileno()}>"

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._sock.fileno()

    def send(self, data: bytes | memoryview, /) -> int:
        """Send what QUIC has to say; return the size of `data`, which is a mark.

        Raises:
            OSError: The system does not take it now, or there is nobody.
        """
        self.flush()
        return len(data)

    def flush(self) -> None:
        """Send what QUIC has to say, likewise."""
        if not self._unsent:
            self._poll()
        unsent, position = self._unsent, 0
        try:
            for data in unsent:
                try:
                    self.bytes_sent += self._sock.send(data)
                except OSError as error:
                    if error.errno not in _LOST:
                        raise
                position += 1
        finally:
            self._unsent = unsent[position:]

    def _poll(self) -> None:
        """Have QUIC make datagrams of all that it has to say; without its log, which costs more."""
        poll, now = self.quic._require_core().poll_transmit, perf_counter()
        try:
            while (datagram := poll(now)) is not None:
                self._unsent.append(datagram[0])
        except RuntimeError as error:
            raise _broken(error) from error

    def recv(self, size: int, /) -> bytes:
        """Receive; see `recvmsg`."""
        return self.recvmsg(size, 0)[0]

    def recvmsg(self, _size: int, ancillary_size: int, /) -> Received:
        """Receive all datagrams that are there; return a mark if there is something to hand out.

        Raises:
            BlockingIOError: There is not.
            OSError: There is nobody, or QUIC cannot go on.
        """
        datagrams: list[bytes] = []
        told: list[tuple[int, int, bytes]] = []
        try:
            while len(datagrams) < _MOST_AT_ONCE:
                data, told, _, _ = self._sock.recvmsg(_DATAGRAM, ancillary_size)
                datagrams.append(data)
            self.may_have_more = True
        except OSError:  # no more now, or nobody is there
            self.may_have_more = False
            if not datagrams:
                raise
        self._take_in(datagrams)
        if self.may_have_more or self.has_events:
            return MARK, told, 0, None
        self.flush()
        raise BlockingIOError

    def _take_in(self, datagrams: list[bytes]) -> None:
        if not self.answered_at:
            self.answered_at = perf_counter_ns()
        self.datagrams_received += len(datagrams)
        self.bytes_received += sum(map(len, datagrams))
        now, quic = perf_counter(), self.quic
        try:
            if quic._handshake_complete:
                quic._require_core().receive_many_datagrams(datagrams, self._address, now)
                if not self.is_paused:  # else what is there is not handed out yet
                    quic._drain_core()
            else:
                quic.receive_many_datagrams(datagrams, self._address, now)
        except Exception as error:
            raise _broken(error) from error

    @property
    def has_events(self) -> bool:
        """Whether there is something to hand out."""
        return not self.is_paused and (
            bool(self.quic._events) or self.quic._close_event is not None
        )

    def take_events(self) -> list[QuicEvent]:
        """Return what is to be handed out."""
        events = self.quic._events
        taken = [*events]
        events.clear()
        return taken

    def pause(self) -> None:
        """Let what comes wait with QUIC, whose windows tell the server to stop."""
        self.is_paused = True

    def resume(self) -> None:
        """Hand out again what comes, and what waited.

        Raises:
            OSError: QUIC cannot go on.
        """
        self.is_paused = False
        try:
            self.quic._drain_core()
        except Exception as error:
            raise _broken(error) from error

    @property
    def failure(self) -> RequestFailure | None:
        """Why the connection has ended; None while it has not, or if it ended well."""
        event = self.quic._close_event
        if event is None or self._is_forgotten:
            return None if event is None else TIMED_OUT
        code, kind = int(event.error_code), event.frame_type
        mistake = self.quic._require_core().local_error
        if mistake is not None:  # of the server's, which this side has found
            return transport_failure(code, mistake[2], is_ours=True)
        if kind is not None:
            # What TLS refuses on this side has a type of its own.
            is_ours = isinstance(kind, QuicFrameType)
            reason = event.reason_phrase
            return transport_failure(code, reason, is_ours=is_ours) if code else None
        if not self.quic._handshake_complete:
            return NO_VERSION
        if not code and self.quic._require_core().state == _RESET:
            return RESET_BY_PEER
        return None if code in _GOOD_ENDS else connection_failure(code)

    @property
    def has_ended(self) -> bool:
        """Whether one of the sides has ended the connection."""
        return self.quic._close_event is not None

    @property
    def timer(self) -> float:
        """When `handle_timer` is due, in perf_counter."""
        timer = self.quic._require_core().get_timer()
        return math.inf if timer is None else timer[1]

    def stay_connected(self) -> float:
        """Ask for a sign of life, if the server would give the connection up soon.

        Returns:
            When to look again, in perf_counter.

        Raises:
            OSError: The system does not take it now, or there is nobody.
        """
        timer = self.quic._require_core().get_timer()
        if timer is None or timer[0] != _IDLE:
            return self.timer  # something is under way, which will be answered
        due = timer[1] - self._patience / 2
        if due > perf_counter():
            return due
        self.quic.send_ping(0)
        self.flush()
        return self.timer

    @property
    def _patience(self) -> float:
        """Seconds without a datagram after which the connection ends, at least."""
        parameters = self.quic._tls and self.quic._tls.remote_transport_parameters
        theirs = (parameters and parameters.max_idle_timeout) or math.inf
        return min(self.quic.configuration.idle_timeout, theirs / 1000)

    def handle_timer(self) -> None:
        """Do what is due, and send what follows from it.

        Raises:
            OSError: The system does not take it now, or there is nobody.
        """
        core = self.quic._require_core()
        due = core.get_timer()
        try:
            if self.is_paused:
                core.handle_timer(perf_counter())
            else:
                self.quic.handle_timer(perf_counter())
        except Exception as error:
            raise _broken(error) from error
        self._is_forgotten = self.has_ended and due is not None and due[0] == _IDLE
        self.flush()

    async def shake_hands(self, limit: int) -> None:
        """Complete the handshake, as far as the server is concerned: it has not heard of it.

        Args:
            limit: When to give up, in perf_counter_ns.

        Raises:
            NetworkError: The server, or this side, refuses it.
            OSError: There is nobody.
            trio.TooSlowError: It is not over by `limit`.
        """
        while not any(isinstance(event, HandshakeCompleted) for event in self.quic._events):
            await self._wait(limit)

    async def wait_for_streams(self, limit: int) -> None:
        """Wait until the server takes a request, as nearly all do from the start.

        The arguments and the errors are those of `shake_hands`.
        """
        while not self.quic.max_concurrent_bidi_streams:
            await self._wait(limit)
        if not self.quic.max_concurrent_uni_streams:
            raise NetworkError(NO_STREAMS)

    async def _wait(self, limit: int) -> None:
        """Send, receive, and do what is due, once."""
        with suppress(BlockingIOError):
            self.flush()
        now = perf_counter()
        left = limit / 1e9 - now
        if left <= 0:
            raise trio.TooSlowError
        with trio.move_on_after(max(0.0, min(left, self.timer - now))):
            await wait_readable(self._sock)
        with suppress(BlockingIOError):
            self.recvmsg(_DATAGRAM, ROOM_FOR_ARRIVAL)
        if self.timer <= perf_counter():
            with suppress(BlockingIOError):
                self.handle_timer()
        if self.has_ended:
            with suppress(OSError):
                self.flush()
            raise NetworkError(self.failure or RESET_BY_PEER)

    @property
    def certificates(self) -> list[Certificate]:
        """Those that the server has shown, its own first."""
        own = self.quic.get_peercert()
        return [] if own is None else [own, *self.quic.get_issuercerts()]

    def close(self, code: int = NO_ERROR, frame_type: int | None = None) -> None:
        """Tell the server, as far as that goes at once, and close the socket.

        Args:
            code: Why.
            frame_type: What it was found in, where that is QUIC's code; None if HTTP/3's.
        """
        if self._sock.fileno() < 0:
            return
        try:
            with suppress(Exception):  # whatever state a server has left it in
                self.quic.close(code, frame_type)
                self._unsent.clear()
                self.flush()
        finally:
            self._sock.close()


def _broken(error: Any) -> OSError:  # anything that QUIC raises
    return OSError(errno.EPROTO, f"QUIC: {error}")


def is_refusal(error: OSError) -> bool:
    """Return whether `error` tells that nobody is at the server's address."""
    return error.errno in _REFUSED
