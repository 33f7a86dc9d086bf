"""A request as users see it, and the ways to authenticate it: basic, bearer, digest, or any function."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex

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


_CHALLENGE = re.compile(r"\bDigest\s+(.*?)(?=,\s*\w+\s+\w+\s*=|\Z)", re.IGNORECASE)
_PARAMETER = re.compile(r"(\w+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")
_ESCAPED = re.compile(r"\\(.)")
_ALGORITHMS = {
    "MD5": hashlib.md5,
    "SHA": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-512": hashlib.sha512,
}


class DigestAuth:
    """A user name and a password that do not go over the wire (RFC 7616).

    The first request is answered by a challenge, a 401 that is no failure, and is sent again
    with the answer; later ones bring theirs along, as long as the server takes it.

    Args:
        username: The user's name.
        password: The user's password.
    """

    __slots__ = ("_answered", "_challenge", "_password", "_username")

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self._challenge: Mapping[str, str] = {}
        # How often the nonce was used.
        self._answered = 0

    def __repr__(self) -> str:
        return f"DigestAuth(username={self._username!r})"

    def learn(self, challenges: Sequence[str]) -> bool:
        """Take the first of `challenges` that can be answered; return whether there is one.

        Args:
            challenges: The values of ``WWW-Authenticate``.
        """
        for text in challenges:
            for found in _CHALLENGE.findall(text):
                parameters = {
                    name.lower(): _ESCAPED.sub(r"\1", quoted) or plain
                    for name, quoted, plain in _PARAMETER.findall(found)
                }
                if "nonce" in parameters and _algorithm(parameters)[0] in _ALGORITHMS:
                    self._challenge, self._answered = parameters, 0
                    return True
        return False

    def answer(self, method: str, target: str, content: bytes) -> str | None:
        """Return the header ``Authorization`` of a request; None before a challenge.

        Args:
            method: The method.
            target: Path and query, as they are sent.
            content: The body.
        """
        challenge = self._challenge
        if not challenge:
            return None
        name, is_session = _algorithm(challenge)
        realm, nonce = challenge.get("realm", ""), challenge["nonce"]
        offered = [part.strip() for part in challenge.get("qop", "").split(",")]
        qop = next((each for each in ("auth", "auth-int") if each in offered), "")

        def digest(*parts: str | bytes) -> str:
            raw = [part.encode() if isinstance(part, str) else part for part in parts]
            return _ALGORITHMS[name](b":".join(raw)).hexdigest()

        self._answered += 1
        count, own = f"{self._answered:08x}", token_hex(8)
        secret = digest(self._username, realm, self._password)
        if is_session:
            secret = digest(secret, nonce, own)
        what = digest(method, target, *([digest(content)] if qop == "auth-int" else []))
        between = (nonce, count, own, qop) if qop else (nonce,)
        fields = {
            "username": self._username, "realm": realm, "nonce": nonce, "uri": target,
            "response": digest(secret, *between, what), "opaque": challenge.get("opaque"),
        }  # fmt: skip
        quoted = [
            f'{key}="{_escaped(value)}"' for key, value in fields.items() if value is not None
        ]
        if "algorithm" in challenge:
            quoted.append(f"algorithm={challenge['algorithm']}")
        if qop:
            quoted += [f"qop={qop}", f"nc={count}", f'cnonce="{own}"']
        return f"Digest {', '.join(quoted)}"


def _algorithm(challenge: Mapping[str, str]) -> tuple[str, bool]:
    """Return the name of the hash, and whether it is a session's."""
    name = challenge.get("algorithm", "MD5").upper()
    return name.removesuffix("-SESS"), name.endswith("-SESS")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


AuthFunction = Callable[[Request], Request | None]
Auth = tuple[str, str] | BasicAuth | BearerAuth | DigestAuth | AuthFunction


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
        f"auth takes (user, password), BasicAuth, BearerAuth, DigestAuth or a function of the request,"
        f" got {type(auth).__name__}"
    )
