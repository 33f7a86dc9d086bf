"""Raw connections to a served API, for clients that do not behave."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_k6api.api import ApiLimits, ApiServer, ApiSettings, SessionPort
from tests.api.fake import FakeLoadTest, FakeSession

GET_STATUS = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def served(
    session: SessionPort | None = None,
    *,
    limits: ApiLimits | None = None,
    token: str | None = None,
) -> Iterator[str]:
    """Serve `session` on a free port; the value is the address, without ``http://``."""
    settings = ApiSettings(address="127.0.0.1:0", token=token, limits=limits or ApiLimits())
    server = ApiServer(session or FakeSession(FakeLoadTest()), settings)
    url = server.start()
    try:
        yield url.removeprefix("http://")
    finally:
        server.stop()


def connect(address: str, *, timeout: float = 5.0, receive_buffer: int = 0) -> socket.socket:
    """Open a connection; a receive buffer of some bytes makes a client that takes little."""
    host, _, port = address.rpartition(":")
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(timeout)
    connection.connect((host, int(port)))
    return connection


def read_until_eof(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def read_reply(connection: socket.socket) -> bytes:
    """Return one reply of a known length from a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def exchange(address: str, request: bytes) -> bytes:
    """Send `request`, which asks to close the connection, and return the whole reply."""
    with connect(address) as connection:
        connection.sendall(request)
        return read_until_eof(connection)


def get(address: str, path: str, *headers: str) -> bytes:
    """Return the whole reply to a GET."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {address}", "Connection: close", *headers, "", ""]
    return exchange(address, "\r\n".join(lines).encode())


def status_of(reply: bytes) -> int:
    """Return the HTTP status of a reply."""
    return int(reply.split(b" ", 2)[1])
