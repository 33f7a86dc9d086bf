"""A QUIC server for one test each, which says what the test wants, and loses what it wants lost."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import trio
import trustme
from qh3._hazmat import Buffer, QpackDecoder
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnection
from qh3.quic.events import ConnectionTerminated, StreamDataReceived
from qh3.quic.packet import pull_quic_transport_parameters, push_quic_transport_parameters
from qh3.quic.tls_bridge import QuicTlsBridge

from pytest_k6api.protocols.http.h3.frames import DATA, HEADERS, SETTINGS, frame, read_number
from pytest_k6api.protocols.http.h3.qpack import encode_fields

# :status 200, 103, 404 and 503 of QPACK's static table, behind the prefix.
OK = frame(HEADERS, b"\0\0\xd9")
EARLY_HINTS = frame(HEADERS, b"\0\0\xd8")
NOT_FOUND = frame(HEADERS, b"\0\0\xdb")
GREETING = b"\0" + frame(SETTINGS, b"")

Answer = Callable[["Peer", int], None]


def literal(name: bytes, value: bytes) -> bytes:
    """Return a field line with a name of up to six bytes and a short value."""
    return bytes([0x20 | len(name)]) + name + bytes([len(value)]) + value


def head(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return HEADERS with `fields`."""
    lines = encode_fields([(name.encode(), value.encode()) for name, value in fields])
    return frame(HEADERS, b"\0\0" + lines)


def read_request(data: bytes) -> tuple[dict[str, str], bytes]:
    """Return the fields and the body of a request that has come whole."""
    fields: dict[str, str] = {}
    body, position = b"", 0
    while position < len(data):
        kind, position = read_number(data, position)
        size, position = read_number(data, position)
        payload = data[position : position + size]
        position += size
        if kind == HEADERS:
            _, lines = QpackDecoder(0, 0).feed_header(0, payload)
            fields |= {name.decode(): value.decode() for name, value in lines}
        elif kind == DATA:
            body += payload
    return fields, body


def hello(peer: "Peer", number: int) -> None:
    """Answer with a small body."""
    peer.send(number, OK + frame(DATA, b"hello"), end=True)


class Peer:
    """The server's end of one connection.

    Attributes:
        quic: The connection.
        bodies: What came of each stream up to now.
        code: The code that the client has closed the connection with; None before.
        control: The number of its control stream.
    """

    def __init__(self, quic: QuicConnection, answer: Answer, greeting: bytes) -> None:
        self.quic = quic
        self.bodies: dict[int, bytes] = {}
        self.code: int | None = None
        self.control = 3
        self._answer, self._greeting = answer, greeting
        self._is_greeted = False

    def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        self.quic.send_stream_data(number, data, end)

    def handle(self) -> None:
        """Deal with what has come."""
        if not self._is_greeted and self.quic._handshake_complete:
            self._is_greeted = True
            if self._greeting:
                self.send(self.control, self._greeting)
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self.code = event.error_code
            elif isinstance(event, StreamDataReceived):
                is_new = event.stream_id not in self.bodies
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if event.stream_id % 4 == 0 and (event.end_stream if self.waits else is_new):
                    self._answer(self, event.stream_id)
        if self.quic._close_event is not None:
            self.code = self.quic._close_event.error_code

    # Whether a request is answered when all of it has come, not when it begins.
    waits = True


class Telling(QuicConnection):
    """A server's connection that tells other limits than it has, and may go beyond the client's."""

    limits: Mapping[str, Any] = {}
    is_deaf = False

    def _create_tls(self, remote_source_cid: bytes | None) -> QuicTlsBridge:
        bridge = super()._create_tls(remote_source_cid)
        ((kind, told),) = bridge.tls.handshake_extensions
        parameters = replace(pull_quic_transport_parameters(Buffer(data=told)), **self.limits)
        buffer = Buffer(capacity=4096)
        push_quic_transport_parameters(buffer, parameters)
        bridge.tls.handshake_extensions = [(kind, buffer.data)]
        return bridge

    def _drain_tls(self) -> None:
        theirs = self._tls and self._tls.remote_transport_parameters
        if theirs and self.is_deaf:
            theirs.initial_max_streams_uni = 2**40
        super()._drain_tls()


class Server:
    """Where a test's server listens.

    Attributes:
        url: Of it.
        ca: Has signed its certificate.
        peers: Its connections, the oldest first.
        received, sent: Datagrams.
        retried: The connection ids that clients chose at first, by those they were given by Retry.
    """

    def __init__(self, host: str, port: int, folder: Path, **options: Any) -> None:
        self.url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self.ca = trustme.CA()
        self.peers: list[Peer] = []
        self.received = self.sent = 0
        self.retried: dict[bytes, bytes] = {}
        self.configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"], **options)
        chain = self.ca.issue_cert(host)
        chain.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        chain.private_key_pem.write_to_path(str(folder / "key.pem"))
        self.configuration.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.configuration.verify_mode = ssl.CERT_NONE


class Speech(NamedTuple):
    """What a server says.

    Attributes:
        answer: Called for each request.
        greeting: What the control stream begins with.
        loses: Whether the datagram of a number, either way, is lost.
        garbage: What is sent before each datagram.
        meets: Returns what a datagram is answered with before any connection sees it; None to
            let one see it.
        limits: Transport parameters that are told instead of QUIC's.
        is_deaf: Whether more streams are opened than the client allows.
    """

    answer: Answer = hello
    greeting: bytes = GREETING
    loses: Callable[[int], bool] = lambda _: False
    garbage: Sequence[bytes] = ()
    meets: Callable[["Server", bytes], bytes | None] = lambda *_: None
    limits: Mapping[str, int] = {}
    is_deaf: bool = False


class _Serving:
    """Carries datagrams between a socket and the connections behind it."""

    def __init__(self, sock: trio.socket.SocketType, server: Server, speech: Speech) -> None:
        self.sock, self.server, self.speech = sock, server, speech
        self.peers: dict[Any, Peer] = {}
        self._count = 0

    async def run(self) -> None:
        while True:
            with trio.move_on_after(0.01):
                await self._receive(*await self.sock.recvfrom(65_535))
            for address, peer in self.peers.items():
                await self._go_on(peer, address)

    async def _receive(self, data: bytes, address: Any) -> None:
        self.server.received += 1
        if self._is_lost():
            return
        answer = self.speech.meets(self.server, data)
        if answer is None:
            self._peer(address, data).quic.receive_datagram(data, address, perf_counter())
        elif answer:
            await self.sock.sendto(answer, address)

    def _is_lost(self) -> bool:
        self._count += 1
        return self.speech.loses(self._count)

    def _peer(self, address: Any, data: bytes) -> Peer:
        if address not in self.peers:
            target, _ = connection_ids(data)
            first = self.server.retried.get(target)
            quic = Telling(
                configuration=self.server.configuration,
                original_destination_connection_id=first or target,
                retry_source_connection_id=target if first else None,
            )
            quic.limits, quic.is_deaf = self.speech.limits, self.speech.is_deaf
            self.peers[address] = Peer(quic, self.speech.answer, self.speech.greeting)
            self.server.peers.append(self.peers[address])
        return self.peers[address]

    async def _go_on(self, peer: Peer, address: Any) -> None:
        timer = peer.quic.get_timer()
        if timer is not None and timer <= perf_counter():
            peer.quic.handle_timer(perf_counter())
        peer.handle()
        for data, _ in peer.quic.datagrams_to_send(perf_counter()):
            self.server.sent += 1
            if not self._is_lost():
                for piece in (*self.speech.garbage, data):
                    await self.sock.sendto(piece, address)


def connection_ids(data: bytes) -> tuple[bytes, bytes]:
    """Return the target and the source that a datagram with a long header names."""
    end = 6 + data[5]
    return data[6:end], data[end + 1 : end + 1 + data[end]]


@asynccontextmanager
async def serving(
    folder: Path, answer: Answer = hello, host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[Server]:
    """Serve `answer`, which is called for each request.

    Args:
        folder: For the server's certificate.
        answer: See above.
        host: The address to serve on.
        options: Of `Speech`; the others of QUIC.
    """
    spoken = {name: options.pop(name) for name in {*options} & {*Speech._fields}}
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    sock = trio.socket.socket(family, trio.socket.SOCK_DGRAM)
    await sock.bind((host, 0))
    server = Server(host, sock.getsockname()[1], folder, **{"idle_timeout": 10.0, **options})
    with sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_Serving(sock, server, Speech(answer, **spoken)).run)
            yield server
            nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; whatever it tells of has no event."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)
