"""One service over every version of HTTP: TLS with HTTP/1.1, HTTP/2 and QUIC, and HTTP/2 without TLS."""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import trustme

from pytest_k6api.protocols.http.h3.frames import DATA, frame
from tests.protocols.http.h2 import speaking as h2
from tests.protocols.http.h3 import speaking as h3
from tests.protocols.http.serving import Handler, Peer, serving

VERSIONS = {"1.1": "1.1", "h2c": "2-prior-knowledge", "h2": "2", "h3": "3"}
"""What `ClientOptions.http_versions` is for each."""

PROTOS = {"1.1": "HTTP/1.1", "h2c": "HTTP/2.0", "h2": "HTTP/2.0", "h3": "HTTP/3.0"}
"""What `Response.http_version` is for each."""

Fields = Sequence[tuple[str, str]]


class Asked(NamedTuple):
    """A request as the service has it."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes = b""


class Said(NamedTuple):
    """A response."""

    status: int = 200
    fields: Fields = ()
    body: bytes = b"hello"


Service = Callable[[Asked], Said]


class Place(NamedTuple):
    """Where a service is.

    Attributes:
        url: Of it.
        ca: A file with who has signed its certificate.
        connections: Returns how many were made.
    """

    url: str
    ca: Path
    connections: Callable[[], int]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class Files(NamedTuple):
    """Certificates: of the server, and who has signed it and the client's."""

    ca: Path
    cert: Path
    key: Path

    def context(self, protocol: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        context.set_alpn_protocols([protocol])
        return context


def make_files(folder: Path) -> Files:
    files = Files(*(folder / f"{name}.pem" for name in ("authority", "server", "server-key")))
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "shop.test", "localhost")
    authority.cert_pem.write_to_path(str(files.ca))
    leaf.cert_chain_pems[0].write_to_path(str(files.cert))
    leaf.private_key_pem.write_to_path(str(files.key))
    return files


@asynccontextmanager
async def offering(version: str, folder: Path, service: Service) -> AsyncIterator[Place]:
    """Serve `service` over one version on 127.0.0.1."""
    files = make_files(folder)
    if version == "h3":
        async with h3.serving(folder, lambda peer, number: _answer3(service, peer, number)) as quic:
            quic.configuration.load_cert_chain(files.cert, files.key)
            yield Place(quic.url, files.ca, lambda: len(quic.peers))
        return
    handler, context = _handler1(service), files.context("http/1.1")
    if version != "1.1":
        handler, context = _handler2(service), files.context("h2")
    async with serving(handler, None if version == "h2c" else context) as tcp:
        yield Place(tcp.url, files.ca, lambda: tcp.connections)


def _handler1(service: Service) -> Handler:
    async def handle(peer: Peer) -> None:
        while head := await peer.head():
            first, *lines = head.decode().strip().split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines)
            method, target, _ = first.split(" ")
            body = await _read_body(peer, fields)
            said = service(Asked(method, target, _cased(lines), body))
            answer = f"HTTP/1.1 {said.status} Said\r\n"
            for name, value in {"content-length": len(said.body), **dict(said.fields)}.items():
                answer += f"{name}: {value}\r\n"
            await peer.send(f"{answer}\r\n".encode() + (said.body if method != "HEAD" else b""))

    return handle


def _cased(lines: Sequence[str]) -> dict[str, str]:
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


async def _read_body(peer: Peer, fields: dict[str, str]) -> bytes:
    if "chunked" not in fields.get("transfer-encoding", ""):
        return await peer.exactly(int(fields.get("content-length", 0)))
    body = b""
    while size := int((await peer.until(b"\r\n")), 16):
        body += await peer.exactly(size)
        await peer.until(b"\r\n")
    await peer.until(b"\r\n")
    return body


def _handler2(service: Service) -> Handler:
    async def handle(peer: Peer) -> None:
        speaker = h2.Speaker(peer)
        await speaker.greet(h2.settings())
        while True:
            stream = await speaker.request()
            body = b"".join(
                each.payload
                for each in speaker.frames
                if each.kind == h2.DATA and each.stream == stream
            )
            fields = dict(speaker.fields[-1])
            asked = Asked(fields.pop(":method"), fields.pop(":path"), fields, body)
            said = service(asked)
            block = h2.fields([(":status", str(said.status)), *said.fields])
            has_body = asked.method != "HEAD" and said.body
            await speaker.send(h2.head(stream, block, ends=not has_body))
            if has_body:
                await speaker.send(h2.data(stream, said.body))

    return handle


def _answer3(service: Service, peer: h3.Peer, number: int) -> None:
    fields, body = h3.read_request(peer.bodies[number])
    asked = Asked(fields.pop(":method"), fields.pop(":path"), fields, body)
    said = service(asked)
    peer.send(number, h3.head([(":status", str(said.status)), *said.fields]))
    if asked.method != "HEAD" and said.body:
        peer.send(number, frame(DATA, said.body))
    peer.send(number, b"", end=True)
