"""The part of a connection with several streams that does not depend on how bytes are read."""

import ssl
from time import perf_counter_ns
from typing import Any, Generic

from pytest_k6api.protocols.http.multiplexed.exchange import SessionT
from pytest_k6api.protocols.http.multiplexed.streams import Stream
from pytest_k6api.protocols.http.net.batched_io import FIRST_SIZE, NEVER, Traffic
from pytest_k6api.protocols.http.net.duplex import DuplexLine
from pytest_k6api.protocols.http.net.tcp import ROOM_FOR_ARRIVAL, NonBlockingSocket

MOST_UNSENT = 256 * 1024
"""Bytes that wait to be sent, beyond which bodies wait."""

# Receipts of an idle connection that are read at once.
_MOST_NEWS = 16
_WANTS_MORE = ssl.SSLWantReadError


class MultiplexedConnection(DuplexLine, Generic[SessionT]):
    """A connection over which several exchanges go at once.

    No task receives for it: the line resumes the task of one of its streams, which hands out
    what came, and resumes the others.

    Attributes:
        session: Its state.
        protocol: k6's tags ``proto`` and ``tls_version``.
        ready_at: When it was open.
        connecting, handshaking: Nanoseconds that TCP and TLS took.
        ended_at: When the last byte of a response came.
        is_reusable: Whether another stream may be opened, now or later.
        max_size: The most bytes that a response's body may have.
        spare: Exchanges that are over and serve further requests.
        starting: Streams whose first or last bytes are still to be sent.

    Args:
        sock: The connected socket.
        protocol, session: See above.
        max_size: See above; None for no limit.
        traffic: Sends and receives.
    """

    __slots__ = (
        "_is_congested", "connecting", "ended_at", "handshaking", "is_reusable", "max_size",
        "protocol", "ready_at", "session", "spare", "starting",
    )  # fmt: skip

    def __init__(
        self,
        sock: NonBlockingSocket,
        protocol: str,
        max_size: int | None,
        session: SessionT,
        traffic: Traffic,
    ) -> None:
        super().__init__(sock, traffic)
        self.has_news = True  # the client is to look for what came before now
        self.ready_at = perf_counter_ns()
        self.protocol = protocol
        self.max_size = float("inf") if max_size is None else max_size
        self.connecting = self.handshaking = self.ended_at = 0
        self.is_reusable = True
        self.session = session
        self.spare: list[Any] = []  # of its own kind
        self.starting: list[Stream] = []
        # Whether a task waits for what is unsent to become less.
        self._is_congested = False

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__} {self.protocol} fd={self.fd} {state}, {len(self.session.streams)} streams>"

    @property
    def deadline(self) -> int:
        """When the first of the streams is overdue; 0 if the server has said something else."""
        streams = self.session.streams
        if not streams:
            return 0 if self.has_news and self.is_open else NEVER
        return min(stream.deadline for stream in streams.values())

    def _end_sending(self) -> None:
        """Tell the streams when they were sent, and those that wait that they may go on."""
        if self.starting:
            now = perf_counter_ns()
            for stream in self.starting:
                stream.started_at = stream.started_at or self.started_at
                stream.sent_at = now
            self.starting.clear()
        if self._is_congested:
            self._is_congested = False
            for stream in self.session.streams.values():
                stream.notify_sender()

    def hand_out(self, data: bytes | None) -> None:
        """Hand what was received to the streams: data, or the end, or an error."""
        if data:
            self.ended_at = self.received_at
            self._receive(data)
        elif data is not None:
            self._lose(None)
        elif self.error is not None:
            self._lose(self.error)
        if len(self.session.streams) > 1 or self.task is None:
            self.appoint()

    def appoint(self) -> None:
        """See to it that a task is resumed with what comes next, if any waits."""
        if self.task is not None:
            return
        for stream in self.session.streams.values():
            for waiter in (stream, stream.sender):
                sleeper = None if waiter is None else waiter.sleeper
                if sleeper is not None:
                    self.resume_later(sleeper)
                    return

    def _receive(self, data: bytes) -> None:
        """Hand out what was received, of which there is something."""
        raise NotImplementedError

    def _lose(self, error: Exception | None) -> None:
        """Tell the streams that the connection has ended, by `error` or properly."""
        raise NotImplementedError

    def has_ended(self, *, may_err: bool) -> bool:
        """Return whether no exchange can be opened; see `Connection.has_ended`."""
        if self.is_open and not self.session.streams and (self.has_news or not may_err):
            self._read_news()
        return not (self.is_open and self.is_reusable)

    def _read_news(self) -> None:
        """Deal with what came while no stream was open: PING, SETTINGS, GOAWAY, the end."""
        self.has_news = False
        for _ in range(_MOST_NEWS):
            try:
                self.data, *_ = self.sock.recvmsg(FIRST_SIZE, ROOM_FOR_ARRIVAL)
            except BlockingIOError:
                return
            except OSError as error:
                if not isinstance(error, _WANTS_MORE):
                    self._lose(error)
                return
            self.hand_out(self.take())
            if not self.is_open:
                return
        self.has_news = True

    def wake(self) -> None:
        """Resume the tasks of overdue streams, or deal with what an idle connection received."""
        streams = [*self.session.streams.values()]
        if not streams and self.is_open:
            self._read_news()
            if not self.is_reusable:
                self.close()
        now = perf_counter_ns()
        for stream in streams:
            if stream.deadline <= now:
                stream.notify()
                stream.notify_sender()

    def retire(self) -> None:
        """Close the connection once no stream is under way; none is opened any more."""
        self.is_reusable = False
        if not self.session.streams:
            self.close()

    def close(self) -> None:
        """Close the socket at once; streams under way fail."""
        if not self.is_open:
            return
        self.is_reusable = False
        self.session.lose(None, is_gone=False)
        self.spare.clear()
        super().close()
        self.has_news = True  # the client is to look
