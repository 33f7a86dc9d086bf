"""What goes out of a session: frames into the batch of all connections, with what tells of them.

Sending never waits here; see `Session.send`.
"""

from pytest_k6api.model import Recorder
from pytest_k6api.protocols.http import DuplexLine, TlsSocket
from pytest_k6api.protocols.websocket.waits import Message, Wait
from pytest_k6api.protocols.websocket.wire.deflate import Deflater
from pytest_k6api.protocols.websocket.wire.frames import (
    BINARY,
    CLOSE,
    COMPRESSED,
    MASKS,
    PING,
    PONG,
    TEXT,
    Close,
    encode_close,
    encode_frame,
)

MOST_UNSENT = 64 * 1024
"""Bytes that wait to be sent, above which a sender waits, too."""


class Outgoing:
    """Writes the frames of one session.

    Attributes:
        line: The connection.
        close_sent: The close frame sent; None before.
        tls: The connection, if it is one of TLS; else None.

    Args:
        deflater: Compresses messages; None if that was not agreed on.
    """

    __slots__ = ("_deflater", "_recorder", "close_sent", "line", "tls")

    def __init__(self, line: DuplexLine, recorder: Recorder, deflater: Deflater | None) -> None:
        self.line = line
        self.close_sent: Close | None = None
        # Until something waits for an answer, no time of arrival is asked for.
        line.is_timed = False
        self._recorder = recorder
        self._deflater = deflater
        self.tls = line.sock if isinstance(line.sock, TlsSocket) else None

    def put_message(self, message: Message) -> None:
        """Send `message`.

        Raises:
            TypeError: It is neither str nor bytes.
        """
        if isinstance(message, str):
            kind, data = TEXT, message.encode()
        elif isinstance(message, (bytes, bytearray, memoryview)):
            kind, data = BINARY, bytes(message)
        else:
            raise TypeError(
                f"a message is str or bytes, got {type(message).__name__} {message!r}; ws.send_json()"
                " takes any value"
            )
        if self._deflater is not None:
            kind, data = kind | COMPRESSED, self._deflater.deflate(data)
        frame = encode_frame(kind, data, next(MASKS))
        # `_put`, without the call.
        if self.tls is None:
            self._recorder.bytes_sent += len(frame)
        self.line.send_soon(frame)

    def put_ping(self, payload: bytes) -> None:
        """Send a ping."""
        self._put(encode_frame(PING, payload, next(MASKS)))

    def put_pong(self, payload: bytes) -> None:
        """Send a pong, unless the session is being closed."""
        if self.close_sent is None:
            self._put(encode_frame(PONG, payload, next(MASKS)))

    def put_close(self, code: int, reason: str) -> None:
        """Send a close frame, unless one was sent before."""
        if self.close_sent is None:
            self.close_sent = Close(code, reason)
            self._put(encode_frame(CLOSE, encode_close(code, reason), next(MASKS)))

    def measure(self, wait: Wait) -> None:
        """Let `wait` begin at the moment at which what was just put is sent."""
        # Not when it was: a quick server answers before `send` returns.
        self.line.call_when_sent(lambda: wait.begin(self.line.started_at))
        self.line.is_timed = True

    def count(self, data: bytes) -> None:
        """Count the bytes `data`, which were received; of TLS, all since the last call."""
        if self.tls is None:
            self._recorder.bytes_received += len(data)
        else:
            sent, received = self.tls.take_counts()
            self._recorder.bytes_sent += sent
            self._recorder.bytes_received += received

    def _put(self, frame: bytes) -> None:
        if self.tls is None:
            self._recorder.bytes_sent += len(frame)
        self.line.send_soon(frame)
