"""HTTP/3: a QUIC connection over a UDP socket, its rules, and field sections that are cached.

`Http3Connection` is the client's, `Http3Dialer` opens it. The extra `http3` has QUIC itself
(`qh3`), and is imported when the first connection is opened.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
    from pytest_k6api.protocols.http.h3.connection import Http3Connection
    from pytest_k6api.protocols.http.h3.dialing import Http3Dialer

__all__ = ["Http3Connection", "Http3Dialer"]

__getattr__ = late_names(
    __name__,
    {
        ".connection": ("Http3Connection",),
        ".dialing": ("Http3Dialer",),
    },
)
