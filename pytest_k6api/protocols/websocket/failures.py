"""Failures of WebSocket sessions, in words and codes; and the one exception that users see.

Failures of the network have k6's codes, as those of requests. A close code is 1800 more
than its last digits (1806 for 1006), so that it is not taken for one of them; those of
applications (3000 to 4999) are themselves.
"""

from pytest_k6api.model import K6ApiError
from pytest_k6api.protocols.http import RequestFailure
from pytest_k6api.protocols.http.message.errors import TIMEOUT
from pytest_k6api.protocols.websocket.wire.frames import (
    ABNORMAL,
    NORMAL,
    Breach,
    Close,
    describe_code,
)

BAD_HANDSHAKE = 1800


class WebSocketClosed(K6ApiError):
    """A WebSocket session is over while the scenario still needs it.

    It leaves the ``async with`` block of the session, which counts the session as failed
    and does not let it out, unless ``throw=True`` was given.

    Attributes:
        code: The close code: the server's, or ours; 1006 without one.
        reason: The reason that came with it; may be empty.
        owner: Tells whose it is.
    """

    def __init__(self, text: str, *, code: int, reason: str, owner: object) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.owner = owner


def _code_of(close_code: int) -> int:
    return close_code + 800 if close_code < 3000 else close_code


def bad_handshake(text: str) -> RequestFailure:
    """Return the failure of a handshake that was answered with a status that is no 101, or a wrong one."""
    return RequestFailure(BAD_HANDSHAKE, text)


def unexpected_status(status: int) -> RequestFailure:
    """Return the failure of a handshake that was answered with `status`."""
    code = 1000 + status if status >= 400 else BAD_HANDSHAKE
    return RequestFailure(code, f"the server answered the handshake with {status}")


def unexpected_close(close: Close, doing: str = "") -> RequestFailure:
    """Return the failure of a session that the server closed; `doing` is what the scenario did."""
    meanwhile = f" while the scenario {doing}" if doing else ""
    # Without the reason, which the exchange shows: it may differ each time, and hold secrets.
    text = f"the server closed with {describe_code(close.code)}{meanwhile}"
    return RequestFailure(_code_of(close.code), text)


def gone() -> RequestFailure:
    """Return the failure of a connection that ended without a close frame."""
    return RequestFailure(_code_of(ABNORMAL), "the connection ended without a close frame")


def closed_too_soon(doing: str) -> RequestFailure:
    """Return the failure of a session that the scenario closed, and needed: it `doing`."""
    return RequestFailure(_code_of(NORMAL), f"the session was closed before the scenario {doing}")


def broken_rule(violation: Breach) -> RequestFailure:
    """Return the failure of a session whose server broke the protocol."""
    return RequestFailure(_code_of(violation.code), violation.text)


def overdue(text: str) -> RequestFailure:
    """Return the failure of a session that waited for too long."""
    return RequestFailure(TIMEOUT, text)
