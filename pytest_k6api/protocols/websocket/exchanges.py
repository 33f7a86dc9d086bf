"""A failed session as text, with secrets masked: its handshake, its last messages, its end."""

from collections.abc import Iterator

from pytest_k6api.model import Secrets, printable
from pytest_k6api.protocols.http import RequestFailure, Response, describe_exchange, excerpt
from pytest_k6api.protocols.websocket.session import WebSocketSession
from pytest_k6api.protocols.websocket.waits import Message
from pytest_k6api.protocols.websocket.wire.frames import Close, describe_code

_SHOWN = 300  # characters of a message


def describe_session(
    response: Response, session: WebSocketSession | None, failure: RequestFailure
) -> str:
    """Return the handshake, the last message of each side, the close frames and the failure."""
    lines = [describe_exchange(response)]
    if session is not None:
        lines += _message_lines(session, response.secrets)
    lines.append(printable(response.secrets.mask_text(f"failed: {failure.text}")))
    return "\n".join(lines)


def _message_lines(session: WebSocketSession, secrets: Secrets) -> Iterator[str]:
    for did, message in (("sent", session.last_sent), ("received", session.last_received)):
        if message is not None:
            yield f"last {did}: {_shown(message, secrets)}"
    for did, close in (
        ("sent", session.outgoing.close_sent),
        ("received", session.closed_by_server),
    ):
        if close is not None:
            yield f"{did} close {_closing(close, secrets)}"


def _shown(message: Message, secrets: Secrets) -> str:
    kind = "text" if isinstance(message, str) else "binary"
    data = message.encode("utf-8", "replace") if isinstance(message, str) else bytes(message)
    text = excerpt(data, "text/plain" if kind == "text" else "", _SHOWN, secrets)
    return f"{kind}, {len(data):,} bytes: {text}" if text else f"{kind}, empty"


def _closing(close: Close, secrets: Secrets) -> str:
    reason = f": {printable(secrets.mask_text(close.reason))}" if close.reason else ""
    return f"{describe_code(close.code)}{reason}"
