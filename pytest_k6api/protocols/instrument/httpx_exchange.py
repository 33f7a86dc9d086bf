"""One request of httpx or httpx2, told in their words.

httpcore, which httpx and httpx2 send with, tells each step through the extension
``trace``; the phases are the times between those steps. A transport without it,
such as one that calls an application in the process, has only waiting and
receiving. Bytes are estimated: the heads as HTTP/1.1 would write them, and the
bodies without the framing of chunks.
"""

from collections.abc import Iterable
from time import perf_counter_ns
from typing import Any

from pytest_k6api.model import Recorder
from pytest_k6api.protocols.http.net.tls import version_name
from pytest_k6api.protocols.instrument.foreign_errors import explain_httpx
from pytest_k6api.protocols.instrument.foreign_exchange import (
    ForeignExchange,
    ForeignRequest,
    ForeignResponse,
    Instrumentation,
)

_STARTED = "send_request_headers.started"
_MOMENTS = {
    "send_request_body.complete": "sent_at",
    "receive_response_headers.complete": "first_byte_at",
    "receive_response_body.complete": "ended_at",
}
_STEPS = {
    "connect_tcp": "connecting",
    "connect_unix_socket": "connecting",
    "start_tls": "handshaking",
}
_PROTOCOLS = {"HTTP/2": "HTTP/2.0"}  # as Go writes it
_REST_OF_REQUEST_LINE = len("  HTTP/1.1\r\n")
_LONGEST_SIZE = 16  # digits of a Content-Length that can be true
_STATUS_LINE = len("HTTP/1.1 200 OK\r\n")


class HttpxExchange(ForeignExchange):
    """An exchange that httpcore traces.

    Args:
        request: The request, of httpx or httpx2.
        recorder: Of the virtual user that makes it.
        instrumentation: Names and expected statuses, where the request's extension ``k6``
            says nothing.

    Raises:
        OptionError: The extension cannot be read.
    """

    def __init__(
        self,
        request: Any,  # httpx's or httpx2's, neither of which is imported
        recorder: Recorder,
        instrumentation: Instrumentation,
    ) -> None:
        super().__init__(
            ForeignRequest(request.method, str(request.url), request.headers.multi_items()),
            recorder,
            instrumentation,
            request.extensions.get("k6"),
        )
        self._step_began = 0
        self._foreign = request

    def mark(self, event: str) -> None:
        """Remember when `event` happened, such as ``http11.send_request_body.complete``."""
        event = event.partition(".")[2]
        now, times = perf_counter_ns(), self.times
        if event == _STARTED:
            if not times.started_at:
                self._count_request()
            times.started_at = now
            # Through a proxy, what was sent first was the request for a tunnel.
            times.sent_at = times.first_byte_at = times.ended_at = 0
        elif event in _MOMENTS:
            setattr(times, _MOMENTS[event], now)
        else:
            name, _, state = event.partition(".")
            if state == "started":
                self._step_began = now
            elif state == "complete" and name in _STEPS:
                setattr(times, _STEPS[name], now - self._step_began)

    def take_response(self, response: Any) -> None:  # see `__init__`
        """Remember that `response` began to come."""
        if not self.times.started_at:
            self._count_request()
        self.bytes_received += _STATUS_LINE + _size(response.headers.raw)
        self.witness = response
        self.respond(
            ForeignResponse(
                response.status_code,
                response.reason_phrase,
                _protocol(response),
                response.headers.multi_items(),
            )
        )

    def end_by(self, error: BaseException) -> None:
        """Record that `error` came instead of a response, or of the rest of it; no hard stop."""
        if not isinstance(error, Exception):
            self.drop()
            return
        # User code gets an exception, and no response.
        self.witness = None
        self.fail(explain_httpx(error))

    def _count_request(self) -> None:
        request = self._foreign
        line = len(request.method) + len(request.url.raw_path) + _REST_OF_REQUEST_LINE
        body = request.headers.get("content-length", "")
        self.bytes_sent += line + _size(request.headers.raw)
        self.bytes_sent += int(body) if body.isdecimal() and len(body) < _LONGEST_SIZE else 0


def _protocol(response: Any) -> str:  # see `HttpxExchange`
    extensions = response.extensions
    version = extensions.get("http_version", b"HTTP/1.1").decode("ascii", "replace")
    stream = extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    protocol = _PROTOCOLS.get(version, version)
    return f"{protocol} {version_name(tls)}" if tls is not None else protocol


def _size(fields: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the bytes of header fields, with the empty line after them."""
    return sum(len(name) + len(value) + 4 for name, value in fields) + 2
