"""TLS within TLS: to a server, through the tunnel of a proxy that is reached over TLS itself."""

import socket
import ssl
from typing import cast

from trio.lowlevel import wait_readable

from pytest_k6api.protocols.http.net.tcp import Received
from pytest_k6api.protocols.http.net.tls import LEAST_RECEIVED, TlsSocket


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
                wire, *_ = self._outer.recvmsg(LEAST_RECEIVED, 0)
            except (BlockingIOError, ssl.SSLWantReadError):
                await wait_readable(self._outer.fileno())
                continue
            if wire:
                self._incoming.write(wire)
            else:
                self._incoming.write_eof()
            return
