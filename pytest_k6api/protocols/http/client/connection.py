"""The seam under the client: a connection takes a request and gives an exchange with its times.

The client knows nothing else of a protocol version. HTTP/1.1 is
`pytest_k6api.protocols.http.h1`; another version is another class with these attributes.
`HttpRuntime.dial` opens TCP and TLS and makes the connection: a version over TLS is chosen
there by ALPN; one over UDP needs a dial of its own.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from pytest_k6api.protocols.http.client.samples import Timed
from pytest_k6api.protocols.http.message.prepared import PreparedRequest

QUIET = 50_000_000
"""Nanoseconds. A connection that was idle for longer may have been closed by the server, so
`has_ended` is asked before it is used; in a busy loop the call would be for nothing."""


class Exchange(Timed, Protocol):
    """One request and its response: the response as a whole (`run`), or in pieces (`start`).

    Attributes:
        bytes_sent, bytes_received: The exchange's bytes on the wire; the first
            exchange's include the TLS handshake.
        status, head, body: The response; the head is in HTTP/1.1's form whatever the
            version, canonical, and the body is still encoded.
        lowered: The head in lower case; not if `is_plain`.
        is_plain: Whether the body is not encoded, and the head sets no cookies.
        protocol: k6's tag ``proto``, and behind a space ``tls_version`` if there is TLS.
    """

    bytes_sent: int
    bytes_received: int
    status: int
    head: bytes
    body: bytes
    lowered: bytes
    is_plain: bool
    protocol: str

    def run(self, request: PreparedRequest, deadline: int) -> Awaitable[None]:
        """Send `request` and receive the response into the attributes.

        Args:
            request: The request.
            deadline: When to give up, in perf_counter_ns.

        Raises:
            NetworkError: There is no usable response. The exchange is closed then,
                and also when the task is cancelled.
        """

    def start(self, request: PreparedRequest, deadline: int) -> Awaitable["IncomingBody"]:
        """Send `request` and receive the head of the response; return what receives the body.

        The attributes are as `run` leaves them, but for `body`, which is empty. The times
        and the bytes go on with the body.

        Args:
            request: The request.
            deadline: When to give up waiting for the head, in perf_counter_ns.

        Raises:
            NetworkError: There is no usable head; see `run`.
        """

    def close(self) -> None:
        """End the exchange at once: over HTTP/1.1 by closing the connection."""


class BegunExchange(Exchange, Protocol):
    """An exchange whose request was sent by `Connection.begin_all`."""

    def finish(self) -> Awaitable[None]:
        """Receive the response, as `run` does."""


class Together(Protocol):
    """Exchanges that one task waits for.

    Attributes:
        exchanges: In the order of the requests.
    """

    @property
    def exchanges(self) -> Sequence[BegunExchange]:
        """See above."""

    def wait_for_all(self) -> Awaitable[bool]:
        """Wait until all have their responses, or one needs more than to be finished.

        Returns:
            Whether `finish` of each returns at once, and no other request follows from any.
        """


class IncomingBody(Protocol):
    """The body of one response, received piece by piece.

    What is not asked for stays with the server, which has to wait: HTTP/1.1 does not read
    the socket, a version with flow control opens the window of the stream by what was
    handed out.

    Attributes:
        is_complete: Whether the end of the body was seen. The connection takes the next
            request then, if it is reusable.
    """

    @property
    def is_complete(self) -> bool:
        """See above."""

    def park(self, deadline: int) -> object | None:
        """Begin to wait for the next bytes; return what this task is to yield to Trio now.

        With `take` it is `receive` without a coroutine: of a thousand streams with a small
        piece each, coroutines would be half of the cost.

        Args:
            deadline: When to give up, in perf_counter_ns.

        Returns:
            What to yield; the task then calls ``unwrap()`` of what it is resumed with, and
            `take`. None where there is more to it: call `receive`.
        """

    def take(self) -> bytes | None:
        """Return what the task was resumed with: as `receive` does, or None to wait again.

        Raises:
            NetworkError: As by `receive`.
        """

    def receive(self, deadline: int) -> Awaitable[bytes]:
        """Return the next bytes of the body, still encoded; ``b""`` at its end.

        A piece has a few hundred kilobytes at most. A call that is cancelled loses
        nothing: the next one goes on.

        Args:
            deadline: When to give up, in perf_counter_ns.

        Raises:
            NetworkError: The body is cut, broken or overdue. The exchange is closed then.
        """


class Watched(Protocol):
    """Whatever the sweeper looks after: at its `deadline`, until it is no more open.

    Attributes:
        is_open: False once closed.
    """

    is_open: bool

    @property
    def deadline(self) -> float:
        """When to wake it, in perf_counter_ns."""

    def wake(self) -> None:
        """Wake the tasks that wait; each finds out whether it is overdue."""


class Connection(Watched, Protocol):
    """A way to one server that takes one request after the other, or several at once.

    Attributes:
        ended_at: When the last byte of a response came, in perf_counter_ns.
        has_news: Whether something was received while no exchange was under way.
        is_reusable: Whether another request may follow.
        has_room: Whether an exchange may be opened while others are under way.
        deadline: When the first of the exchanges under way is overdue, in perf_counter_ns.
    """

    ended_at: int
    has_news: bool
    is_reusable: bool

    @property
    def has_room(self) -> bool:
        """See above."""

    def open_exchange(self) -> Exchange:
        """Return what the next request runs in."""

    def begin_all(self, requests: Sequence[PreparedRequest], deadline: int) -> "Together | None":
        """Send several requests now, if the connection takes all of them without another look.

        Args:
            requests: They were made before, and have no body.
            deadline: When to give up, in perf_counter_ns.
        """

    def has_ended(self, *, may_err: bool) -> bool:
        """Return whether the server closed the idle connection, or spoke unasked.

        Args:
            may_err: Whether missing the latest news does no harm, because the request can
                be repeated. The answer then costs no system call, as a rule.
        """

    def retire(self) -> None:
        """Close the connection as soon as no exchange is under way, and open none any more."""

    def close(self) -> None:
        """Close the socket at once; tasks that wait on it wake up."""
