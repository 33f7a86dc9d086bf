"""What is sent over HTTP/2."""

from collections.abc import AsyncIterator, Iterator

import pytest
import trio

from pytest_k6api.model import OptionError
from tests.protocols.http.h2.speaking import (
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    RST,
    SETTINGS,
    WINDOW,
    Speaker,
    answering,
    head,
    literal,
    response,
    settings,
    speaking,
    update,
)
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

KNOWN = {"http_versions": "2-prior-knowledge"}


async def fields_of(method: str, **options) -> dict[str, str]:
    """Return the fields of one request, as a server reads them."""
    speakers = []

    async def speech(speaker: Speaker) -> None:
        speakers.append(speaker)
        await speaker.greet()
        await speaker.send(response(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(user_agent="", **KNOWN) as tester:
        got = await tester.client.request(method, f"{server.url}/a?b=c", **options)
        assert got.status_code == 200
        fields = speakers[0].fields[0]
        assert fields.pop(":authority") == server.url.removeprefix("http://")
    return fields


START = {":method": "GET", ":scheme": "http", ":path": "/a?b=c"}


@in_real_time
async def test_a_request_has_pseudo_headers_and_names_in_lower_case() -> None:
    fields = await fields_of("GET", headers={"X-Shop": " Bücher ", "Accept": "a/b"})

    assert fields == START | {"x-shop": "Bücher", "accept": "a/b"}


@in_real_time
async def test_what_belongs_to_a_connection_of_http1_is_left_out() -> None:
    fields = await fields_of(
        "GET",
        headers={
            "Connection": "keep-alive, X-Hop",
            "Keep-Alive": "timeout=5",
            "Upgrade": "websocket",
            "Proxy-Connection": "close",
            "X-Hop": "1",
            "TE": "gzip",
            "X-Kept": "2",
        },
    )

    assert fields == START | {"x-kept": "2"}


@in_real_time
async def test_of_te_trailers_alone_stays() -> None:
    assert (await fields_of("GET", headers={"TE": "trailers"}))["te"] == "trailers"


@in_real_time
async def test_a_host_of_the_users_own_is_the_authority() -> None:
    speakers = []

    async def speech(speaker: Speaker) -> None:
        speakers.append(speaker)
        await speaker.greet()
        await speaker.send(response(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        await tester.client.get(server.url, headers={"Host": "shop.test"})

    fields = speakers[0].fields[0]
    assert fields[":authority"] == "shop.test"
    assert "host" not in fields


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0b"])
@in_real_time
async def test_a_header_that_would_split_the_request_is_refused(value: str) -> None:
    async with answering(response) as server, a_tester(**KNOWN) as tester:
        with pytest.raises(OptionError):
            await tester.client.get(server.url, headers={"X-Bad": value})

    assert server.connections == 0


@in_real_time
async def test_the_first_bytes_decline_push_and_open_the_windows() -> None:
    speakers = []

    async def speech(speaker: Speaker) -> None:
        speakers.append(speaker)
        await speaker.greet()
        await speaker.send(response(await speaker.request()))
        await speaker.until(SETTINGS, 1)
        await speaker.send(response(await speaker.request()))

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        for _ in range(2):
            assert (await tester.client.get(server.url)).status_code == 200

    first, windows, headers, _, more = speakers[0].frames
    assert first.payload == bytes.fromhex("000200000000 000400400000 000600020000")
    assert (windows.kind, windows.payload) == (WINDOW, (2**31 - 1 - 65_535).to_bytes(4))
    # The encoder's table is said to be empty, once.
    assert headers.payload[:4] == b"\x20\x82\x86\x84"
    assert more.payload == headers.payload[1:]


@in_real_time
async def test_nothing_is_sent_beside_requests_whatever_the_responses_are_like() -> None:
    speakers = []

    async def speech(speaker: Speaker) -> None:
        speakers.append(speaker)
        await speaker.greet()
        for content in (b"a", b"a", b"bb", b"", b"a"):
            await speaker.send(response(await speaker.request(), content))
        await speaker.send(*map(response, [await speaker.request() for _ in range(3)]))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        texts = [(await tester.client.get(server.url)).text for _ in range(5)]
        texts += [got.text for got in await tester.client.batch([server.url] * 3)]

    assert texts == ["a", "a", "bb", "", "a", "ok", "ok", "ok"]
    kinds = [taken.kind for taken in speakers[0].frames]
    assert sorted(kinds) == sorted([HEADERS] * 8 + [SETTINGS, SETTINGS, WINDOW])


@in_real_time
async def test_a_head_beyond_a_frame_is_continued() -> None:
    fields = await fields_of("GET", headers={"X-Long": "x" * 40_000})

    assert fields["x-long"] == "x" * 40_000


@in_real_time
async def test_a_head_beyond_the_servers_limit_fails_as_in_k6() -> None:
    async with (
        answering(response, greeting=settings(fields=500)) as server,
        a_tester(**KNOWN) as tester,
    ):
        await tester.client.get(server.url)
        failed = await tester.client.get(server.url, headers={"X-Long": "x" * 500})
        after = await tester.client.get(server.url)

    assert failed.error == "http2: request header list larger than peer's advertised limit"
    assert failed.error_code == 1000
    assert after.status_code == 200
    assert server.connections == 1


class Uploads:
    """A server that answers a GET, and takes a body as its windows let it, and tells what it got."""

    def __init__(self, first: bytes, *updates: int) -> None:
        self.first = first
        self.updates = list(updates)
        self.sizes: list[int] = []
        self.body = b""
        self.fields: dict[str, str] = {}

    async def speak(self, speaker: Speaker) -> None:
        await speaker.greet(self.first)
        await speaker.send(response(await speaker.request()))
        stream = (await speaker.until(HEADERS)).stream
        self.fields = speaker.fields[1]
        while True:
            taken = await speaker.frame()
            if taken.kind != DATA:
                continue
            self.sizes.append(len(taken.payload))
            self.body += taken.payload
            if taken.flags & END_STREAM:
                break
            if self.updates:
                size = self.updates.pop(0)
                await speaker.send(update(0, size), update(stream, size))
        await speaker.send(response(stream))
        await trio.sleep_forever()


@in_real_time
async def test_a_body_is_cut_into_frames_and_waits_for_the_servers_windows() -> None:
    content = bytes(range(256)) * 400
    server_side = Uploads(settings(window=100_000), *([50_000] * 9))
    async with speaking(server_side.speak) as server, a_tester(**KNOWN) as tester:
        await tester.client.get(server.url)
        got = await tester.client.post(server.url, content=content)

    assert got.status_code == 200
    assert server_side.body == content
    assert max(server_side.sizes) == 16_384
    assert sum(server_side.sizes[:4]) == 65_535  # the connection's first window
    assert server_side.fields["content-length"] == "102400"


@in_real_time
async def test_a_window_of_a_few_bytes_is_respected() -> None:
    server_side = Uploads(settings(window=3), *([4] * 20))
    async with speaking(server_side.speak) as server, a_tester(**KNOWN) as tester:
        await tester.client.get(server.url)
        got = await tester.client.post(server.url, content=b"0123456789" * 3)

    assert got.status_code == 200
    assert server_side.body == b"0123456789" * 3
    assert server_side.sizes == [3, 4, 4, 4, 4, 4, 4, 3]


@in_real_time
async def test_settings_that_shrink_the_window_below_nothing_hold_the_body_up() -> None:
    steps: list[object] = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        stream = (await speaker.until(HEADERS)).stream
        received = 0
        while received < 65_535:
            received += len((await speaker.until(DATA)).payload)
        await speaker.send(settings(window=10), update(0, 100_000))
        await speaker.until(SETTINGS, 1)
        steps.append("acknowledged")
        # The window is 10 - 65,535 now: of this update ten bytes are left.
        await speaker.send(update(stream, 65_535))
        steps.append(len((await speaker.until(DATA)).payload))
        await speaker.send(settings(window=65_535))
        while received < 70_000 - 10:
            received += len((await speaker.until(DATA)).payload)
        await speaker.send(response(stream))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.post(server.url, content=bytes(70_000))

    assert got.status_code == 200
    assert steps == ["acknowledged", 10]


def generated() -> Iterator[bytes]:
    yield b"one,"
    yield b""
    yield b"two"


async def generated_later() -> AsyncIterator[str]:
    for word in ("one,", "two"):
        await trio.lowlevel.checkpoint()
        yield word


@pytest.mark.parametrize("body", [generated, generated_later])
@in_real_time
async def test_a_body_of_an_iterator_goes_without_the_chunks_of_http1(body) -> None:
    server_side = Uploads(settings())
    async with speaking(server_side.speak) as server, a_tester(**KNOWN) as tester:
        await tester.client.get(server.url)
        got = await tester.client.post(server.url, content=body())

    assert got.status_code == 200
    assert server_side.body == b"one,two"
    assert server_side.sizes == [4, 3, 0]
    assert "transfer-encoding" not in server_side.fields


@in_real_time
async def test_a_server_that_has_answered_is_spared_the_rest_of_the_body() -> None:
    resets = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        stream = (await speaker.until(HEADERS)).stream
        await speaker.send(response(stream, b"enough", b"\x8e" + literal(b"a", b"b")))
        resets.append((await speaker.until(RST)).payload)
        await speaker.send(response(await speaker.request()))
        await trio.sleep_forever()

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.post(server.url, content=bytes(1_000_000))
        after = await tester.client.get(server.url)

    assert (got.status_code, got.content) == (500, b"enough")
    assert resets == [bytes(4)]
    assert after.status_code == 200


@in_real_time
async def test_head_gives_no_body_whatever_its_length_says() -> None:
    async with (
        answering(
            lambda s: head(s, b"\x88" + literal(b"content-length", b"5"), ends=True)
        ) as server,
        a_tester(**KNOWN) as tester,
    ):
        got = await tester.client.head(server.url)

    assert (got.status_code, got.content, got.error) == (200, b"", "")


@in_real_time
async def test_answers_without_end_for_a_server_that_asks_without_end_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pytest_k6api.protocols.http.h2.connection._FAR_TOO_MUCH", 4_000)
    said = []

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.request()
        await speaker.send(b"\0\0\x08\x06\0\0\0\0\0whoknows" * 900)
        said.append((await speaker.until(GOAWAY)).payload[4:])

    async with speaking(speech) as server, a_tester(**KNOWN) as tester:
        got = await tester.client.get(server.url)

    assert got.error.endswith("ENHANCE_YOUR_CALM: answers that are not taken")
    assert said == [(11).to_bytes(4)]
