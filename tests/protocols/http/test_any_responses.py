"""Whatever a server sends, in whatever pieces, is what the client tells and counts."""

import gzip
import ssl
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pytest
import trio
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.protocols.http.serving import Peer, a_tester, serving

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

_BODIES = (b"", b"ok", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 16_384, b"y" * 70_000)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A response, and how it comes.

    Attributes:
        early: What comes before it: 1xx.
        late: What comes behind it, that nobody asked for.
        cuts: Where it is cut in pieces, as parts of its length.
    """

    method: str
    status: int
    version: bytes
    framing: str
    is_gzip: bool
    option: bytes
    body: bytes
    early: bytes
    late: bytes
    cuts: tuple[float, ...]
    pause: float

    @property
    def has_body(self) -> bool:
        return self.method != "HEAD" and self.status not in (204, 304)

    @property
    def ends_with_connection(self) -> bool:
        return self.framing == "end" and self.has_body

    @property
    def is_last(self) -> bool:
        if self.ends_with_connection or self.late or self.option == b"close":
            return True
        return self.version == b"HTTP/1.0" and self.option != b"Keep-Alive"

    def wire(self) -> bytes:
        body = gzip.compress(self.body, mtime=0) if self.is_gzip else self.body
        fields = []
        if self.option:
            fields.append(b"Connection: " + self.option)
        if self.is_gzip:
            fields.append(b"Content-Encoding: gzip")
        if self.framing == "length" and self.status != 204:
            fields.append(b"Content-Length: %d" % len(body))
        if self.framing == "chunked" and self.status != 204:
            fields.append(b"Transfer-Encoding: chunked")
            middle = len(body) // 3
            chunks = [chunk for chunk in (body[:middle], body[middle:]) if chunk]
            body = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks])
            body += b"0\r\n\r\n"
        start = self.version + b" %d Fine" % self.status
        head = b"\r\n".join([start, *fields]) + b"\r\n\r\n"
        return self.early + head + (body if self.has_body else b"") + self.late


def _is_possible(reply: Reply) -> bool:
    # HTTP/1.0 has no chunks; nothing comes behind what ends with the connection.
    if reply.version == b"HTTP/1.0" and reply.framing == "chunked":
        return False
    return not (reply.late and (reply.ends_with_connection or reply.cuts or len(reply.body) > 9000))


replies = st.builds(
    Reply,
    method=st.sampled_from(["GET", "GET", "GET", "POST", "HEAD"]),
    status=st.sampled_from([200, 200, 200, 201, 204, 304, 404, 500]),
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"]),
    framing=st.sampled_from(["length", "length", "chunked", "end"]),
    is_gzip=st.sampled_from([False, False, True]),
    option=st.sampled_from([b"", b"", b"Keep-Alive", b"close"]),
    body=st.sampled_from(_BODIES),
    early=st.sampled_from([b"", b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]),
    late=st.sampled_from([b"", b"", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]),
    cuts=st.just(()) | st.lists(st.floats(0, 1), max_size=3).map(lambda cuts: tuple(sorted(cuts))),
    pause=st.sampled_from([0.0, 0.0, 0.0002, 0.002]),
).filter(_is_possible)

# Repeated, so that heads become known.
exchanges = st.lists(
    st.tuples(replies, st.integers(1, 3)).map(lambda some: [some[0]] * some[1]), max_size=5
).map(lambda runs: [reply for run in runs for reply in run])


@pytest.fixture(scope="module")
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


async def _send(peer: Peer, reply: Reply) -> None:
    wire = reply.wire()
    for start, end in pairwise([0, *(int(cut * len(wire)) for cut in reply.cuts), len(wire)]):
        if start:
            await trio.sleep(reply.pause)
        await peer.send(wire[start:end])


async def _check(sequence: list[Reply], context: ssl.SSLContext | None) -> None:
    left = list(sequence)

    async def handler(peer: Peer) -> None:
        while head := await peer.head():
            if head.startswith(b"POST"):
                await peer.exactly(3)
            reply = left.pop(0)
            await _send(peer, reply)
            if reply.is_last and not reply.late:
                await peer.close()
                return

    async with serving(handler, context) as server, a_tester(verify=False) as tester:
        for reply in sequence:
            content = b"abc" if reply.method == "POST" else None
            response = await tester.client.request(reply.method, server.url, content=content)
            got = (response.error, response.status_code, response.content, response.http_version)
            body = reply.body if reply.has_body else b""
            assert got == ("", reply.status, body, reply.version.decode())
        connections = server.connections

    lasts = sum(reply.is_last for reply in sequence[:-1])
    assert connections == (1 + lasts if sequence else 0)
    assert len(tester.rows) == len(sequence)
    for _, _, duration, *phases, _ in tester.rows:
        assert min(duration, *phases) >= 0
        assert sum(phases[3:]) == duration


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=exchanges)
def test_each_response_is_what_was_meant(
    sequence: list[Reply], is_tls: bool, server_context: ssl.SSLContext
) -> None:
    trio.run(partial(_check, sequence, server_context if is_tls else None))
