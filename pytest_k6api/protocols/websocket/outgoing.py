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
    PING,
    PONG,
    TEXT,
    Close,
    encode_close,
    encode_frame,
    random_masks,
)

MOST_UNSENT = 64 * 1024
"""Bytes that wait to be sent, above which a sender waits, too."""


class Outgoing:
    """Writes the frames of one session.

    Attributes:
        line: The connection.
        close_sent: The close frame sent; None before.
        tls: The connection, if it is one of TLS; else None.
        unsent: What waits for the answer to something that was not sent yet.

    Args:
        deflater: Compresses messages; None if that was not agreed on.
    """

    __slots__ = ("_deflater", "_next_mask", "_recorder", "close_sent", "line", "tls", "unsent")

    def __init__(self, line: DuplexLine, recorder: Recorder, deflater: Deflater | None) -> None:
        self.line = line
        self.close_sent: Close | None = None
        self._recorder = recorder
        self._deflater = deflater
        self._next_mask = random_masks().__next__
        self.tls = line.sock if isinstance(line.sock, TlsSocket) else None
        self.unsent: list[Wait] = []

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
        deflater = self._deflater
        if deflater is None:
            frame = encode_frame(kind, data, self._next_mask())
        else:
            data = deflater.deflate(data)
            frame = encode_frame(kind, data, self._next_mask(), is_compressed=True)
        line = self.line
        if self.unsent or self.tls is not None:
            self._put(frame)
        else:
            self._recorder.bytes_sent += len(frame)
            line.send_soon(frame)

    def put_ping(self, payload: bytes) -> None:
        """Send a ping."""
        self._put(encode_frame(PING, payload, self._next_mask()))

    def put_pong(self, payload: bytes) -> None:
        """Send a pong, unless the session is being closed."""
        if self.close_sent is None:
            self._put(encode_frame(PONG, payload, self._next_mask()))

    def put_close(self, code: int, reason: str) -> None:
        """Send a close frame, unless one was sent before."""
        if self.close_sent is None:
            self.close_sent = Close(code, reason)
            self._put(encode_frame(CLOSE, encode_close(code, reason), self._next_mask()))

    def measure(self, wait: Wait) -> None:
        """Let `wait` begin at the moment at which what was just put is sent."""
        self.unsent.append(wait)

    def count(self, data: bytes) -> None:
        """Count the bytes `data`, which were received; of TLS, all since the last call."""
        if self.tls is None:
            self._recorder.bytes_received += len(data)
        else:
            sent, received = self.tls.take_counts()
            self._recorder.bytes_sent += sent
            self._recorder.bytes_received += received
        if self.unsent:
            self._fix_beginnings()

    def _put(self, frame: bytes) -> None:
        line = self.line
        if self.tls is None:
            self._recorder.bytes_sent += len(frame)
        if line.wire:
            line.wire += frame
            return
        if self.unsent:
            self._fix_beginnings()
        line.send_soon(frame)

    def _fix_beginnings(self) -> None:
        if not self.line.wire:
            for wait in self.unsent:
                # Not when it ended: a quick server answers before `send` returns.
                wait.began = self.line.started_at
            self.unsent.clear()
