"""Whatever a server says to a call, it ends with a status and one row: no crash, no hang, no growth."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given, settings

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.grpc import GrpcClient, GrpcError, StatusCode
from tests.protocols.grpc.calling import calling
from tests.protocols.http.h2 import speaking as h2
from tests.protocols.http.h2.speaking import Speaker, frame, literal, speaking

pytest.importorskip("jh2")
pytest.importorskip("google.protobuf")

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.slow,
]

# Seconds after which a call is overdue, and after which the client must be hanging.
OVERDUE, FAR_TOO_LONG = 0.1, 30
MOST = 100  # bytes of a message

GRPC = b"\x88" + literal(b"content-type", b"application/grpc")


def status(value: bytes, *others: bytes) -> bytes:
    return literal(b"grpc-status", value) + b"".join(others)


heads = st.sampled_from(
    [
        GRPC,
        GRPC + literal(b"grpc-encoding", b"gzip"),
        GRPC + literal(b"grpc-encoding", b"br"),
        GRPC + status(b"0"),
        GRPC + literal(b"content-length", b"7"),
        b"\x88",
        b"\x8d",
        b"\x08\x03103",
        b"\x40\x01a\x01b",
        b"\xbe",
        b"",
    ]
)
trailers = st.one_of(
    st.sampled_from([b"0", b"5", b"16", b"17", b"-1", b"", b"x", b"0" * 90]).map(status),
    st.sampled_from(
        [
            status(b"5", literal(b"grpc-message", b"%zz%E2%82%ff%00\x1b")),
            status(b"13", literal(b"grpc-message", b"a" * 100)),
            status(b"0", literal(b"key-bin", b"*")),
            status(b"0", literal(b":status", b"200")),
            b"",
        ]
    ),
    st.binary(max_size=20),
)
sizes = st.one_of(st.integers(0, 12), st.sampled_from([MOST, MOST + 1, 2**31, 2**32 - 1]))
contents = st.one_of(st.binary(max_size=12), st.sampled_from([b"\x1f\x8b", b"x" * 150]))


class Message(NamedTuple):
    flag: int
    size: int | None
    content: bytes

    def wire(self) -> bytes:
        size = len(self.content) if self.size is None else self.size
        return bytes([self.flag]) + size.to_bytes(4) + self.content


messages = st.builds(
    Message, st.sampled_from([0, 0, 0, 1, 2, 255]), st.one_of(st.none(), sizes), contents
)
bodies = st.lists(messages, max_size=3).map(lambda each: b"".join(m.wire() for m in each))


class Saying(NamedTuple):
    """A frame for a stream, or for `stream` where that is given."""

    kind: int
    flags: int
    payload: bytes
    stream: int | None = None


def sayings(kind: int, flags: list[int], payloads: st.SearchStrategy[bytes]) -> "Sayings":
    return st.builds(Saying, st.just(kind), st.sampled_from(flags), payloads, st.none())


Sayings = st.SearchStrategy[Saying]
ENDS, WHOLE = h2.END_STREAM, h2.END_HEADERS
numbers = st.sampled_from([0, 1, 2, 7, 8, 2**31 - 1, 2**32 - 1]).map(lambda n: n.to_bytes(4))
of_calls: Sayings = st.one_of(
    sayings(h2.HEADERS, [WHOLE, WHOLE, WHOLE | ENDS, 0], heads),
    sayings(h2.HEADERS, [WHOLE | ENDS, WHOLE | ENDS, WHOLE], trailers),
    sayings(h2.DATA, [0, 0, ENDS, h2.PADDED], bodies),
    sayings(h2.DATA, [0, ENDS], st.binary(max_size=8)),
    sayings(h2.CONTINUATION, [0, WHOLE], trailers),
    sayings(h2.RST, [0], st.one_of(numbers, st.binary(max_size=5))),
    sayings(h2.WINDOW, [0], numbers),
    sayings(h2.PUSH, [WHOLE], heads),
)
of_connections: Sayings = st.one_of(
    st.builds(Saying, st.just(h2.WINDOW), st.just(0), numbers, st.just(0)),
    st.builds(Saying, st.just(h2.PING), st.integers(0, 1), st.just(bytes(8)), st.just(0)),
    st.builds(lambda last, code: Saying(h2.GOAWAY, 0, last + code, 0), numbers, st.just(bytes(4))),
    st.builds(
        lambda name, value: Saying(h2.SETTINGS, 0, name.to_bytes(2) + value, 0),
        st.integers(1, 6),
        numbers,
    ),
    st.builds(
        Saying,
        st.integers(0, 12),
        st.integers(0, 255),
        st.binary(max_size=12),
        st.one_of(st.none(), st.integers(0, 9)),
    ),
)
# What a good server says; others leave some of it out, or say more.
good = [
    Saying(h2.HEADERS, WHOLE, GRPC),
    Saying(h2.DATA, 0, Message(0, None, b"ok").wire()),
    Saying(h2.HEADERS, WHOLE | ENDS, status(b"0")),
]
answers = st.one_of(
    st.lists(st.one_of(of_calls, of_calls, of_connections), max_size=5),
    st.tuples(st.integers(0, 3), of_calls | of_connections).map(
        lambda pair: [*good[: pair[0]], pair[1], *good[pair[0] :]]
    ),
    st.lists(st.integers(0, 2), max_size=4).map(lambda places: [good[at] for at in places]),
)

Make = Callable[[GrpcClient, str], Awaitable[StatusCode]]


async def unary(client: GrpcClient, target: str) -> StatusCode:
    channel = client.channel(target, timeout=OVERDUE, max_message_size=MOST)
    return await channel.unary_unary("/a.B/C")(b"hello").code()


async def gathered(client: GrpcClient, target: str) -> StatusCode:
    channel = client.channel(target, timeout=OVERDUE, max_message_size=MOST)
    return await channel.stream_unary("/a.B/C")([b"1", b"2"]).code()


async def listed(client: GrpcClient, target: str) -> StatusCode:
    channel = client.channel(target, timeout=OVERDUE, max_message_size=MOST)
    call = channel.unary_stream("/a.B/C")(b"hello")
    async for message in call:
        assert len(message) <= MOST
    return await call.code()


async def chatted(client: GrpcClient, target: str) -> StatusCode:
    channel = client.channel(target, timeout=OVERDUE, max_message_size=MOST)
    async with channel.stream_stream("/a.B/C")() as call:
        await call.write(b"hello")
        await call.read()
        await call.write(b"again")
        await call.done_writing()
        return await call.code()


async def ends(make: Make, client: GrpcClient, target: str) -> StatusCode:
    """Return the status of a call, also where it is an exception."""
    try:
        return await make(client, target)
    except GrpcError as error:
        return error.code


class Talk(NamedTuple):
    """What a server says to the calls of each connection, and whether it then ends that."""

    answers: list[list[Saying]]
    is_ended: bool

    async def hold(self, speaker: Speaker) -> None:
        await speaker.greet()
        for answer in self.answers:
            number = (await speaker.until(h2.HEADERS)).stream
            for kind, flags, payload, stream in answer:
                to = number if stream is None else stream
                await speaker.send(frame(kind, flags, to, payload))
        if self.is_ended:
            await speaker.end()
        while True:
            await speaker.frame()


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        Talk, st.lists(answers, min_size=1, max_size=3), st.sampled_from([True, True, False])
    ),
    st.lists(st.sampled_from([unary, gathered, listed, chatted]), min_size=1, max_size=3),
)
def test_every_call_ends_with_a_status_and_one_row(talk: Talk, makes: list[Make]) -> None:
    async def converse() -> None:
        async with speaking(talk.hold) as server, calling() as caller:
            target = f"127.0.0.1:{server.port}"
            with trio.fail_after(FAR_TOO_LONG):
                codes = [await ends(make, caller.client, target) for make in makes]

            assert [row[1] for row in caller.rows()] == [int(code != 0) for code in codes]
            assert [int(caller.tags(at)["status"]) for at in range(len(codes))] == codes
            channel = caller.client.channel(target, timeout=OVERDUE, max_message_size=MOST)
            connections = channel._link._connections
            assert sum(len(each.session.streams) for each in connections) == 0
            assert all(len(each.calls) <= 1 for each in connections)

    trio.run(converse)


@settings(max_examples=60, deadline=None)
@given(st.lists(messages, max_size=3), st.booleans())
def test_a_reflection_of_any_kind_is_refused(said: list[Message], is_file: bool) -> None:
    def wrapped(content: bytes) -> bytes:
        inner = b"\x0a" + bytes([len(content)]) + content
        return b"\x22" + bytes([len(inner)]) + inner if is_file else content

    async def converse() -> None:
        async with speaking(talk.hold) as server, calling() as caller:
            with trio.fail_after(FAR_TOO_LONG), pytest.raises((GrpcError, OptionError)):
                await caller.client.invoke(
                    "a.B/C", {}, target=f"127.0.0.1:{server.port}", timeout=OVERDUE
                )

    body = b"".join(each._replace(content=wrapped(each.content[:60])).wire() for each in said)
    talk = Talk([[good[0], Saying(h2.DATA, 0, body), good[2]]] * 2, is_ended=True)
    trio.run(converse)
