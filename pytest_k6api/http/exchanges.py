"""A request and its response as text, for reports and for the log, with secrets masked."""

import logging

from pytest_k6api.http.headers import Headers
from pytest_k6api.http.response import Response
from pytest_k6api.model import SECRETS

_logger = logging.getLogger("pytest_k6api.http")
_REPORTED = 1_000
_LOGGED = 2_000


def describe_exchange(response: Response) -> str:
    """Return the request, the status, the phases, all headers and the start of the body.

    The body of the request is not shown: it often holds somebody's password.
    """
    return "\n".join((*_request_lines(response), *_response_lines(response, _REPORTED)))


def log_exchange(response: Response) -> None:
    """Log the same at level INFO, with the request's body: somebody asked to see it all."""
    sent = [*_request_lines(response), *_start_of(response.request.content, _LOGGED)]
    _logger.info("%s", "\n".join((*sent, *_response_lines(response, _LOGGED))))


def _request_lines(response: Response) -> list[str]:
    request = response.request
    lines = [f"> {request.method} {SECRETS.mask_url(request.url)}"]
    return lines + [f"> {line}" for line in _header_lines(request.headers)]


def _response_lines(response: Response, limit: int) -> list[str]:
    timings = response.timings
    came = f"{response.status_code} {response.reason_phrase}".rstrip()
    if response.error:
        came = f"{response.error} (error code {response.error_code})"
    first = (
        f"< {came} after {timings.duration:.3f} ms (blocked {timings.blocked:.3f}, sending"
        f" {timings.sending:.3f}, waiting {timings.waiting:.3f}, receiving {timings.receiving:.3f})"
    )
    lines = [first, *(f"< {line}" for line in _header_lines(response.headers))]
    return lines + _start_of(response.content, limit)


def _header_lines(headers: Headers) -> list[str]:
    return [f"{name}: {SECRETS.mask_header(name, value)}" for name, value in headers.fields]


def _start_of(body: bytes, limit: int) -> list[str]:
    text = body[:limit].decode("utf-8", "backslashreplace")
    if len(body) > limit:
        text += f"… ({len(body)} bytes)"
    return [text] if text else []
