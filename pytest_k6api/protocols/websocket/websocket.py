"""A WebSocket session as scenarios see it."""

from collections.abc import Coroutine
from functools import partial
from time import perf_counter_ns
from typing import Any, NoReturn

import trio

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.http import RequestFailure, Response, decode_json, encode_json
from pytest_k6api.protocols.websocket.failures import WebSocketClosed, unexpected_close
from pytest_k6api.protocols.websocket.options import WEBSOCKET_ADVICE, SessionOptions, nanoseconds
from pytest_k6api.protocols.websocket.samples import SessionSamples
from pytest_k6api.protocols.websocket.session import WebSocketSession
from pytest_k6api.protocols.websocket.waits import Match, Message, Takes, Wait
from pytest_k6api.protocols.websocket.wire.frames import (
    ABNORMAL,
    GOING_AWAY,
    MOST_CONTROL,
    NORMAL,
    Event,
    Pong,
    is_code_to_send,
)

CLOSE_TIMEOUT = 5.0
"""Seconds that a server has to answer a close frame."""
_HURRIED = 1.0  # seconds for that if the scenario is interrupted


class WebSocket(Advised):
    """One session, inside of the ``async with`` block of ``vu.ws.connect``.

    It may not be open: then `error` says why, and the first call that needs it leaves the
    block by `WebSocketClosed`.

    Attributes:
        response: The server's answer to the handshake.
        subprotocol: The one that the server chose; empty for none.
    """

    advice = WEBSOCKET_ADVICE

    __slots__ = (
        "_failure", "_options", "_samples", "_session", "_timeout", "response", "subprotocol",
    )  # fmt: skip

    def __init__(
        self,
        response: Response,
        samples: SessionSamples,
        options: SessionOptions,
        *,
        session: WebSocketSession | None = None,
        failure: RequestFailure | None = None,
        subprotocol: str = "",
        timeout: int = 0,
    ) -> None:
        """Made by `WebSocketClient`; `timeout` is in nanoseconds, of a request or a ping."""
        self.response = response
        self.subprotocol = subprotocol
        self._samples = samples
        self._options = options
        self._session = session
        self._failure = failure
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<WebSocket {'open' if self.is_open else 'closed'}, handshake {self.response!r}>"

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent and received."""
        return self._session is not None and self._session.is_usable

    @property
    def error(self) -> str:
        """Why the session failed; ``""`` if it did not, so far."""
        failure = self.failure
        return failure.text if failure is not None else ""

    @property
    def error_code(self) -> int:
        """The tag ``error_code`` of a session that failed; 0 if it did not, so far."""
        failure = self.failure
        return failure.code if failure is not None else 0

    @property
    def failure(self) -> RequestFailure | None:
        """Why the session failed; None if it did not, so far."""
        if self._failure is None and self._session is not None:
            return self._session.failure
        return self._failure

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame; 1006 if the session ended without; None before."""
        session = self._session
        if session is None or session.is_open:
            return None
        return session.closed_by_server.code if session.closed_by_server else ABNORMAL

    @property
    def close_reason(self) -> str:
        """The reason in the server's close frame; may be empty."""
        session = self._session
        close = session.closed_by_server if session is not None else None
        return close.reason if close is not None else ""

    @property
    def dropped(self) -> int:
        """How many messages were dropped while `request` or `ping` waited for something else.

        More than 1 MiB of messages that were not received is not kept.
        """
        return self._session.dropped if self._session is not None else 0

    def send(self, message: Message) -> Coroutine[Any, Any, None]:
        """Send text or, if it is bytes, a binary message.

        All messages of one turn of the loop go out together. It waits only while more than
        64 KiB are not taken by the server.

        Raises:
            WebSocketClosed: The session is over.
            TypeError: `message` is neither.
        """
        session = self._session or self._needed("sent a message")
        return session.send(message)

    def send_json(self, value: object) -> Coroutine[Any, Any, None]:
        """Send `value` as JSON, in a text message; see `send`."""
        return self.send(encode_json(value).decode())

    def receive(self, timeout: float | None = None) -> Coroutine[Any, Any, Message]:
        """Return the next message: str if it is text, else bytes.

        Args:
            timeout: Seconds until the session fails; without one it waits as long as
                `idle_timeout` allows.

        Raises:
            WebSocketClosed: The session is over, or was meanwhile.
        """
        session = self._session or self._needed("waited for a message")
        if timeout is None or session.unread:
            return session.receive()
        wait = self._wait(partial(_answers, None), timeout, "no message came within {:g} s")
        return self._await_message(session, wait, "waited for a message")

    def receive_json(self, timeout: float | None = None) -> Coroutine[Any, Any, Any]:
        """Return what the next message says in JSON; see `receive`.

        Raises:
            ValueError: It is no JSON.
        """
        return _read_json(self.receive(timeout))

    def __aiter__(self) -> "WebSocket":
        return self

    def __iter__(self) -> NoReturn:
        raise TypeError("write 'async for message in ws:' in an async function")

    async def __anext__(self) -> Message:
        """Return the next message; a session that ends as expected ends the loop."""
        try:
            return await self.receive()
        except WebSocketClosed:
            if self._session is None or self._judged(None) is not None:
                raise
            raise StopAsyncIteration from None

    def request(
        self,
        message: Message,
        match: Match | None = None,
        *,
        name: str | None = None,
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, Message]:
        """Send `message` and return the answer to it; the time between is ``ws_response_time``.

        Other messages that come meanwhile are kept for `receive`. Several tasks may have
        requests under way at once.

        Args:
            message: Text or bytes.
            match: Tells whether a message is the answer; None takes the next one. What it
                raises is raised here.
            name: The tag ``name`` of the sample, instead of the session's.
            timeout: Seconds until the session fails; that of `connect` unless given.

        Raises:
            WebSocketClosed: The session is over, or was meanwhile.
        """
        session = self._needed("sent a request")
        wait = self._wait(partial(_answers, match), timeout, "no answer came within {:g} s")
        return self._request(session, wait, message, name)

    async def _request(
        self, session: WebSocketSession, wait: Wait, message: Message, name: str | None
    ) -> Message:
        await session.send(message)
        session.outgoing.measure(wait)
        answer = await self._await_message(session, wait, "waited for an answer")
        self._samples.record_answer(wait, name)
        return answer

    async def _await_message(self, session: WebSocketSession, wait: Wait, doing: str) -> Message:
        message = await session.wait_for(wait, doing)
        assert isinstance(message, (str, bytes))
        return message

    def ping(
        self, payload: bytes = b"ping", *, timeout: float | None = None
    ) -> Coroutine[Any, Any, float]:
        """Send a ping, wait for its pong, and return the seconds between, also in ``ws_ping``.

        Pings of the server are answered by themselves.

        Args:
            payload: Up to 125 bytes, which the pong repeats.
            timeout: Seconds until the session fails; that of `connect` unless given.

        Raises:
            WebSocketClosed: The session is over, or was meanwhile.
            OptionError: `payload` is no bytes, or too long.
        """
        is_bytes = isinstance(payload, bytes)
        if not is_bytes or len(payload) > MOST_CONTROL:
            raise OptionError(f"a ping takes up to {MOST_CONTROL} bytes, got {payload!r}")
        session = self._needed("sent a ping")
        wait = self._wait(partial(_is_pong, payload), timeout, "no pong came within {:g} s")
        return self._ping(session, wait, payload)

    async def _ping(self, session: WebSocketSession, wait: Wait, payload: bytes) -> float:
        session.outgoing.put_ping(payload)
        session.outgoing.measure(wait)
        await session.wait_for(wait, "waited for a pong")
        return self._samples.record_pong(wait)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the session: send a close frame and wait up to 5 s for the server's.

        The end of the block does it, too. Does nothing to a session that is over.

        Args:
            code: 1000 to 4999, without those that are reserved.
            reason: Up to 123 bytes of UTF-8; the rest is cut off.

        Raises:
            OptionError: `code` cannot be sent.
        """
        if not is_code_to_send(code):
            raise OptionError(
                f"a close code is 1000, 1001 or another that may be sent, such as 4000, got {code!r}"
            )
        if self._session is not None:
            await self._session.close(code, reason, CLOSE_TIMEOUT)

    async def leave(self, error: BaseException | None) -> bool:
        """End the block, which `error` leaves if it is one; return whether to keep that inside."""
        is_ours = self._is_ours(error)
        session = self._session
        try:
            if session is not None and isinstance(error, trio.Cancelled):
                with trio.move_on_after(_HURRIED, shield=True):
                    await session.close(GOING_AWAY, "", _HURRIED)
                    await session.hang_up()
            elif session is not None:
                await session.close(NORMAL, "", CLOSE_TIMEOUT)
                await session.hang_up()
        finally:
            self.drop()
            self._failure = self._judged(error if is_ours else None)
            is_judged = self._options.expected_statuses is not None
            self._samples.record_end(session, self._failure, is_judged=is_judged)
        return is_ours and not self._options.throw

    def drop(self) -> None:
        """Close the connection at once."""
        if self._session is not None:
            self._session.drop()

    def closed_error(self, doing: str) -> WebSocketClosed:
        """Return the exception for what the scenario does though the session is not open."""
        if self._session is not None:
            return self._session.closed_error(doing)
        text = self.error or f"the handshake was answered with {self.response.status_code}"
        return WebSocketClosed(text, code=ABNORMAL, reason="", owner=self._samples)

    def _needed(self, doing: str) -> WebSocketSession:
        if self._session is None:
            raise self.closed_error(doing)
        return self._session

    def _wait(self, takes: Takes, timeout: float | None, overdue: str) -> Wait:
        limit = self._timeout if timeout is None else nanoseconds("timeout", timeout)
        return Wait(takes, perf_counter_ns() + limit, overdue.format(limit / 1e9))

    def _is_ours(self, error: BaseException | None) -> bool:
        """Return whether `error` tells of the end of this session, and of nothing else."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._is_ours(each) for each in error.exceptions)
        owner = self._samples if self._session is None else self._session
        return isinstance(error, WebSocketClosed) and error.owner is owner

    def _judged(self, error: BaseException | None) -> RequestFailure | None:
        """Return why the session failed, which `error` left early if it is one; None if it did not."""
        session = self._session
        if self.failure is not None or session is None:
            return self.failure
        close = session.closed_by_server
        if close and session.was_closed and close.code not in self._options.expected_codes:
            return unexpected_close(close)
        return session.need_failure() if error is not None else None


async def _read_json(receiving: Coroutine[Any, Any, Message]) -> Any:
    message = await receiving
    return decode_json(message.encode() if isinstance(message, str) else message)


def _answers(match: Match | None, event: Event) -> bool:
    return isinstance(event, (str, bytes)) and (match is None or bool(match(event)))


def _is_pong(payload: bytes, event: Event) -> bool:
    return isinstance(event, Pong) and event.payload == payload
