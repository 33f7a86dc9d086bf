"""Ways to say who asks: basic, bearer, or any function of the request."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http.message.request import Request


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
