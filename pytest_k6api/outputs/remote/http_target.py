"""A server that takes samples by HTTP POST."""

import http.client
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from pytest_k6api.model import SECRETS, printable
from pytest_k6api.outputs.base import BatchRefused, OutputError, OutputUnavailable

TIMEOUT = 5.0
"""Seconds that connecting, sending and receiving may take, each; k6's."""

_MOST_SHOWN = 200
_SUCCESS = range(200, 300)
# The server takes other samples, but not these.
_REFUSALS = frozenset({400, 409, 413, 422})
# It may take these later.
_LATER = frozenset({408, 425, 429, *range(500, 600)})


Signer = Callable[[str, Mapping[str, str], bytes], Mapping[str, str]]
"""Returns header fields to add to a request: of its path and query, its other fields and its body."""


def read_url(text: str, example: str) -> SplitResult:
    """Return the URL of a server, taken apart.

    Raises:
        OutputError: It is not one.
    """
    try:
        url = urlsplit(text)
        is_usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not text.isascii() or not text.isprintable() or " " in text:
        shown = SECRETS.mask_url(text)
        raise OutputError(f"cannot read the URL {shown!r}; write one such as {example}")
    return url


def tls_context(
    *,
    verify: bool = True,
    ca_file: str = "",
    cert_file: str = "",
    key_file: str = "",
    least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
) -> ssl.SSLContext:
    """Return how TLS is spoken, from the version `least` on.

    Raises:
        OutputError: A file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        context.minimum_version = max(context.minimum_version, least)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if cert_file:
            context.load_cert_chain(cert_file, key_file or None)
    except OSError as error:
        named = ", ".join(filter(None, (ca_file, cert_file, key_file)))
        raise OutputError(f"cannot read the certificates in {named}: {error}") from None
    return context


class HttpTarget:
    """Where bodies are posted to; each over a connection of its own.

    Args:
        url: A URL; a name and password in it are sent as basic authentication.
        headers: Sent with each request.
        context: How TLS is spoken; None for the defaults.
        sign: Signs each request.
    """

    def __init__(
        self,
        url: SplitResult,
        headers: Mapping[str, str],
        context: ssl.SSLContext | None = None,
        sign: Signer = lambda _target, _headers, _body: {},
    ) -> None:
        self._url = url
        self._headers = {"User-Agent": "pytest-k6api", "Connection": "close"}
        self._own = {"Host": url.netloc.rpartition("@")[2], **headers}
        if url.username is not None and "Authorization" not in self._own:
            self._own["Authorization"] = basic(unquote(url.username), unquote(url.password or ""))
        self._context = context or ssl.create_default_context()
        self._sign = sign

    def post(self, body: bytes, target: str = "") -> None:
        """Post `body`.

        Args:
            body: What is sent.
            target: Path and query; empty for the URL's own.

        Raises:
            OutputUnavailable: The server is away, or asks to come later.
            BatchRefused: It does not take this body.
            OutputError: It takes nothing from us.
        """
        path = target or (self._url.path or "/") + (
            f"?{self._url.query}" if self._url.query else ""
        )
        headers = {**self._headers, **self._own, **self._sign(path, self._own, body)}
        connection = self._connection()
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            said = response.read(_MOST_SHOWN)
        except ssl.SSLCertVerificationError as error:
            raise OutputError(f"the server's certificate is not trusted: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            raise OutputUnavailable(_explain(error)) from None
        finally:
            connection.close()
        _judge(response.status, response.reason, said)

    def _connection(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(
                host, self._url.port, timeout=TIMEOUT, context=self._context
            )
        return http.client.HTTPConnection(host, self._url.port, timeout=TIMEOUT)


def basic(name: str, password: str) -> str:
    """Return the value of ``Authorization`` for a name and a password."""
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode('ascii')}"


def _explain(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    if isinstance(error, ssl.SSLError):
        words = (error.reason or str(error)).replace("_", " ").lower()
        return (
            f"no TLS connection ({words}); the server may speak plain HTTP, or want a certificate"
            " of the client"
        )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"no HTTP response: {printable(str(error) or type(error).__name__)[:_MOST_SHOWN]}"


def _judge(status: int, reason: str, said: bytes) -> None:
    if status in _SUCCESS:
        return
    words = printable(said.decode("utf-8", "replace").strip())
    text = f"the server answered {status} {printable(reason)}{': ' if words else ''}{words}"
    if status in _LATER:
        raise OutputUnavailable(text)
    raise (BatchRefused if status in _REFUSALS else OutputError)(text)
