"""Any request that HTTP allows is answered, and by no server error."""

from collections.abc import Iterator
from operator import add

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.wire import exchange, served, status_of

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO"]
PLACES = [
    "/v1/status",
    "/v1/metrics/",
    "/v1/scenarios/default",
    "/v1/setup",
    "/v1/tests/",
    "//",
    "*",
]
HOSTS = ["localhost", "[::1]", "[", "a b", "localhost:99999", "x" * 300, ""]
BODIES = [
    b"",
    b"null",
    b'{"data":{"attributes":{"vus":1}}}',
    b'{"data":{"id":"\xff","attributes":{"scope":"\xff"}}}',
    b'{"data":{"type":"setupData","attributes":{"data":"\xff"}}}',
    b'"\\ud800"',
    b"1" * 5000,
    b"[" * 5000,
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as address:
        yield address


@given(
    method=st.sampled_from(METHODS),
    target=st.builds(add, st.sampled_from(PLACES), st.text("/.?#%2fc{}[]:|~\\\"'<", max_size=10)),
    host=st.sampled_from(HOSTS),
    body=st.sampled_from(BODIES),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_request_is_answered_without_a_server_error(
    address: str, method: str, target: str, host: str, body: bytes
) -> None:
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"

    reply = exchange(address, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    assert status_of(reply) < 500
