"""HTTP/1.1: a connection that sends requests and reads responses, and the rules of both."""

from pytest_k6api.protocols.http.h1.connection import Http1Connection
from pytest_k6api.protocols.http.h1.head_cache import KnownHeads, PlainHead, is_plain, remember

__all__ = [
    "Http1Connection",
    "KnownHeads",
    "PlainHead",
    "is_plain",
    "remember",
]
