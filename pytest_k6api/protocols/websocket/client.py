"""``vu.ws``: the WebSocket client of a virtual user, which opens sessions."""

from time import perf_counter_ns
from types import TracebackType
from typing import Unpack

from pytest_k6api.model import Recorder
from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.blocks import AsyncBlock
from pytest_k6api.protocols.http import (
    Client,
    DuplexLine,
    Headers,
    RequestFailure,
    Upgrade,
    upgrade,
)
from pytest_k6api.protocols.websocket.failures import bad_handshake, unexpected_status
from pytest_k6api.protocols.websocket.options import (
    CLIENT_ADVICE,
    ConnectOptions,
    SessionOptions,
    read_session_options,
    request_options,
)
from pytest_k6api.protocols.websocket.samples import SessionSamples
from pytest_k6api.protocols.websocket.session import WebSocketSession
from pytest_k6api.protocols.websocket.websocket import WebSocket
from pytest_k6api.protocols.websocket.wire.deflate import Deflater, Inflater
from pytest_k6api.protocols.websocket.wire.handshake import (
    Agreement,
    BadHandshake,
    Offer,
    http_url,
    new_offer,
    ws_name,
)
from pytest_k6api.protocols.websocket.wire.reader import FrameReader


class WebSocketClient(Advised):
    """The WebSocket client of one virtual user.

    Handshakes have the header fields, cookies, signature and TLS of its HTTP client.
    """

    advice = CLIENT_ADVICE

    __slots__ = ("_client", "_open", "_recorder")

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._open: set[WebSocket] = set()

    def __repr__(self) -> str:
        return f"<WebSocketClient with {len(self._open)} open sessions>"

    def connect(self, url: str, **options: Unpack[ConnectOptions]) -> "Connecting":
        """Return a session for ``async with``: opened at the start of the block, closed at its end.

        Args:
            url: ``ws://…``, ``wss://…``, or a path below ``--k6-base-url``.
            **options: See `ConnectOptions`.
        """
        return Connecting(self, url, options)

    async def open(self, url: str, options: ConnectOptions) -> WebSocket:
        """Return a session, which may have failed to open.

        Raises:
            OptionError: An option cannot be used as given.
            TypeError: There is no such option.
        """
        read = read_session_options(options)
        headers = Headers(options.get("headers"))
        offer = new_offer(options.get("subprotocols"), headers, options.get("compression"))
        offer.add_to(headers)
        began = perf_counter_ns()
        made = await upgrade(self._client, http_url(url), request_options(options, headers))
        if options.get("name") is None:
            made.request.name = ws_name(made.request.name)
        samples = SessionSamples(self._recorder, made.request, made.response)
        samples.record_opening(began, perf_counter_ns())
        socket = self._socket(made, offer, read, samples)
        if socket.is_open:
            self._open.add(socket)
        return socket

    async def leave(self, socket: WebSocket, error: BaseException | None) -> bool:
        """Close `socket`; see `WebSocket.leave`."""
        try:
            return await socket.leave(error)
        finally:
            self._open.discard(socket)

    def close(self) -> None:
        """Close all sessions at once, with a close frame where the connection takes it."""
        for socket in self._open:
            socket.drop()
        self._open.clear()

    def _socket(
        self, made: Upgrade, offer: Offer, options: SessionOptions, samples: SessionSamples
    ) -> WebSocket:
        line = made.line
        if line is None:
            failure = _refusal(made, options)
            return WebSocket(made.response, samples, options, failure=failure)
        try:
            agreement = offer.agreement(made.response)
        except BadHandshake as error:
            line.close()
            return WebSocket(made.response, samples, options, failure=bad_handshake(str(error)))
        session = self._session(line, agreement, options, samples)
        if made.first_bytes:
            session.take(made.first_bytes)
        made.watch(session)
        return WebSocket(
            made.response,
            samples,
            options,
            session=session,
            subprotocol=agreement.subprotocol,
            timeout=made.request.timeout,
        )

    def _session(
        self,
        line: DuplexLine,
        agreement: Agreement,
        options: SessionOptions,
        samples: SessionSamples,
    ) -> WebSocketSession:
        terms = agreement.deflate
        inflater = Inflater(terms) if terms is not None else None
        deflater = Deflater(terms) if terms is not None else None
        return WebSocketSession(
            line,
            FrameReader(options.max_message_size, inflater),
            self._recorder,
            samples.tags_id,
            deflater=deflater if deflater is not None and deflater.is_able else None,
            idle_timeout=options.idle_timeout,
            max_duration=options.max_duration,
        )


class Connecting(AsyncBlock):
    """A session that is about to be opened: use it in ``async with``."""

    __slots__ = ("_client", "_options", "_socket", "_url")

    written = "async with vu.ws.connect(...) as ws:"

    def __init__(self, client: WebSocketClient, url: str, options: ConnectOptions) -> None:
        self._client = client
        self._url = url
        self._options = options
        self._socket: WebSocket | None = None
        self.is_unused = True

    async def __aenter__(self) -> WebSocket:
        self.is_unused = False
        self._socket = socket = await self._client.open(self._url, self._options)
        if socket.error and self._options.get("throw", False):
            error = socket.closed_error("opened it")
            await self._client.leave(socket, error)
            raise error
        return socket

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        assert self._socket is not None
        return await self._client.leave(self._socket, error)


def _refusal(made: Upgrade, options: SessionOptions) -> RequestFailure | None:
    """Return why a handshake that was not answered with 101 failed; None if that was expected."""
    response = made.response
    expected = options.expected_statuses
    if expected is not None and response.status_code in expected:
        return None
    if response.status_code:
        return unexpected_status(response.status_code)
    return RequestFailure(response.error_code, response.error)
