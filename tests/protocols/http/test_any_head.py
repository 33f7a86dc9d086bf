"""Whatever bytes a server's head holds, nothing is raised: neither by the request nor by its response."""

from collections.abc import Sequence

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_k6api.protocols.http import Response, describe_exchange
from tests.protocols.http.serving import Peer, a_tester, serving

pytestmark = pytest.mark.sockets

_BYTES = st.binary(max_size=30).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b""))
_LOCATIONS = st.sampled_from(
    [b"http://", b"//", b"http://[", b"http://h:", b"a:", b"/", b"?", b"#", b"http://u:p@", b""]
)
_CHARSETS = st.sampled_from(
    [b"hex", b"undefined", b"idna", b"punycode", b"unicode_escape", b"utf-16", b"rot13", b"x\0y"]
)
_FIELDS = st.one_of(
    st.builds(lambda start, text: b"Location: " + start + text, _LOCATIONS, _BYTES),
    st.builds(lambda text: b"Set-Cookie: " + text, _BYTES),
    st.builds(lambda text: b"Set-Cookie: a=b; Max-Age=" + text, _BYTES),
    st.builds(lambda text: b"Set-Cookie: a=b; Expires=" + text, _BYTES),
    st.builds(lambda text: b"Content-Type: text/html; charset=" + text, _CHARSETS | _BYTES),
    st.builds(lambda name, text: name + b": " + text, _BYTES, _BYTES),
)


def _read_all_of(response: Response) -> Sequence[object]:
    url = response.url
    return (
        response.text, response.headers.multi_items(), dict(response.cookies), response.encoding,
        response.reason_phrase, response.http_version, response.error, response.error_code,
        response.has_redirect_location, response.elapsed, response.timings, response.request.url,
        url.host, url.port, url.path, url.query, url.fragment, url.join("../x"), repr(response),
        repr(response.headers), repr(response.cookies), repr(url), describe_exchange(response),
    )  # fmt: skip


async def _ask(heads: list[tuple[int, list[bytes]]]) -> None:
    left = list(heads)

    async def answer(peer: Peer) -> None:
        while await peer.head():
            status, fields = left.pop() if left else (200, [])
            head = b"".join(field + b"\r\n" for field in fields)
            await peer.send(b"HTTP/1.1 %d X\r\n%bContent-Length: 2\r\n\r\nok" % (status, head))

    async with serving(answer) as server, a_tester(timeout=1.0, max_redirects=3) as tester:
        for _ in heads:
            response = await tester.client.get(f"{server.url}/a/b?c#d")
            for each in (*response.history, response):
                assert len(_read_all_of(each)) == 23


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from([200, 301, 302, 307, 404]), st.lists(_FIELDS, max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_any_head_is_a_response_or_a_failed_one(heads: list[tuple[int, list[bytes]]]) -> None:
    trio.run(_ask, heads)
