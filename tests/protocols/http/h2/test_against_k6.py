"""The real k6 binary and our client at the same misbehaving servers: the same codes, and its words."""

import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
import trustme

from tests.protocols.http.h2.speaking import Speaker
from tests.protocols.http.h2.test_responses import STREAM_FAULTS, TAKEN, VIOLATIONS
from tests.protocols.http.serving import Handler, Peer, a_tester, serving
from tests.protocols.http.test_against_k6 import tags_of_k6
from tests.virtual_time import in_real_time

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.k6_binary,
]

# What k6 takes or refuses otherwise; `docs/reference/k6-compatibility.md` has the list.
OTHERWISE = {
    # It takes them.
    "a status that is none",
    "a priority of another size",
    "settings acknowledged with settings",
    "a goodbye of another size",
    # It ignores them, and waits for a response until the request is overdue.
    "a head of the server's own",
    "a reset of a stream to come",
    "frames too small",
    "frames too large",
    "windows that grow too large",
    "a window update of a stream to come",
    "a head that goes on with nothing",
    # It fails the connection where the request would do, or the other way round.
    "trailers that do not end",
    "trailers with a status",
    "a status behind a field",
    "more padding than head",
    # It calls them `unexpected EOF`, `PROTOCOL_ERROR`, or takes 10 MB of header fields.
    "padding without its length",
    "a priority that is cut",
    "a head without end",
    "a head that grows",
}

Tags = Mapping[str, str]


def handler(answer: Callable[[int], bytes], *, ends: bool) -> Handler:
    async def handle(peer: Peer) -> None:
        speaker = Speaker(peer)
        await speaker.greet()
        while True:
            stream = await speaker.request()
            await speaker.send(answer(stream))
            if ends:
                await peer.close()
                return

    return handle


@in_real_time
async def test_every_fault_has_k6s_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K6_INSECURE_SKIP_TLS_VERIFY", "true")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    cases = {
        **{kind: case[0] for kind, case in TAKEN.items()},
        **{kind: case[0] for kind, case in (STREAM_FAULTS | VIOLATIONS).items()},
    }
    async with AsyncExitStack() as stack:
        urls = {}
        for kind, answer in cases.items():
            if kind not in OTHERWISE:
                speech = handler(answer, ends="the end" in kind and kind in VIOLATIONS)
                urls[kind] = (await stack.enter_async_context(serving(speech, context))).url + "/"
        theirs = await tags_of_k6(urls, tmp_path, overdue_after="10s")
        async with a_tester(verify=False) as tester:
            for kind, url in urls.items():
                with trio.fail_after(5):
                    await tester.client.get(url, tags={"case": kind})
            ours = [tester.tags(index) for index in range(len(tester.rows))]

    assert [brief(tags) for tags in ours] == [brief(tags) for tags in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.get("error", "").startswith(other.get("error", ""))
    assert len(ours) == len(urls)


def brief(tags: Tags) -> Tags:
    return {name: text for name, text in tags.items() if name != "error"}
