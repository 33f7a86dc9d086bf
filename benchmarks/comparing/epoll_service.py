"""The loop of services that answer many connections from one thread, and count what they answer.

One loop over epoll, and not one call more than it takes, so that a service is quicker than
what is measured. ``GET /requests`` tells the count in the words of nginx's ``stub_status``.
"""

import select
import socket
import sys
from typing import Protocol

_MOST = 64 * 1024
_COUNTS = b"GET /requests "


class Talk(Protocol):
    """One connection of a service.

    Attributes:
        answered: How many requests it has answered since the service last looked.
        has_ended: Whether the connection is to be closed behind its last answer.
    """

    answered: int
    has_ended: bool

    def answer(self, data: bytes) -> bytes:
        """Take the next bytes and return what is to be sent, if anything."""


class EpollService:
    """A service on 127.0.0.1.

    Args:
        talk: Makes what speaks on a new connection.
    """

    def __init__(self, talk: type[Talk]) -> None:
        self._talk = talk
        self._answered = 0
        self._epoll = select.epoll()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8192)
        self._listener.setblocking(False)
        self._epoll.register(self._listener, select.EPOLLIN)
        self._open: dict[int, tuple[socket.socket, Talk]] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        """Print where it listens, and serve until interrupted."""
        print(self.url, flush=True)
        try:
            while True:
                for number, _ in self._epoll.poll():
                    if number == self._listener.fileno():
                        self._accept()
                    else:
                        self._serve(number)
        except KeyboardInterrupt:
            sys.exit(0)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open[sock.fileno()] = sock, self._talk()
        self._epoll.register(sock, select.EPOLLIN)

    def _serve(self, number: int) -> None:
        sock, talk = self._open[number]
        try:
            data = sock.recv(_MOST)
        except OSError:
            data = b""
        if not data:
            self._forget(number)
            return
        if data.startswith(_COUNTS):
            sock.sendall(self._count())
            return
        answer = talk.answer(data)
        self._answered += talk.answered
        talk.answered = 0
        if answer:
            sock.sendall(answer)
        if talk.has_ended:
            self._forget(number)

    def _count(self) -> bytes:
        self._answered += 1
        body = b"server accepts handled requests\n 0 0 %d \n" % self._answered
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        return head + body

    def _forget(self, number: int) -> None:
        self._epoll.unregister(number)
        sock, _ = self._open.pop(number)
        sock.close()
