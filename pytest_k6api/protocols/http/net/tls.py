"""TLS over memory: a socket that encrypts and decrypts.

OpenSSL reads and writes memory here, not the socket. So a request costs one ``send`` and
one ``recvmsg``, whatever the number of records, the kernel tells when the bytes came
in, and what goes over the wire is counted on the way. ``ssl.SSLSocket`` takes five
system calls for the same. And TLS goes over TLS, too: to a server through the tunnel of a
proxy that is reached over TLS itself.
"""

import socket
import ssl
from contextlib import suppress
from errno import EAGAIN
from typing import cast

from trio.lowlevel import wait_readable, wait_writable

from pytest_k6api.protocols.http.net.tcp import Received

# k6's values of the tag `tls_version`.
_VERSIONS = {
    "TLSv1": "tls1.0",
    "TLSv1.1": "tls1.1",
    "TLSv1.2": "tls1.2",
    "TLSv1.3": "tls1.3",
}

# Bytes that a record holds at most.
_RECORD = 16 * 1024
# Bytes to receive at once, at least: a whole record with its frame, and more.
_LEAST_RECEIVED = 32 * 1024
# Bytes to encrypt at once, at most: an upload is not held in memory twice.
_MOST_ENCRYPTED = 64 * 1024


def server_name(host: str) -> str:
    """Return the name for SNI, which the certificate must have (RFC 6066).

    That is `host` without the dot of a fully qualified name and without the zone of
    an IPv6 address.
    """
    return host.partition("%")[0].removesuffix(".")


def version_name(tls: "ssl.SSLObject | ssl.SSLSocket | TlsSocket") -> str:
    """Return k6's name for the TLS version of a connection, such as ``tls1.3``."""
    version = tls.version() or ""
    return _VERSIONS.get(version, version.lower())


class TlsSocket:
    """A connected, non-blocking socket with TLS over it.

    It is called as a socket is: `send` and `recvmsg` raise BlockingIOError, or
    ``ssl.SSLWantReadError`` where TLS has something to itself (session tickets, a key
    update, part of a record). `send` wants the same data again then, as OpenSSL does.
    The end of the stream is ``b""`` only after close_notify, else ``ssl.SSLEOFError``.

    Attributes:
        is_ahead: Whether the next `recvmsg` has something to return or to raise
            without receiving: the end, most likely.

    Args:
        sock: The socket, which is this object's from now on.
        context: With the authorities and ALPN.
        host: The name that the certificate must have; see `server_name`.
    """

    __slots__ = (
        "_bytes_received", "_bytes_sent", "_claimed", "_decrypt", "_encrypt", "_failure", "_incoming",
        "_is_drained", "_is_over", "_outgoing", "_plain", "_receive", "_send", "_sock", "_tls", "_unsent", "is_ahead",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name(host)
        )
        self._decrypt, self._encrypt = self._tls.read, self._tls.write
        self._send, self._receive = sock.send, sock.recvmsg
        self._bytes_sent = self._bytes_received = 0
        # Encrypted bytes that the socket did not take, and how much data they stand for.
        self._unsent = b""
        self._claimed = 0
        # What was decrypted ahead, and how the stream ended behind that.
        self.is_ahead = self._is_over = False
        self._is_drained = True
        self._plain = b""
        self._failure: OSError | None = None

    def __repr__(self) -> str:
        return f"<TlsSocket fd={self.fileno()} {self.version()}>"

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._sock.fileno()

    def version(self) -> str | None:
        """Return OpenSSL's name of the protocol's version."""
        return self._tls.version()

    def alpn_protocol(self) -> str | None:
        """Return what the server chose, such as ``http/1.1``, or None if it did not."""
        return self._tls.selected_alpn_protocol()

    def close(self) -> None:
        """Close the socket at once, without close_notify."""
        self._sock.close()

    def take_counts(self) -> tuple[int, int]:
        """Return the bytes sent and received on the wire since the last call."""
        counts = self._bytes_sent, self._bytes_received
        self._bytes_sent = self._bytes_received = 0
        return counts

    async def shake_hands(self) -> None:
        """Complete the handshake.

        Raises:
            OSError: It failed; certificate problems are ``ssl.SSLCertVerificationError``.
        """
        is_done = False
        while not is_done:
            try:
                self._tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                self._flush_answer()
                raise
            while not self._flush():
                await wait_writable(self._sock)
            if not is_done:
                await self._take_in()
        if self._incoming.pending:
            self._look_ahead()

    def send(self, data: bytes | memoryview) -> int:
        """Encrypt and send the start of `data`; return how much of it.

        Raises:
            BlockingIOError: The send buffer is full.
            SSLWantReadError: The server renegotiates; call `renegotiate`, then this again.
            OSError: The connection is broken.
        """
        if self._unsent or self._claimed:
            if not self._flush():
                raise BlockingIOError(EAGAIN, "the send buffer is full")
            if self._claimed:
                size, self._claimed = self._claimed, 0
                return size
        size = self._encrypt(data if len(data) <= _MOST_ENCRYPTED else data[:_MOST_ENCRYPTED])
        wire = self._outgoing.read()
        try:
            sent = self._send(wire)
        except BlockingIOError:
            sent = 0
        self._bytes_sent += sent
        if sent != len(wire):
            self._unsent, self._claimed = wire[sent:], size
            raise BlockingIOError(EAGAIN, "the send buffer is full")
        return size

    def recv(self, size: int) -> bytes:
        """Receive and decrypt; see `recvmsg`."""
        return self.recvmsg(size, 0)[0]

    def recvmsg(self, size: int, ancillary_size: int) -> Received:
        """Receive and decrypt; return what ``socket.recvmsg`` does.

        Args:
            size: Bytes to receive at once; more where a record needs it, and what they
                decrypt to is returned as a whole.
            ancillary_size: As ``socket.recvmsg`` takes it.

        Raises:
            BlockingIOError: Nothing has come.
            SSLWantReadError: Nothing that is for the program has come.
            OSError: The connection is broken, or ends without close_notify.
        """
        if self.is_ahead:
            return self._take_plain(), [], 0, None
        size = max(size, _LEAST_RECEIVED)
        while True:
            wire, told, flags, address = self._receive(size, ancillary_size)
            self._is_drained = len(wire) < size
            if wire:
                self._bytes_received += len(wire)
                self._incoming.write(wire)
            else:
                self._incoming.write_eof()
            try:
                return self._read(), told, flags, address
            except ssl.SSLWantReadError:
                # epoll is edge-triggered: there may be more, and nothing would tell of it.
                if self._is_drained:
                    raise

    @property
    def may_have_more(self) -> bool:
        """Whether `recvmsg` may give something of which epoll will not tell."""
        return self.is_ahead or not self._is_drained

    def has_ended(self) -> bool:
        """Return whether the server closed the idle connection, or spoke unasked."""
        try:
            self.recvmsg(_LEAST_RECEIVED, 0)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            pass
        return True

    async def renegotiate(self) -> None:
        """Wait for what the server has to say before anything can be sent (TLS 1.2)."""
        while not self._flush():
            await wait_writable(self._sock)
        await self._take_in()
        self._look_ahead()

    async def _take_in(self) -> None:
        await wait_readable(self._sock)
        with suppress(BlockingIOError):
            wire = self._sock.recv(_LEAST_RECEIVED)
            self._bytes_received += len(wire)
            if wire:
                self._incoming.write(wire)
            else:
                self._incoming.write_eof()

    def _read(self) -> bytes:
        """Return what the bytes received so far decrypt to; ``b""`` at the end."""
        try:
            plain = self._decrypt(_RECORD)
        except OSError:  # ssl.SSLWantReadError is one
            self._flush_answer()
            raise
        if self._incoming.pending:
            plain = self._read_more(plain)
        if self._outgoing.pending:
            self._flush_answer()
        if not plain:
            self._is_over = self.is_ahead = True
        return plain

    def _read_more(self, plain: bytes) -> bytes:
        pieces = [plain]
        while pieces[-1] and self._incoming.pending:
            try:
                pieces.append(self._decrypt(_RECORD))
            except ssl.SSLWantReadError:
                break
            except OSError as error:  # after the data before it
                self._failure, self.is_ahead = error, True
                break
        if not pieces[-1]:
            self._is_over = self.is_ahead = True
        return b"".join(pieces)

    def _look_ahead(self) -> None:
        """Decrypt what came together with a handshake, for the next `recvmsg`."""
        try:
            self._plain = self._read()
        except ssl.SSLWantReadError:
            return
        except OSError as error:
            self._failure = error
        self.is_ahead = True
        # By now the socket may have more, of which epoll tells but once.
        self._is_drained = False

    def _take_plain(self) -> bytes:
        plain, self._plain = self._plain, b""
        if not plain and self._failure is not None:
            raise self._failure
        self.is_ahead = self._is_over or self._failure is not None
        return plain

    def _flush(self) -> bool:
        """Send what TLS has to say; return whether all of it was."""
        wire = self._unsent + self._outgoing.read()
        self._unsent = b""
        while wire:
            try:
                sent = self._send(wire)
            except BlockingIOError:
                self._unsent = wire
                return False
            self._bytes_sent += sent
            wire = wire[sent:]
        return True

    def _flush_answer(self) -> None:
        """Send what TLS answers: an alert, a key update, a handshake message."""
        # A peer that does not take it any more may still have sent data before.
        with suppress(OSError):
            self._flush()


class NestedTlsSocket(TlsSocket):
    """A `TlsSocket` whose wire is another one.

    Args:
        outer: That of the proxy, in which the tunnel is open; this object's from now on. Its
            context allows no renegotiation, so that it never asks for data to be sent again.
        context, host: Of the server; see `TlsSocket`.
    """

    __slots__ = ("_outer",)

    def __init__(self, outer: TlsSocket, context: ssl.SSLContext, host: str) -> None:
        # It is called as a socket is.
        super().__init__(cast("socket.socket", outer), context, host)
        self._outer = outer

    def take_counts(self) -> tuple[int, int]:
        """Return the bytes sent and received on the wire, by the outer socket, since the last call."""
        return self._outer.take_counts()

    def recvmsg(self, size: int, ancillary_size: int) -> Received:
        """Receive and decrypt twice; see `TlsSocket.recvmsg`."""
        while True:
            try:
                return super().recvmsg(size, ancillary_size)
            except ssl.SSLWantReadError:
                if not self._outer.may_have_more:
                    raise

    @property
    def may_have_more(self) -> bool:
        """Whether `recvmsg` may give something of which epoll will not tell."""
        return super().may_have_more or self._outer.may_have_more

    async def _take_in(self) -> None:
        while True:
            try:
                wire, *_ = self._outer.recvmsg(_LEAST_RECEIVED, 0)
            except (BlockingIOError, ssl.SSLWantReadError):
                await wait_readable(self._outer.fileno())
                continue
            if wire:
                self._incoming.write(wire)
            else:
                self._incoming.write_eof()
            return
