"""Messages as frames: any that is sent arrives as it was, and damage is told as damage."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.distributed import (
    Begin,
    Echo,
    EndWanted,
    Fingerprint,
    Hello,
    MessageError,
    Poll,
    Prepare,
    Refused,
    ScenarioEnded,
    Start,
    Steer,
    ToController,
    ToWorker,
    decode_from_worker,
    decode_to_worker,
    encode,
)
from pytest_k6api.distributed.frames import LARGEST, MessageReader
from pytest_k6api.model import Command

seconds = st.floats(allow_nan=False)
numbers = st.integers(0, 2**40)
names = st.text(max_size=20)

commands = st.builds(
    Command,
    scenario=st.none() | names,
    paused=st.none() | st.booleans(),
    vus=st.none() | st.integers(-5, 10**6),
    rate=st.none() | seconds,
    give_back=st.frozensets(st.sampled_from(["vus", "rate"])),
)
to_worker: st.SearchStrategy[ToWorker] = st.one_of(
    st.builds(Prepare, item=names, values=st.dictionaries(names, st.binary()), base_url=names),
    st.builds(
        Start, elapsed=seconds, at=seconds, load_began_at=seconds, setup_data=st.none() | names
    ),
    st.builds(Begin, scenario=names, elapsed=seconds),
    st.builds(Steer, number=numbers, command=commands, elapsed=st.none() | seconds),
    st.builds(Poll, number=numbers),
    st.builds(Echo, number=numbers),
)
to_controller: st.SearchStrategy[ToController] = st.one_of(
    st.builds(
        Hello,
        protocol=numbers,
        process=numbers,
        fingerprint=st.builds(
            Fingerprint, versions=st.dictionaries(names, names), options=names, items=names
        ),
    ),
    st.builds(Refused, text=names),
    st.builds(ScenarioEnded, scenario=names),
    st.builds(EndWanted, reason=names, how=names),
)


@given(to_worker)
def test_what_a_controller_sends_arrives(message: ToWorker):
    [payload] = MessageReader().feed(encode(message))

    assert decode_to_worker(payload) == message


@given(to_controller)
def test_what_a_worker_sends_arrives(message: ToController):
    [payload] = MessageReader().feed(encode(message))

    assert decode_from_worker(payload) == message


def test_text_that_no_document_can_carry_arrives_without_what_cannot():
    [payload] = MessageReader().feed(encode(Refused(text="half an emoji: \ud83d")))

    assert decode_from_worker(payload) == Refused(text="half an emoji: \ufffd")


@given(st.lists(to_worker, max_size=5), st.data())
def test_frames_arrive_whole_however_they_are_cut(messages: list[ToWorker], data: st.DataObject):
    stream = b"".join(map(encode, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames = MessageReader()

    payloads = [
        payload
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for payload in frames.feed(stream[start:end])
    ]

    assert list(map(decode_to_worker, payloads)) == messages


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_told_as_damage(payload: bytes):
    for decode in (decode_to_worker, decode_from_worker):
        with suppress(MessageError):
            assert encode(decode(payload))


@given(to_worker, st.data())
def test_a_message_that_is_cut_off_is_told_as_damage(message: ToWorker, data: st.DataObject):
    payload = encode(message)[4:]
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]

    with pytest.raises(MessageError):
        decode_to_worker(cut)


def test_a_message_of_another_version_is_told_by_its_name():
    payload = b"\x81\xa4type\xa7Conquer"

    with pytest.raises(MessageError, match="Invalid value 'Conquer'"):
        decode_to_worker(payload)


def test_a_length_that_is_none_is_told_and_not_waited_for():
    with pytest.raises(MessageError, match=r"a message of 4,294,967,295 bytes; [0-9,]+ are"):
        MessageReader().feed(b"\xff\xff\xff\xff")

    assert MessageReader().feed(LARGEST.to_bytes(4, "little")) == []
