"""WebSocket sessions for scenarios that run in threads: the same calls without ``await``."""

from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Unpack

from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.blocks import SyncBlock
from pytest_k6api.protocols.http import Response
from pytest_k6api.protocols.websocket.client import WebSocketClient
from pytest_k6api.protocols.websocket.options import CLIENT_ADVICE, WEBSOCKET_ADVICE, ConnectOptions
from pytest_k6api.protocols.websocket.waits import Match, Message
from pytest_k6api.protocols.websocket.websocket import WebSocket
from pytest_k6api.protocols.websocket.wire.frames import NORMAL

Run = Callable[..., Any]
"""Lets Trio await ``function(*args)`` and returns or raises what that gives; typed as that."""


class SyncWebSocketClient(Advised):
    """A `WebSocketClient` called from a thread.

    Args:
        client: The client; only Trio's thread touches it.
        run_in_trio: Lets Trio await a function.
        call_soon: Has Trio's thread call a function, without waiting for it.
    """

    advice = CLIENT_ADVICE

    __slots__ = ("_call_soon", "_client", "_run_in_trio")

    def __init__(
        self, client: WebSocketClient, run_in_trio: Run, call_soon: Callable[..., None]
    ) -> None:
        self._client = client
        self._run_in_trio = run_in_trio
        self._call_soon = call_soon

    def __repr__(self) -> str:
        return f"<SyncWebSocketClient of {self._client!r}>"

    def connect(self, url: str, **options: Unpack[ConnectOptions]) -> "SyncConnecting":
        """Return a session for ``with``; see `WebSocketClient.connect`."""
        return SyncConnecting(self._client, url, options, self._run_in_trio, self._call_soon)


class SyncConnecting(SyncBlock):
    """A session that is about to be opened: use it in ``with``."""

    __slots__ = ("_call_soon", "_connecting", "_run_in_trio", "_socket")

    written = "with vu.ws.connect(...) as ws:"

    def __init__(
        self,
        client: WebSocketClient,
        url: str,
        options: ConnectOptions,
        run_in_trio: Run,
        call_soon: Callable[..., None],
    ) -> None:
        self._connecting = client.connect(url, **options)
        self._connecting.is_unused = False
        self._run_in_trio = run_in_trio
        self._call_soon = call_soon
        self._socket: WebSocket | None = None
        self.is_unused = True

    def __enter__(self) -> "SyncWebSocket":
        self.is_unused = False
        self._socket = socket = self._run_in_trio(self._connecting.__aenter__)
        return SyncWebSocket(socket, self._run_in_trio)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        assert self._socket is not None
        try:
            is_kept: bool = self._run_in_trio(self._connecting.__aexit__, kind, error, trace)
        except BaseException:  # it may be an interruption, and Trio waits for nothing more
            self._call_soon(self._socket.drop)
            raise
        return is_kept


class SyncWebSocket(Advised):
    """A `WebSocket` used from a thread; see there."""

    advice = WEBSOCKET_ADVICE

    __slots__ = ("_run_in_trio", "_socket")

    def __init__(self, socket: WebSocket, run_in_trio: Run) -> None:
        self._socket = socket
        self._run_in_trio = run_in_trio

    def __repr__(self) -> str:
        return f"<SyncWebSocket of {self._socket!r}>"

    @property
    def response(self) -> Response:
        """The server's answer to the handshake."""
        return self._socket.response

    @property
    def subprotocol(self) -> str:
        """The subprotocol that the server chose; empty for none."""
        return self._socket.subprotocol

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent and received."""
        return self._socket.is_open

    @property
    def error(self) -> str:
        """Why the session failed; ``""`` if it did not, so far."""
        return self._socket.error

    @property
    def error_code(self) -> int:
        """The tag ``error_code`` of a session that failed; 0 if it did not, so far."""
        return self._socket.error_code

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame; see `WebSocket.close_code`."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str:
        """The reason in the server's close frame; may be empty."""
        return self._socket.close_reason

    @property
    def dropped(self) -> int:
        """How many messages were dropped; see `WebSocket.dropped`."""
        return self._socket.dropped

    def send(self, message: Message) -> None:
        """Send text or a binary message; see `WebSocket.send`."""
        self._run_in_trio(self._socket.send, message)

    def receive(self, timeout: float | None = None) -> Message:
        """Return the next message; see `WebSocket.receive`."""
        message: Message = self._run_in_trio(self._socket.receive, timeout)
        return message

    def send_json(self, value: object) -> None:
        """Send `value` as JSON; see `WebSocket.send_json`."""
        self._run_in_trio(self._socket.send_json, value)

    def receive_json(self, timeout: float | None = None) -> Any:
        """Return what the next message says in JSON; see `WebSocket.receive_json`."""
        return self._run_in_trio(self._socket.receive_json, timeout)

    def __iter__(self) -> Iterator[Message]:
        while True:
            try:
                message: Message = self._run_in_trio(self._socket.__anext__)
            except StopAsyncIteration:
                return
            yield message

    def request(
        self,
        message: Message,
        match: Match | None = None,
        *,
        name: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send `message` and return the answer to it; see `WebSocket.request`."""
        request = partial(self._socket.request, message, match, name=name, timeout=timeout)
        answer: Message = self._run_in_trio(request)
        return answer

    def ping(self, payload: bytes = b"ping", *, timeout: float | None = None) -> float:
        """Send a ping and return the seconds until its pong; see `WebSocket.ping`."""
        took: float = self._run_in_trio(partial(self._socket.ping, payload, timeout=timeout))
        return took

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the session; see `WebSocket.close`."""
        self._run_in_trio(self._socket.close, code, reason)
