"""A request and its response as text for a report, with secrets masked."""

import re

from pytest_k6api.http import Headers, Response

BODY_LIMIT = 1000
"""Bytes of a response's body that are shown."""

_MASK = "***"
_SECRET = re.compile(
    r"authorization|cookie|token|secret|password|passwd|api[-_]?key", re.IGNORECASE
)
_SECRET_PARAMETER = re.compile(
    r"([?&][^=&#]*(?:token|secret|password|passwd|api[-_]?key|signature)[^=&#]*=)[^&#]*",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@?#]+@")


def describe_exchange(response: Response) -> str:
    """Return the request, the status, the phases, all headers and the start of the body.

    The body of the request is not shown: it often holds somebody's password.
    """
    request = response.request
    timings = response.timings
    lines = [f"> {request.method} {mask_url(str(request.url))}"]
    lines += [f"> {line}" for line in _header_lines(request.headers)]
    lines.append(
        f"< {response.error or f'{response.status_code} {response.reason_phrase}'.rstrip()}"
        f" after {timings.duration:.3f} ms (blocked {timings.blocked:.3f}, sending"
        f" {timings.sending:.3f}, waiting {timings.waiting:.3f}, receiving {timings.receiving:.3f})"
    )
    lines += [f"< {line}" for line in _header_lines(response.headers)]
    body = _start_of(response.content)
    if body:
        lines.append(body)
    return "\n".join(lines)


def mask_url(url: str) -> str:
    """Return `url` without credentials and without the values of secret parameters."""
    return _SECRET_PARAMETER.sub(rf"\1{_MASK}", _CREDENTIALS.sub(f"{_MASK}@", url))


def _header_lines(headers: Headers) -> list[str]:
    return [f"{name}: {_MASK if _SECRET.search(name) else value}" for name, value in headers.fields]


def _start_of(body: bytes) -> str:
    text = body[:BODY_LIMIT].decode("utf-8", "replace")
    return f"{text}… ({len(body)} bytes)" if len(body) > BODY_LIMIT else text
