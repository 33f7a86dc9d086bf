"""A request as users see it: in `Response.request`, and in functions that sign requests."""

from pytest_k6api.model import SECRETS
from pytest_k6api.protocols.http.message.headers import Headers
from pytest_k6api.protocols.http.message.urls import URL


class Request:
    """A request as it was sent, or is about to be.

    Attributes:
        method: In upper case.
        url: The whole URL.
        headers: Its fields; a function given as ``auth=`` may change them.
        content: Its body; empty if an iterator gave it.
    """

    __slots__ = ("content", "headers", "method", "url")

    def __init__(self, method: str, url: str, headers: Headers, content: bytes = b"") -> None:
        self.method = method
        self.url = url if isinstance(url, URL) else URL(url)
        self.headers = headers
        self.content = content

    def __repr__(self) -> str:
        return f"<Request {self.method} {SECRETS.mask_url(self.url)}>"
