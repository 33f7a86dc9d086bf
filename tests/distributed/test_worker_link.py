"""A worker's end of the line: pings, messages in and out of loops, and a controller that is gone."""

import queue
import socket
import sys
import threading
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from pytest_k6api.distributed import (
    Echo,
    Echoed,
    Leave,
    Poll,
    Prepared,
    WorkerLink,
    decode_from_worker,
    encode,
)
from pytest_k6api.distributed.frames import MessageReader


class Controller:
    """The other end of a link's line."""

    def __init__(self, line: socket.socket) -> None:
        line.settimeout(30)
        self.line = line
        self._frames = MessageReader()

    def send(self, *frames: bytes) -> None:
        self.line.sendall(b"".join(frames))

    def next_message(self) -> object:
        while True:
            for payload in self._frames.feed(self.line.recv(65536)):
                return decode_from_worker(payload)


@pytest.fixture
def exits() -> list[int]:
    return []


@pytest.fixture
def lines() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def controller(lines: tuple[socket.socket, socket.socket]) -> Controller:
    return Controller(lines[0])


@pytest.fixture
def link(lines: tuple[socket.socket, socket.socket], exits: list[int]) -> WorkerLink:
    link = WorkerLink(lines[1], exits.append)
    link.start()
    return link


def test_a_ping_is_answered_while_nobody_receives(controller: Controller, link: WorkerLink):
    controller.send(encode(Echo(number=7)))

    answer = controller.next_message()

    assert isinstance(answer, Echoed)
    assert answer.number == 7


def test_messages_wait_for_the_next_that_receives_in_a_loop_or_outside(
    controller: Controller, link: WorkerLink
):
    controller.send(*(encode(Poll(number=number)) for number in range(4)))

    outside = link.wait_for_message()
    inside = [trio.run(link.receive), trio.run(link.receive)]

    assert [outside, *inside, link.wait_for_message()] == [Poll(number=each) for each in range(4)]


def test_a_loop_that_waits_is_woken_by_a_message(controller: Controller, link: WorkerLink):
    timer = threading.Timer(0.05, controller.send, [encode(Poll(number=1))])
    timer.start()

    assert trio.run(link.receive) == Poll(number=1)


def test_messages_are_sent_from_any_thread(controller: Controller, link: WorkerLink):
    link.send(Prepared())

    assert controller.next_message() == Prepared()


def test_all_that_was_sent_is_on_its_way_after_a_flush(controller: Controller, link: WorkerLink):
    link.send(Prepared())

    link.flush()

    controller.line.settimeout(0)
    assert controller.next_message() == Prepared()


def test_the_end_of_the_line_is_the_last_message_again_and_again(
    controller: Controller, link: WorkerLink, exits: list[int]
):
    controller.send(encode(Leave()))
    controller.line.close()

    assert link.wait_for_message() == Leave()
    assert link.wait_for_message() is None
    assert trio.run(link.receive) is None
    assert exits == []


@pytest.mark.parametrize("said", [b"", encode(Leave())])
def test_a_worker_without_a_controller_ends_in_the_end(
    lines: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, said: bytes
):
    for time in ("LEAVING_TIME", "FAREWELL_TIME"):
        monkeypatch.setattr(f"pytest_k6api.distributed.worker_link.{time}", 0.01)
    exits: queue.SimpleQueue[int] = queue.SimpleQueue()
    WorkerLink(lines[1], exits.put).start()

    lines[0].sendall(said)
    lines[0].close()

    assert exits.get(timeout=30) == 70


def test_threads_switch_quickly_while_something_waits_on_the_line(
    lines: tuple[socket.socket, socket.socket],
) -> None:
    before, meanwhile = sys.getswitchinterval(), []
    link = WorkerLink(lines[1])  # not started: nothing takes what comes

    async def wait_a_moment() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.receive)
            await trio.testing.wait_all_tasks_blocked(0.01)
            meanwhile.append(sys.getswitchinterval())
            lines[0].sendall(encode(Poll(number=1)))
            with trio.fail_after(30):
                while sys.getswitchinterval() == before:
                    await trio.lowlevel.checkpoint()
            meanwhile.append(sys.getswitchinterval())
            nursery.cancel_scope.cancel()

    trio.run(wait_a_moment)

    assert meanwhile[0] == before
    assert meanwhile[1] < before / 10
    assert sys.getswitchinterval() == before
