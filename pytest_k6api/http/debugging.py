"""Requests and responses as text, for people who look for a mistake."""

import logging
import re

from pytest_k6api.http.response import Response

logger = logging.getLogger("pytest_k6api.http")

_SECRETS = re.compile(
    r"^((?:authorization|proxy-authorization|cookie|set-cookie):\s*).*$",
    re.IGNORECASE | re.MULTILINE,
)
_SHOWN = 2000


def format_exchange(response: Response) -> str:
    """Return the request and its response, secrets masked, bodies cut short."""
    request = response.request
    fields = "".join(f"{name}: {value}\n" for name, value in request.headers.fields)
    sent = f"{request.method} {response.name} HTTP/1.1\n{fields}\n{_shown(request.content)}"
    if response.error:
        came = f"{response.error} (error code {response.error_code})"
    else:
        fields = "".join(f"{name}: {value}\n" for name, value in response.headers.fields)
        status = f"{response.http_version} {response.status_code} {response.reason_phrase}"
        came = f"{status.rstrip()}\n{fields}\n{_shown(response.content)}"
    return f"{_mask(sent).rstrip()}\n\n{_mask(came).rstrip()}"


def log_exchange(response: Response) -> None:
    """Log the request and its response at level INFO."""
    logger.info("%s", format_exchange(response))


def _mask(text: str) -> str:
    head, blank, body = text.partition("\n\n")
    return _SECRETS.sub(r"\1****", head) + blank + body


def _shown(body: bytes) -> str:
    if not body:
        return ""
    text = body[:_SHOWN].decode("utf-8", "backslashreplace")
    more = len(body) - _SHOWN
    return f"{text}… {more} bytes more" if more > 0 else text
