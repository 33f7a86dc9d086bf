"""The tags of HTTP samples, as k6 sets them.

Source: k6 v1.1.0, ``lib/netext/httpext/transport.go``, ``measureAndEmitMetrics``.
"""

from pytest_k6api.http.errors import Failure
from pytest_k6api.http.routes import Plan

_FIRST_ERROR_STATUS = 400


def outcome_tags(plan: Plan, status: int, failed: int | None, protocol: str) -> dict[str, str]:
    """Return the tags of a round trip that got a response.

    Args:
        plan: What was asked for.
        status: The response's status.
        failed: 1, 0, or None if nobody judges.
        protocol: ``HTTP/1.1``, followed by k6's TLS version if there is one.
    """
    proto, _, tls_version = protocol.partition(" ")
    tags = _request_tags(plan, failed)
    tags["status"] = str(status)
    tags["proto"] = proto
    if tls_version:
        tags["tls_version"] = tls_version
    if status >= _FIRST_ERROR_STATUS:
        tags["error_code"] = str(1000 + status)
    return tags


def failure_tags(plan: Plan, failure: Failure, failed: int | None) -> dict[str, str]:
    """Return the tags of a round trip that got no usable response."""
    tags = _request_tags(plan, failed)
    tags["status"] = "0"
    tags["error"] = failure.text
    tags["error_code"] = str(failure.code)
    return tags


def _request_tags(plan: Plan, failed: int | None) -> dict[str, str]:
    tags = dict(plan.tags or {})
    tags.update(method=plan.method, name=plan.name, url=plan.name)
    if failed is not None:
        tags["expected_response"] = "false" if failed else "true"
    return tags
