"""A WebSocket service that sends every message back: `python -m comparing.echo` prints its address.

It knows whole, short, masked frames, and no others.
"""

from base64 import b64encode
from hashlib import sha1

from comparing.epoll_service import EpollService

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = 0x88


class Echo:
    """One connection; see `Talk`."""

    def __init__(self) -> None:
        self.answered = 0
        self.has_ended = self._is_open = False
        self._rest = b""

    def answer(self, data: bytes) -> bytes:
        """Return the messages in `data`, or the answer to the handshake."""
        data = self._rest + data
        answer, self._rest = self._echo(data) if self._is_open else self._shake(data)
        return answer

    def _shake(self, data: bytes) -> tuple[bytes, bytes]:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return b"", data
        key = head.lower().partition(b"sec-websocket-key:")[0]
        key = head[len(key) + 18 :].partition(b"\r\n")[0].strip()
        self._is_open = True
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n"
            % b64encode(sha1(key + _MAGIC, usedforsecurity=False).digest())
        ), rest

    def _echo(self, data: bytes) -> tuple[bytes, bytes]:
        answers = []
        at, size = 0, len(data)
        while size - at >= 6:
            length = data[at + 1] & 0x7F
            end = at + 6 + length
            if size < end:
                break
            mask = data[at + 2 : at + 6] * ((length + 3) >> 2)
            whole = int.from_bytes(mask[:length], "big")
            payload = int.from_bytes(data[at + 6 : end], "big") ^ whole
            answers.append(bytes((data[at], length)) + payload.to_bytes(length, "big"))
            self.has_ended = data[at] == _CLOSE
            self.answered += data[at] != _CLOSE
            at = end
        return b"".join(answers), data[at:]


if __name__ == "__main__":
    EpollService(Echo).run()
