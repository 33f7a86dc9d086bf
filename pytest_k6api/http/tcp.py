"""What the kernel knows of a TCP connection: how many bytes it carried, whether it ended."""

import socket
import ssl
import struct

# Linux, struct tcp_info: tcpi_bytes_received and tcpi_bytes_sent with, behind
# it, tcpi_bytes_retrans (since Linux 4.19). macOS has no such counters.
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_RECEIVED_AT = 128
_SENT_AT = 200
_SIZE = 216
_U64 = struct.Struct("=Q")
_TWO_U64 = struct.Struct("=QQ")


def count_tcp_bytes(sock: socket.socket) -> tuple[int, int] | None:
    """Return the bytes sent and received over `sock` since it was connected.

    Retransmissions are not counted. Over TLS these are more than the program
    sees, by the handshake and the records.

    Returns:
        The two counts, or None where the system does not tell.
    """
    if _TCP_INFO is None:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(info) < _SIZE:
        return None
    sent, sent_again = _TWO_U64.unpack_from(info, _SENT_AT)
    return sent - sent_again, _U64.unpack_from(info, _RECEIVED_AT)[0]


def has_ended(sock: socket.socket) -> bool:
    """Return whether the server closed the idle connection, or spoke unasked."""
    try:
        if not socket.socket.recv(sock, 1, socket.MSG_PEEK):
            return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    return not isinstance(sock, ssl.SSLSocket) or _tls_has_ended(sock)


def _tls_has_ended(sock: ssl.SSLSocket) -> bool:
    # What is there may be session tickets, which TLS takes silently.
    try:
        sock.recv(1)
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True
    return True
