"""Access control: which requests the control API answers, decided before anything else.

Any web page in the user's browser can reach a control port on localhost, so three
headers are checked:

=========  ==========================================================  =======
header     refused                                                     because
=========  ==========================================================  =======
Host       any name but localhost's and the address's own, unless a    a page may let its own name
           token is asked for; IP addresses are fine                   point here (DNS rebinding)
Origin     any but the API's own; cross-site fetches by Sec-Fetch      a page may send requests here
token      a missing or wrong one, if one was set                      other people are on the machine
=========  ==========================================================  =======

The live page shows the token once and gets a cookie for it, which scripts cannot read
and other sites' requests do not carry. The cookie alone changes nothing: commands have
to come with a header that no form can send, too.

Programs send no Origin, so k6's command-line clients and curl pass. With a token the
Host may be anything: a page that rebinds its name does not have the token.

Pure.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from pytest_k6api.model import ControlError

_CROSS_SITE: Final = frozenset({"cross-site", "same-site"})
_PAGE_HEADER: Final = "x-k6-page"
_READS: Final = frozenset({"GET", "HEAD"})


class AccessControl:
    """Decides whether a request is let in.

    Args:
        hosts: Names that requests may be addressed to, beside localhost and IP addresses.
        token: The bearer token to ask for; None for none.
    """

    __slots__ = ("_cookie", "_hosts", "_token")

    def __init__(self, hosts: Iterable[str], token: str | None) -> None:
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})
        self._token = token
        # Of this server alone: ports of one host share their cookies.
        self._cookie = f"k6api_{secrets.token_hex(4)}={secrets.token_urlsafe(32)}"

    @property
    def asks_token(self) -> bool:
        """True if requests must carry a token."""
        return self._token is not None

    def refusal(self, method: str, headers: Mapping[str, str]) -> ControlError | None:
        """Return why the request is refused, or None to let it in.

        Args:
            method: Its method.
            headers: Its headers, by lower-case name.
        """
        return (
            self._refuse_host(headers)
            or self._refuse_origin(method, headers)
            or self._refuse_token(method, headers)
        )

    def sign_in(self, token: str) -> str:
        """Return the header ``Set-Cookie`` that lets a page in.

        Raises:
            ControlError: It is not the token.
        """
        right = self._token or ""
        if not hmac.compare_digest(token.strip().encode(errors="replace"), right.encode()):
            raise ControlError("Unauthorized", "that is not the token of this session", status=401)
        return f"{self._cookie}; Path=/; HttpOnly; SameSite=Strict"

    def _refuse_host(self, headers: Mapping[str, str]) -> ControlError | None:
        # HTTP/1.0 knows no Host; browsers, which rebinding needs, always send one.
        host = headers.get("host")
        if host is None or self.asks_token or self._is_ours(host):
            return None
        return ControlError(
            "Host refused",
            f"the request is addressed to {host[:100]!r}; use 'localhost' or an IP address, or set"
            " a token (--k6-token)",
            status=403,
        )

    def _is_ours(self, host: str) -> bool:
        name = _host_name(host)
        if name is None:
            return False
        if name.removesuffix(".") in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _refuse_origin(self, method: str, headers: Mapping[str, str]) -> ControlError | None:
        origin = headers.get("origin")
        if origin is not None and not _same_origin(origin, headers.get("host", "")):
            return ControlError(
                "Origin refused",
                f"a page of {origin[:100]!r} sent the request; only programs and the API's own"
                " pages may",
                status=403,
            )
        # A link may lead here; whatever else another site's page fetches may not.
        is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in _CROSS_SITE and not is_link:
            return ControlError(
                "Origin refused", "a page of another site sent the request", status=403
            )
        return None

    def _refuse_token(self, method: str, headers: Mapping[str, str]) -> ControlError | None:
        if self._token is None or self._has_cookie(method, headers):
            return None
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        # Constant time: how long the comparison takes must not tell how much was right.
        right = hmac.compare_digest(shown.strip().encode(), self._token.encode())
        if scheme.lower() == "bearer" and right:
            return None
        return ControlError(
            "Unauthorized",
            "send the token of this session in the header 'Authorization: Bearer <token>'",
            status=401,
        )

    def _has_cookie(self, method: str, headers: Mapping[str, str]) -> bool:
        if method not in _READS and _PAGE_HEADER not in headers:
            return False
        shown = headers.get("cookie", "").split(";")
        right = self._cookie.encode()
        return any(hmac.compare_digest(pair.strip().encode(), right) for pair in shown)


def _host_name(host: str) -> str | None:
    """Return the name or address in a Host header, in lower case, without port and brackets."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is no number
    except ValueError:
        return None
    is_plain = parts.netloc == host and "@" not in host
    return parts.hostname if is_plain else None


def _same_origin(origin: str, host: str) -> bool:
    return bool(host) and origin.lower() == f"http://{host.lower()}"
