"""What TLS has to itself: pieces of records, key updates, renegotiation, ends, full buffers."""

import os
import pty
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
import trio
import trustme

from tests.protocols.http.serving import OK, a_tester
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


class Records:
    """The server's end of a TLS connection, whose bytes the test sends as it likes."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def take(self) -> bytes:
        """Return the bytes that TLS has to send."""
        return self._outgoing.read()

    def more(self) -> None:
        """Take what comes next."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self._incoming.write(data)

    def shake_hands(self) -> bytes:
        """Complete the handshake; return the last bytes of it, which are not sent yet."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(self.take())
                self.more()
            else:
                return self.take()

    def head(self) -> bytes:
        """Return a request up to its blank line."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            try:
                data += self.tls.read(65536)
            except ssl.SSLWantReadError:
                self.more()
        return data

    def encrypted(self, data: bytes) -> bytes:
        """Return `data` as one record."""
        self.tls.write(data)
        return self.take()

    def close_notify(self) -> bytes:
        """Return the record that ends the stream."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.take()


@contextmanager
def tls_server(
    authority: trustme.CA,
    serve: Callable[[Records], None],
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> Iterator[str]:
    """Serve connections by `serve`, one after the other, in a thread."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    authority.issue_cert("127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(5)
                with sock, suppress(OSError, EOFError):
                    serve(Records(sock, context))

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@in_real_time
async def test_records_may_come_in_pieces_and_several_at_once(
    authority: trustme.CA, authority_file: str
) -> None:
    def serve(peer: Records) -> None:
        peer.sock.sendall(peer.shake_hands())
        peer.head()
        for byte in peer.encrypted(OK):
            peer.sock.sendall(bytes([byte]))
        peer.head()
        peer.sock.sendall(b"".join(peer.encrypted(OK[at : at + 1]) for at in range(len(OK))))
        peer.head()
        large = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40_000
        wire = b"".join(
            peer.encrypted(large[at : at + 16_384]) for at in range(0, len(large), 16_384)
        )
        peer.sock.sendall(wire[:16_390])  # a whole record and the start of its frame
        peer.sock.sendall(wire[16_390:])
        peer.head()

    with tls_server(authority, serve) as url:
        async with a_tester(verify=authority_file) as tester:
            responses = [await tester.client.get(url) for _ in range(3)]

    assert [(response.error, len(response.content)) for response in responses] == [
        ("", 2), ("", 2), ("", 40_000)
    ]  # fmt: skip


@in_real_time
async def test_a_response_that_came_with_the_handshake_is_not_lost(
    authority: trustme.CA, authority_file: str
) -> None:
    def serve(peer: Records) -> None:
        # The server has the last word in the handshake of TLS 1.2.
        peer.sock.sendall(peer.shake_hands() + peer.encrypted(OK))
        peer.head()
        with suppress(EOFError):
            peer.head()

    with tls_server(authority, serve, ssl.TLSVersion.TLSv1_2) as url:
        async with a_tester(verify=authority_file) as tester:
            response = await tester.client.get(url)

    assert (response.error, response.text) == ("", "ok")
    assert min(tester.rows[0][2:]) >= 0


@pytest.mark.parametrize("length", [44, 16_341, 16_360, 16_383])
@in_real_time
async def test_a_second_response_is_not_taken_for_the_next_one(
    authority: trustme.CA, authority_file: str, length: int
) -> None:
    # 32 KiB are received at once: of the longer ones with a part of the second record, whose
    # rest is there already, so that nothing will tell of it.
    def response(content: bytes, length: int) -> bytes:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %05d\r\n\r\n"
        size = length - len(head % 0)
        return head % size + content * size

    def serve(peer: Records) -> None:
        peer.sock.sendall(peer.shake_hands())
        while True:
            peer.head()
            asked = peer.encrypted(response(b"a", length))
            peer.sock.sendall(asked + peer.encrypted(response(b"b", 16_384)))

    with tls_server(authority, serve) as url:
        async with a_tester(verify=authority_file) as tester:
            responses = [await tester.client.get(url) for _ in range(4)]

    assert {response.content[:1] for response in responses} == {b"a"}


@pytest.mark.parametrize("method", ["GET", "POST"])
@in_real_time
async def test_a_connection_whose_end_came_with_the_response_is_not_used_again(
    authority: trustme.CA, authority_file: str, method: str
) -> None:
    heads = []

    def serve(peer: Records) -> None:
        peer.sock.sendall(peer.shake_hands())
        heads.append(peer.head())
        peer.sock.sendall(peer.encrypted(OK) + peer.close_notify())
        with suppress(EOFError):
            peer.head()

    with tls_server(authority, serve) as url:
        async with a_tester(verify=authority_file) as tester:
            errors = [(await tester.client.request(method, url)).error for _ in range(3)]

    assert errors == ["", "", ""]
    assert len(heads) == len(tester.rows) == 3  # none was sent twice


@in_real_time
async def test_a_broken_record_behind_a_response_is_no_error_of_the_response(
    authority: trustme.CA, authority_file: str
) -> None:
    def serve(peer: Records) -> None:
        peer.sock.sendall(peer.shake_hands())
        peer.head()
        peer.sock.sendall(peer.encrypted(OK) + b"\x17\x03\x03\x00\x20" + bytes(32))
        with suppress(EOFError):
            peer.head()

    with tls_server(authority, serve) as url:
        async with a_tester(verify=authority_file) as tester:
            errors = [(await tester.client.post(url)).error for _ in range(2)]

    assert errors == ["", ""]


@in_real_time
async def test_a_broken_record_instead_of_a_response_is_a_tls_error(
    authority: trustme.CA, authority_file: str
) -> None:
    def serve(peer: Records) -> None:
        peer.sock.sendall(peer.shake_hands())
        peer.head()
        peer.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        with suppress(EOFError):
            peer.head()

    with tls_server(authority, serve) as url:
        async with a_tester(verify=authority_file) as tester:
            response = await tester.client.get(url)

    assert response.error_code == 1300
    assert response.error.startswith("tls: ")


@in_real_time
async def test_an_upload_larger_than_the_buffers_arrives_as_it_was(
    authority: trustme.CA, authority_file: str
) -> None:
    body = bytes(range(256)) * 40_000
    received = bytearray()

    def serve(peer: Records) -> None:
        peer.sock.sendall(peer.shake_hands())
        while len(received) < len(body) + 1 or not received.endswith(body[-256:]):
            try:
                received.extend(peer.tls.read(65536))
            except ssl.SSLWantReadError:
                peer.more()
        peer.sock.sendall(peer.encrypted(OK))
        with suppress(EOFError):
            peer.head()

    with tls_server(authority, serve) as url:
        async with a_tester(verify=authority_file) as tester:
            response = await tester.client.post(url, content=body)

    assert response.error == ""
    is_whole = received.partition(b"\r\n\r\n")[2] == body
    assert is_whole
    assert len(body) < tester.recorder.bytes_sent < len(body) * 1.01


async def until(is_true: Callable[[], bool]) -> None:
    """Wait until `is_true`; what another process did is no event."""
    while not is_true():  # noqa: ASYNC110
        await trio.sleep(0.01)


class OpensslServer:
    """`openssl s_server`, for one connection: it can change keys on demand."""

    def __init__(self, certificate: Path, version: str) -> None:
        # A terminal hands out one line for each read, so that a command stays one.
        self._keyboard, self._terminal = pty.openpty()
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-crlf"]
        self._process = subprocess.Popen(
            [*command, "-cert", str(certificate), "-key", str(certificate), version],
            stdin=self._terminal, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        line = b""
        while not line.startswith(b"ACCEPT"):
            line = self._output.readline()
        self.url = f"https://127.0.0.1:{int(line.rsplit(b':', 1)[1])}"
        self.received = bytearray()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _read(self) -> None:
        while chunk := self._output.read(65_536):
            self.received.extend(chunk)

    def write(self, text: str) -> None:
        """Write lines: a command, or what the peer is to get."""
        os.write(self._keyboard, text.encode())

    def close(self) -> None:
        """End the process."""
        with self._process:
            self._process.kill()
            self._reading.join(5)
        os.close(self._keyboard)
        os.close(self._terminal)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
@pytest.mark.parametrize(
    ("version", "command"),
    [("-tls1_3", "K"), ("-tls1_3", "k"), ("-tls1_2", "r")],
    ids=["key update of both", "key update", "renegotiation"],
)
@in_real_time
async def test_new_keys_disturb_no_request(
    authority: trustme.CA, authority_file: str, tmp_path: Path, version: str, command: str
) -> None:
    pem = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    server = OpensslServer(pem, version)

    async def answer(size: int) -> None:
        await until(lambda: b"POST / " in server.received)
        server.write(f"{command}\n")
        await until(lambda: server.received.count(b"~") == size)
        server.write("HTTP/1.1 200 OK\nContent-Length: 4\n\nok\n")

    errors = []
    with closing(server):
        async with a_tester(verify=authority_file) as tester:
            for size in (5, 300_000, 4):
                server.received.clear()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(answer, size)
                    response = await tester.client.post(server.url, content=b"~" * size)
                    errors.append(response.error)

    assert errors == ["", "", ""]
