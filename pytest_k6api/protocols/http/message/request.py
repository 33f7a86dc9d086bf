"""A request as users see it, and the ways to authenticate it: basic, bearer, or any function."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_k6api.model import SECRETS, OptionError
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


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """A user name and a password (RFC 7617, in UTF-8)."""

    username: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the header ``Authorization``."""
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A token (RFC 6750)."""

    token: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the header ``Authorization``."""
        return f"Bearer {self.token}"


AuthFunction = Callable[[Request], Request | None]
Auth = tuple[str, str] | BasicAuth | BearerAuth | AuthFunction


def authorization(auth: Auth) -> str | AuthFunction:
    """Return the header's value, or the function that will sign the request.

    Raises:
        OptionError: `auth` is none of what is understood.
    """
    if isinstance(auth, (BasicAuth, BearerAuth)):
        return auth.header
    if isinstance(auth, tuple) and len(auth) == 2:
        return BasicAuth(*auth).header
    if callable(auth):
        return auth
    raise OptionError(
        f"auth takes (user, password), BasicAuth, BearerAuth or a function of the request,"
        f" got {type(auth).__name__}"
    )
