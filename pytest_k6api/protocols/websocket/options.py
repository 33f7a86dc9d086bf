"""The options of a WebSocket connection: all that ``vu.ws.connect`` takes beside the URL."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.advice import unknown_options
from pytest_k6api.protocols.http import (
    Auth,
    CookieSource,
    ExpectedStatuses,
    Headers,
    HeaderSource,
    QueryParams,
    RequestOptions,
    StatusSet,
    read_expected,
)
from pytest_k6api.protocols.websocket.wire.frames import GOING_AWAY, NO_CODE, NORMAL

_MOST_SIZE = 1 << 62
_PASSED_ON = ("auth", "cookies", "name", "params", "tags", "timeout")


class ConnectOptions(TypedDict, total=False):
    """Options of ``vu.ws.connect``; those that HTTP requests have too mean the same.

    Attributes:
        subprotocols: Those that the client speaks, the best first.
        headers: Header fields of the handshake; they replace the client's of the same name.
        params: Parameters appended to the URL's query.
        cookies: Cookies for the handshake, beside those in the VU's jar.
        auth: As for a request.
        name: The tag ``name`` of the samples, instead of the URL.
        tags: More tags of the samples.
        timeout: Seconds for the handshake, and unless they say otherwise for an answer
            (`request`) and a pong (`ping`); 60 unless given.
        idle_timeout: Seconds that `receive` and ``async for`` wait without a byte of the
            server; None for no limit.
        max_duration: Seconds that the session may last; None for no limit.
        max_message_size: Bytes that a message may have, decompressed; 16 MiB unless given.
        compression: ``"deflate"`` offers permessage-deflate.
        expected_statuses: Statuses of the handshake that are no failure beside 101; None
            for no judgement of the session.
        expected_codes: Codes with which the server may close: 1000, 1001 and none unless
            given.
        throw: Whether the block lets the `WebSocketClosed` of a failed session out.
    """

    subprotocols: Iterable[str] | None
    headers: HeaderSource
    params: QueryParams
    cookies: CookieSource
    auth: Auth | None
    name: str | None
    tags: Mapping[str, str] | None
    timeout: float | None
    idle_timeout: float | None
    max_duration: float | None
    max_message_size: int
    compression: Literal["deflate"] | None
    expected_statuses: ExpectedStatuses
    expected_codes: int | Iterable[int]
    throw: bool


_KNOWN = frozenset(ConnectOptions.__annotations__)

# What to write, by the names that other clients have for it.
_OPTION_ADVICE = {
    "additional_headers": "headers=",
    "close_timeout": "timeout=",
    "extra_headers": "headers=",
    "header": "headers=",
    "max_size": "max_message_size=",
    "open_timeout": "timeout=",
    "ping_interval": "await ws.ping() where the scenario wants one",
    "protocols": "subprotocols=",
    "ssl": "wss://, with --k6-ca-file or --k6-insecure-skip-tls-verify",
    "verify": "--k6-insecure-skip-tls-verify, or --k6-ca-file",
}
CLIENT_ADVICE: Mapping[str, str] = dict.fromkeys(
    ("create_connection", "open_connection", "websocket_connect", "ws_connect"),
    "vu.ws.connect(url)",
)
WEBSOCKET_ADVICE: Mapping[str, str] = {
    "closed": "ws.is_open",
    "get_message": "ws.receive()",
    "iter_text": "'for message in ws:', with async where the scenario has it",
    "on": "'for message in ws:', with async where the scenario has it",
    "onmessage": "'for message in ws:', with async where the scenario has it",
    "open": "ws.is_open",
    "receive_bytes": "ws.receive(), which gives bytes for a binary message",
    "receive_str": "ws.receive(), which gives str for a text",
    "receive_text": "ws.receive(), which gives str for a text",
    "recv": "ws.receive()",
    "send_bytes": "ws.send(message)",
    "send_message": "ws.send(message)",
    "send_str": "ws.send(message)",
    "send_text": "ws.send(message)",
    "state": "ws.is_open",
    "wait_closed": "ws.close()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """Options of a session, read and checked; times in nanoseconds.

    Attributes:
        idle_timeout, max_duration: See `ConnectOptions`; infinite for none.
        max_message_size: Bytes.
        expected_statuses: None for no judgement.
        expected_codes: Codes of the server that are no failure.
        throw: Whether the block lets the exception of a failed session out.
    """

    idle_timeout: float
    max_duration: float
    max_message_size: int
    expected_statuses: StatusSet
    expected_codes: frozenset[int]
    throw: bool


def read_session_options(options: ConnectOptions) -> SessionOptions:
    """Return those of `options` that are not the handshake's.

    Raises:
        OptionError: One of them cannot be used as given.
        TypeError: There is no such option.
    """
    if not options.keys() <= _KNOWN:
        raise unknown_options("vu.ws.connect()", options.keys() - _KNOWN, _KNOWN, _OPTION_ADVICE)
    size: object = options.get("max_message_size", 16 * 1024 * 1024)
    if not isinstance(size, int) or not 0 < size < _MOST_SIZE:
        raise OptionError(f"max_message_size is a number of bytes above 0, got {size!r}")
    return SessionOptions(
        idle_timeout=nanoseconds("idle_timeout", options.get("idle_timeout")),
        max_duration=nanoseconds("max_duration", options.get("max_duration")),
        max_message_size=size,
        expected_statuses=read_expected(options.get("expected_statuses", ())),
        expected_codes=_read_codes(options.get("expected_codes", (NORMAL, GOING_AWAY, NO_CODE))),
        throw=options.get("throw", False),
    )


def request_options(options: ConnectOptions, headers: Headers) -> RequestOptions:
    """Return the options of the handshake's request, with `headers`."""
    passed_on = {name: options[name] for name in _PASSED_ON if name in options}  # type: ignore[literal-required]  # names of ConnectOptions
    return {**passed_on, "headers": headers}  # type: ignore[typeddict-item]  # likewise


def nanoseconds(name: str, seconds: object) -> float:
    """Return `seconds` in nanoseconds; infinite for None.

    Raises:
        OptionError: It is no number above 0.
    """
    if seconds is None:
        return math.inf
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0:
        return seconds * 1e9
    raise OptionError(
        f"{name} is a number of seconds above 0, or None for no limit, got {seconds!r}"
    )


def _read_codes(codes: object) -> frozenset[int]:
    found = {codes} if isinstance(codes, int) else codes
    if isinstance(found, Iterable) and not isinstance(found, (str, bytes)):
        listed = list(found)
        if all(isinstance(code, int) and 1000 <= code <= 4999 for code in listed):
            return frozenset(listed)
    raise OptionError(
        f"expected_codes is a close code or a collection of them, such as [1000, 4001], got {codes!r}"
    )
