"""A request and its response as text, with secrets masked.

One form for all who show exchanges: reports, ``/v1/failures`` and ``--k6-http-debug``.
"""

from collections.abc import Iterator

from pytest_k6api.http.excerpts import excerpt
from pytest_k6api.http.headers import Headers
from pytest_k6api.http.response import Response
from pytest_k6api.model import Secrets, printable

_REPORTED = 1_000
_SHOWN = 2_000
_LONGEST_LINE = 2_000


def describe_exchange(response: Response) -> str:
    """Return the request, the status, the phases, all headers and the start of the body.

    The body of the request is not shown: it often holds somebody's password.
    """
    return "\n".join((*_request_lines(response), *_response_lines(response, _REPORTED)))


def describe_fully(response: Response) -> str:
    """Return the same with the request's body and more of the response's."""
    request, secrets = response.request, response.secrets
    sent = excerpt(request.content, request.headers.get("content-type", ""), _SHOWN, secrets)
    return "\n".join(
        (
            *_request_lines(response),
            *([sent] if sent else ()),
            *_response_lines(response, _SHOWN),
        )
    )


def _request_lines(response: Response) -> Iterator[str]:
    request, secrets = response.request, response.secrets
    yield _line(f"> {request.method} {secrets.mask_url(request.url)}")
    yield from _header_lines(">", request.headers, secrets)


def _response_lines(response: Response, limit: int) -> Iterator[str]:
    timings, secrets = response.timings, response.secrets
    came = f"{response.status_code} {response.reason_phrase}".rstrip()
    if response.error:
        came = f"{response.error} (error code {response.error_code})"
    yield _line(
        f"< {came} after {timings.duration:.3f} ms (blocked {timings.blocked:.3f}, sending"
        f" {timings.sending:.3f}, waiting {timings.waiting:.3f}, receiving {timings.receiving:.3f})"
    )
    yield from _header_lines("<", response.headers, secrets)
    content_type = response.headers.get("content-type", "")
    body = excerpt(response.content, content_type, limit, secrets)
    if body:
        yield body


def _header_lines(mark: str, headers: Headers, secrets: Secrets) -> Iterator[str]:
    for name, value in headers.fields:
        yield _line(f"{mark} {name}: {secrets.mask_header(name, value[:_LONGEST_LINE])}")


def _line(text: str) -> str:
    cut = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
    return printable(cut)
