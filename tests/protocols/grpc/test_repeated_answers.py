"""Answers that are known by the one before say what they would say if they were read."""

from typing import NamedTuple

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given, settings

from tests.protocols.grpc.calling import calling
from tests.protocols.http.h2.speaking import (
    ACK,
    PING,
    Speaker,
    data,
    frame,
    head,
    speaking,
    update,
)

pytest.importorskip("jh2")

pytestmark = pytest.mark.sockets


class Answer(NamedTuple):
    """What a server says to one call.

    Attributes:
        lead, behind: Of the connection.
        shop, till: Metadata before and behind the response.
        indexed: Whether they go into the dynamic table.
        text: The response.
        is_cut: Whether it comes in two frames.
    """

    lead: list[str]
    shop: str
    till: str
    indexed: bool
    text: bytes
    is_cut: bool
    behind: list[str]


answers = st.builds(
    Answer,
    lead=st.lists(st.sampled_from(["update", "ping"]), max_size=2),
    shop=st.sampled_from(["a", "b"]),
    till=st.sampled_from(["c", "d"]),
    indexed=st.booleans(),
    text=st.binary(max_size=20),
    is_cut=st.booleans(),
    behind=st.lists(st.sampled_from(["update", "ping"]), max_size=2),
)
# The same again and again, as most servers answer, and now and then another.
conversations = st.lists(st.tuples(answers, st.integers(1, 4)), min_size=1, max_size=4).map(
    lambda pairs: [answer for answer, times in pairs for _ in range(times)]
)


def said(speaker: Speaker, number: int, answer: Answer) -> bytes:
    def block(*fields: tuple[str, str]) -> bytes:
        never = not answer.indexed
        block: bytes = speaker.encode([(name, value, never) for name, value in fields])
        return block

    leads = {"update": update(0, 37), "ping": frame(PING, 0, 0, b"12345678")}
    message = b"\0" + len(answer.text).to_bytes(4) + answer.text
    pieces = [message[:3], message[3:]] if answer.is_cut else [message]
    return b"".join(
        [
            *(leads[each] for each in answer.lead),
            head(
                number,
                block(
                    (":status", "200"), ("content-type", "application/grpc"), ("shop", answer.shop)
                ),
            ),
            *(data(number, piece, ends=False) for piece in pieces),
            head(number, block(("grpc-status", "0"), ("till", answer.till)), ends=True),
            *(leads[each] for each in answer.behind),
        ]
    )


@settings(max_examples=40, deadline=None)
@given(conversations)
def test_answers_are_what_they_say_however_alike_they_are(conversation: list[Answer]) -> None:
    spoken: list[Speaker] = []

    async def speech(speaker: Speaker) -> None:
        spoken.append(speaker)
        await speaker.greet()
        for answer in conversation:
            await speaker.send(said(speaker, await speaker.request(), answer))
        await speaker.frame()

    async def converse() -> list[tuple[bytes, object, object]]:
        got: list[tuple[bytes, object, object]] = []
        async with speaking(speech) as server, calling() as caller:
            greet = caller.client.channel(f"127.0.0.1:{server.port}").unary_unary("/a.B/C")
            for _ in conversation:
                call = greet(b"hello")
                text = await call
                got.append((text, await call.initial_metadata(), await call.trailing_metadata()))
        assert [row[1] for row in caller.rows()] == [0] * len(conversation)
        return got

    assert trio.run(converse) == [
        (answer.text, (("shop", answer.shop),), (("till", answer.till),)) for answer in conversation
    ]
    pongs = sum(each.kind == PING and each.flags == ACK for each in spoken[0].frames)
    asked = sum((a.lead + a.behind).count("ping") for a in conversation[:-1])
    assert len(spoken) == 1
    assert pongs >= asked
