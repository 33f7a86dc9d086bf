"""HTTP/2: a connection with several streams at once, its rules, and header blocks that are cached.

`Http2Connection` is the client's; `Stream` is for protocols on top of HTTP/2, and so are the
calls that it opens. The extra `http2` has what decodes header blocks, and is imported when
the first of them is read.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
    from pytest_k6api.protocols.http.h2.calls import Answer
    from pytest_k6api.protocols.http.h2.connection import Http2Caches, Http2Connection
    from pytest_k6api.protocols.http.h2.errors import NOT_CHOSEN
    from pytest_k6api.protocols.http.h2.hpack import encode_block

__all__ = ["NOT_CHOSEN", "Answer", "Http2Caches", "Http2Connection", "encode_block"]

__getattr__ = late_names(
    __name__,
    {
        ".calls": ("Answer",),
        ".connection": ("Http2Caches", "Http2Connection"),
        ".errors": ("NOT_CHOSEN",),
        ".hpack": ("encode_block",),
    },
)
