"""A request and its response as text, with secrets masked.

One form for all that show exchanges: reports, ``/v1/failures`` and
``--k6-http-debug``, of ``vu.http`` and of instrumented clients alike.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from pytest_k6api.model import Secrets, printable
from pytest_k6api.protocols.http.client.excerpts import excerpt
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.rows import HttpRow

_REPORTED = 1_000
_SHOWN = 2_000
_LONGEST_LINE = 2_000
_MOST_FIELDS = 200

Fields = Iterable[tuple[str, str]]


def describe_exchange(response: Response) -> str:
    """Return the request, the status, the phases, all headers and the start of the body.

    The body of the request is not shown: it often holds a password.
    """
    return _describe(response, "", _REPORTED)


def describe_fully(response: Response) -> str:
    """Return the same with the request's body and more of the response's."""
    request = response.request
    content_type = request.headers.get("content-type", "")
    return _describe(
        response, excerpt(request.content, content_type, _SHOWN, response.secrets), _SHOWN
    )


def _describe(response: Response, sent: str, limit: int) -> str:
    request, secrets = response.request, response.secrets
    if response.error:
        outcome = f"{response.error} (error code {response.error_code})"
    else:
        outcome = f"{response.status_code} {response.reason_phrase}".rstrip()
    content_type = response.headers.get("content-type", "")
    body = excerpt(response.content, content_type, limit, secrets)
    lines = [
        *request_lines(request.method, str(request.url), request.headers.fields, secrets),
        sent,
        *response_lines(outcome, response.row, response.headers.fields, secrets),
        body,
    ]
    return "\n".join(filter(None, lines))


def request_lines(method: str, url: str, fields: Fields, secrets: Secrets) -> Iterator[str]:
    """Yield the first line of a request and its header fields."""
    yield _line(f"> {method} {secrets.mask_url_start(url, _LONGEST_LINE)}")
    yield from _field_lines(">", fields, secrets)


def response_lines(outcome: str, row: HttpRow, fields: Fields, secrets: Secrets) -> Iterator[str]:
    """Yield what came of a request and when, and the header fields of the response.

    Args:
        outcome: The status with its reason, or the error with its code.
        row: Has the phases.
        fields: Empty if there was no response.
        secrets: What is masked.
    """
    duration, blocked, _, _, sending, waiting, receiving = (time / 1000 for time in row[2:9])
    yield _line(
        f"< {secrets.mask_text(outcome)} after {duration:.3f} ms (blocked {blocked:.3f}, sending"
        f" {sending:.3f}, waiting {waiting:.3f}, receiving {receiving:.3f})"
    )
    yield from _field_lines("<", fields, secrets)


def _field_lines(mark: str, fields: Fields, secrets: Secrets) -> Iterator[str]:
    shown = list(islice(fields, _MOST_FIELDS + 1))
    for name, value in shown[:_MOST_FIELDS]:
        yield _line(f"{mark} {name}: {secrets.mask_header(name, value[:_LONGEST_LINE])}")
    if len(shown) > _MOST_FIELDS:
        yield f"{mark} …"


def _line(text: str) -> str:
    cut = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
    return printable(cut)
