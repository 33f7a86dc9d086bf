"""A response: httpx's, with k6's timings and errors.

Nothing is parsed before it is asked for: a load test often reads no more than
the status.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar

from pytest_k6api.model import K6ApiError, Secrets
from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.http.message.cookies import Cookies
from pytest_k6api.protocols.http.message.errors import RequestFailure
from pytest_k6api.protocols.http.message.headers import Headers
from pytest_k6api.protocols.http.message.json_codec import decode_json
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.message.request import Request
from pytest_k6api.protocols.http.message.urls import URL
from pytest_k6api.protocols.http.rows import HttpRow

_CHARSET = re.compile(
    rb"\r\ncontent-type:[^\r]*?;[ \t]*charset[ \t]*=[ \t]*[\"']?([\w.:\-]+)", re.IGNORECASE
)
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape"})
_ERROR_STATUS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of one round trip went, in milliseconds, as k6 counts it.

    Attributes:
        blocked: Until there was a connection; DNS, TCP and TLS included.
        connecting: TCP; 0 on a kept-alive connection.
        tls_handshaking: TLS; 0 if there was none.
        sending: Until the request was written.
        waiting: Until the first byte of the response.
        receiving: Until its last byte.
        duration: sending + waiting + receiving.

    Source: k6 v1.1.0, ``lib/netext/httpext/tracer.go``.
    """

    blocked: float
    connecting: float
    tls_handshaking: float
    sending: float
    waiting: float
    receiving: float
    duration: float


class Response(Advised):
    """The response to one request, or the failure to get one.

    Attributes:
        status_code: The status; 0 if there was no usable response.
        content: The body, decoded; what there was of it after a failure.
        history: The redirects that led here, oldest first.
    """

    __slots__ = (
        "__dict__",  # for what is read lazily: the attributes below
        "_failure",
        "_head",
        "_protocol",
        "_received",
        "_request",
        "_row",
        "content",
        "status_code",
    )

    advice: ClassVar[Mapping[str, str]] = {
        "body": "response.text or response.content",
        "data": "response.text or response.content",
        "html": "response.text",
        "iter_content": "vu.http.stream(method, url)",
        "ok": "response.is_success",
        "raw": "vu.http.stream(method, url)",
        "reason": "response.reason_phrase",
        "status": "response.status_code",
        "status_text": "response.reason_phrase",
        "version": "response.http_version",
    }
    history: tuple["Response", ...] = ()
    _cookies: Cookies | None = None
    _encoding: str | None = None
    _headers: Headers | None = None

    def __init__(  # noqa: PLR0917 - keywords cost time, and only the client calls it
        self,
        status_code: int,
        content: bytes,
        request: PreparedRequest,
        head: bytes,
        row: HttpRow,
        protocol: str,
        received: int,
        failure: RequestFailure | None = None,
    ) -> None:
        """Made by the client, for speed with everything by position."""
        self.status_code = status_code
        self.content = content
        self._request = request
        self._head = head
        self._row = row
        self._protocol = protocol
        self._received = received
        self._failure = failure

    @property
    def error(self) -> str:
        """k6's text for what went wrong; ``""`` if nothing did."""
        return self._failure.text if self._failure is not None else ""

    @property
    def error_code(self) -> int:
        """k6's code for what went wrong, 1000 + status from 400 on, 0 if nothing did."""
        if self._failure is not None:
            return self._failure.code
        return 1000 + self.status_code if self.status_code >= _ERROR_STATUS else 0

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 3xx."""
        return 300 <= self.status_code < 400

    @property
    def is_client_error(self) -> bool:
        """Whether the status is 4xx."""
        return 400 <= self.status_code < 500

    @property
    def is_server_error(self) -> bool:
        """Whether the status is 5xx."""
        return 500 <= self.status_code < 600

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx, or there is none."""
        return self.status_code >= _ERROR_STATUS or self._failure is not None

    @property
    def has_redirect_location(self) -> bool:
        """Whether this is a redirect that says where to."""
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    def raise_for_status(self) -> "Response":
        """Return this response if its status is 2xx.

        Raises:
            RequestError: There was no usable response.
            HTTPStatusError: The status is another.
        """
        where = f"{self._request.method} {self._request.name}"
        if self._failure is not None:
            raise RequestError(f"{where}: {self.error} (code {self.error_code})", response=self)
        if not self.is_success:
            status = f"{self.status_code} {self.reason_phrase}".rstrip()
            raise HTTPStatusError(f"{where}: {status}", response=self)
        return self

    @property
    def headers(self) -> Headers:
        """The header fields; empty if there was no response."""
        if self._headers is None:
            self._headers = Headers.from_head(self._head)
        return self._headers

    @property
    def cookies(self) -> Cookies:
        """The cookies that this response sets."""
        if self._cookies is None:
            self._cookies = Cookies()
            target = self._request.target
            for header in self.headers.get_list("set-cookie"):
                self._cookies.store(header, target.host, target.path)
        return self._cookies

    @property
    def reason_phrase(self) -> str:
        """The words after the status, or the standard ones if the server sent none."""
        line = self._head.partition(b"\r\n")[0].decode("latin-1")
        phrase = line.partition(" ")[2].partition(" ")[2]
        if phrase or not self.status_code:
            return phrase
        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def http_version(self) -> str:
        """``HTTP/1.1`` or ``HTTP/1.0``; ``""`` if there was no response."""
        return self._protocol.partition(" ")[0]

    @property
    def encoding(self) -> str:
        """How `text` is encoded: what the header says, else UTF-8; can be set."""
        if self._encoding is not None:
            return self._encoding
        return self.charset_encoding or "utf-8"

    @encoding.setter
    def encoding(self, name: str) -> None:
        codecs.lookup(name)
        self._encoding = name

    @property
    def charset_encoding(self) -> str | None:
        """The charset of ``Content-Type``, or None if there is none that is known."""
        found = _CHARSET.search(self._head)
        if found is None:
            return None
        return _text_encoding(found[1].decode())

    @property
    def text(self) -> str:
        """The body as text; what cannot be decoded becomes U+FFFD."""
        return self.content.decode(self.encoding, "replace")

    def json(self, **kwargs: Any) -> Any:
        """Return the body, read as JSON; `kwargs` go to ``json.loads``.

        Raises:
            ValueError: It is no JSON.
        """
        return decode_json(self.content, **kwargs)

    @property
    def num_bytes_downloaded(self) -> int:
        """Bytes that came, head included, everything still encoded."""
        return self._received

    @property
    def request(self) -> Request:
        """The request that was sent."""
        sent = self._request
        wire, content = sent.wire, sent.content
        head = wire[: len(wire) - len(content)].removesuffix(b"\r\n\r\n")
        return Request(sent.method, sent.target.url, Headers.from_head(head), content)

    @property
    def name(self) -> str:
        """The URL with its secrets masked, for logs and reports."""
        return self._request.target.name

    @property
    def secrets(self) -> Secrets:
        """What is masked wherever this response is shown."""
        return self._request.target.secrets

    @property
    def url(self) -> URL:
        """The URL that this is the response of."""
        return self._request.target.url

    @property
    def timings(self) -> Timings:
        """Where the time went, in milliseconds."""
        _, _, duration, blocked, connecting, tls, sending, waiting, receiving, _ = self._row
        return Timings(
            blocked=blocked / 1000,
            connecting=connecting / 1000,
            tls_handshaking=tls / 1000,
            sending=sending / 1000,
            waiting=waiting / 1000,
            receiving=receiving / 1000,
            duration=duration / 1000,
        )

    @property
    def elapsed(self) -> timedelta:
        """How long the round trip took, connecting included."""
        return timedelta(microseconds=self.microseconds)

    @property
    def row(self) -> HttpRow:
        """Its samples, as the client wrote them."""
        return self._row

    @property
    def microseconds(self) -> int:
        """How long the round trip took, connecting included."""
        return self._row[2] + self._row[3]

    def __repr__(self) -> str:
        status = f"{self.status_code} {self.reason_phrase}".rstrip()
        if self._failure is not None:
            status = f"failed: {self.error} ({self.error_code})"
        route = f"{self._request.method} {self._request.target.name}"
        return f"<Response [{status}] {route}, {self._row[2] / 1000:.2f} ms>"


def _text_encoding(name: str) -> str | None:
    """Return Python's name of the charset `name`, or None if it decodes no text.

    Among Python's codecs are some that decode no bytes to text (``hex``), that always
    raise (``undefined``) or that a server cannot mean (``unicode_escape``).
    """
    try:
        known = codecs.lookup(name).name
        b" ".decode(known, "replace")  # not "", of which no codec is asked
    except (LookupError, ValueError):
        return None
    return None if known in _NO_CHARSETS else known


class HTTPError(K6ApiError):
    """A request that did not go well, raised because the user asked for it.

    Attributes:
        response: What came back; its ``status_code`` is 0 if nothing usable did.
    """

    def __init__(self, message: str, *, response: Response) -> None:
        super().__init__(message)
        self.response = response

    @property
    def request(self) -> Request:
        """The request that was sent."""
        return self.response.request

    @property
    def name(self) -> str:
        """The name of the request: its URL, unless it was given one."""
        return self.response._request.name


class RequestError(HTTPError):
    """The network or the server's bytes failed: no status came back."""


class HTTPStatusError(HTTPError):
    """The server answered with a status that is not 2xx."""
