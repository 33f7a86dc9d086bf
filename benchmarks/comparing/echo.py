"""A WebSocket service that sends every message back, and counts: `python echo.py` prints its address.

One process, one loop over epoll, and not one call more than it takes, so that it is
quicker than what is measured. It knows whole, short, masked frames, and no others.
``GET /requests`` tells the count in the words of nginx's ``stub_status``.
"""

import select
import socket
import sys
from base64 import b64encode
from hashlib import sha1

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = 0x88
_MOST = 64 * 1024


class Echo:
    """The service.

    Attributes:
        answered: How many messages and requests for the count it has answered.
    """

    def __init__(self) -> None:
        self.answered = 0
        self._epoll = select.epoll()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8192)
        self._listener.setblocking(False)
        self._epoll.register(self._listener, select.EPOLLIN)
        self._sockets: dict[int, socket.socket] = {}
        self._rests: dict[int, bytes] = {}
        self._open: set[int] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Serve for ever."""
        while True:
            for number, _ in self._epoll.poll():
                if number == self._listener.fileno():
                    self._accept()
                else:
                    self._serve(number)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[sock.fileno()] = sock
        self._rests[sock.fileno()] = b""
        self._epoll.register(sock, select.EPOLLIN)

    def _serve(self, number: int) -> None:
        sock = self._sockets[number]
        try:
            data = sock.recv(_MOST)
        except OSError:
            data = b""
        if not data:
            self._forget(number)
            return
        data = self._rests[number] + data
        answer, rest = self._echo(data) if number in self._open else self._shake(number, data)
        self._rests[number] = rest
        if answer:
            sock.sendall(answer)
        if number in self._open and answer[:1] == b"\x88":
            self._forget(number)

    def _shake(self, number: int, data: bytes) -> tuple[bytes, bytes]:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return b"", data
        if head.startswith(b"GET /requests "):
            self.answered += 1
            body = b"server accepts handled requests\n 0 0 %d \n" % self.answered
            return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (
                len(body),
                body,
            ), rest
        key = head.lower().partition(b"sec-websocket-key:")[0]
        key = head[len(key) + 18 :].partition(b"\r\n")[0].strip()
        self._open.add(number)
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
            self.answered += data[at] != _CLOSE
            at = end
        return b"".join(answers), data[at:]

    def _forget(self, number: int) -> None:
        self._open.discard(number)
        del self._rests[number]
        self._epoll.unregister(number)
        self._sockets.pop(number).close()


if __name__ == "__main__":
    echo = Echo()
    print(echo.url, flush=True)
    try:
        echo.serve()
    except KeyboardInterrupt:
        sys.exit(0)
