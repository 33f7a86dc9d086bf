"""All workers of one load test, in the controller's loop: sends, listens, polls, notices losses.

Each worker has four tasks. One writes what it is told, one reads what it says. One asks for
an echo, a few times at once and then twice a second, which its link gives though its loop may be blocked; one polls, just
after each second of test-run time, and soon after what changes the number of VUs, when the last poll is answered. A worker whose line breaks, or that
leaves `MOST_UNANSWERED` echo requests unanswered, is lost: its process is ended, and nobody
waits for it any more.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

import trio
from msgspec import structs

from pytest_k6api.distributed.carriers import CarrierError
from pytest_k6api.distributed.frames import decode_from_worker, encode
from pytest_k6api.distributed.messages import (
    Accepted,
    Echo,
    Echoed,
    EndWanted,
    Fingerprint,
    Finished,
    Hello,
    MessageError,
    Poll,
    PollAnswer,
    Prepare,
    Release,
    Start,
    Steer,
    ToController,
    ToWorker,
    WorkerReport,
)
from pytest_k6api.distributed.worker_misfits import misfits_of
from pytest_k6api.distributed.worker_states import Worker
from pytest_k6api.model import Command, K6ApiError, WorkerStatus

ECHO_PERIOD = 0.5
MOST_UNANSWERED = 6
"""Echo requests without an answer, 3 s, after which a worker is lost."""

# The start of a load test waits for one answer, and has the best of a few.
_FIRST_ECHOES, _FIRST_PERIOD = 5, 0.01

START_PATIENCE = 60.0
"""Seconds that a worker has to start, and to set a load test up."""

_POLLED_AFTER = 0.05
"""Seconds after each second of test-run time at which workers are asked what they measured in it."""

_SETTLED_AFTER = 0.1
"""Seconds after a start or a command at which workers are asked what came of it."""

_DRAIN_TIME = 2.0
_ABOUT_NO_ORDER = (Hello, Accepted, Echoed)


class FleetError(K6ApiError):
    """Workers cannot run the load test."""


class FleetOwner(Protocol):
    """Hears of what workers say; called in the controller's loop."""

    def take_report(self, worker: Worker, content: WorkerReport) -> None:
        """Take in what `worker` measured."""

    def note_end_wanted(self, worker: Worker, wanted: EndWanted) -> None:
        """User code on `worker` asks for the end of the load test."""

    def note_loss(self, worker: Worker) -> None:
        """`worker` is lost."""


class Fleet:
    """The workers of one load test.

    Attributes:
        is_steering: Whether a command is under way.

    Args:
        workers: The workers, in the order of their numbers.
        owner: Hears of what they say.
        now: The controller's clock, in seconds.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        owner: FleetOwner,
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        self.workers = [*workers]
        self._owner = owner
        self._now = now
        self._outboxes: dict[Worker, trio.MemorySendChannel[bytes]] = {}
        self._scopes: dict[Worker, trio.CancelScope] = {}
        self._changed = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._commands = 0
        self.is_steering = False
        self._elapsed: Callable[[], float] = lambda: 0.0
        self._is_open = self._is_closing = False
        self._is_over = trio.Event()
        self._looked_at = 0.0
        self._has_news = trio.Event()

    @property
    def live(self) -> Iterator[Worker]:
        """The workers that are not lost; a successor only from its start on."""
        return (each for each in self.workers if not (each.is_lost or each.is_joining))

    @property
    def lacks_shares(self) -> bool:
        """Whether there is a share that no worker runs, as its successor is being prepared."""
        return any(each.awaits_successor for each in self.workers)

    def describe(self) -> tuple[WorkerStatus, ...]:
        """Return the state of each worker, before and after `run` too."""
        with suppress(RuntimeError):  # there is no loop yet, or any more
            self._looked_at = self._now()
        return tuple(worker.describe(self._looked_at) for worker in self.workers)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the workers until `close`, or until it is cancelled."""
        self._is_open = True
        try:
            async with trio.open_nursery() as self._nursery:
                for worker in self.workers:
                    self._admit(worker)
                task_status.started()
                await self._is_over.wait()
        finally:
            self._is_open = False

    def tell(self, message: ToWorker) -> None:
        """Tell all workers."""
        for worker in self.live:
            self.tell_one(worker, message)

    def tell_one(self, worker: Worker, message: ToWorker) -> None:
        """Tell one worker; does nothing if it is lost, or from `close` on."""
        outbox = self._outboxes.get(worker)
        if outbox is not None and not worker.is_lost and not self._is_closing:
            outbox.send_nowait(encode(message))

    def admit(self, successor: Worker, lost: Worker) -> None:
        """Serve `successor` of `lost`, which is live from its start on."""
        self.workers.append(successor)
        self._admit(successor)
        successor.is_joining = True
        # One that was lost before its start has done nothing.
        successor.follows = lost.follows if lost.is_joining else lost

    def note_successor(self, lost: Worker) -> None:
        """Note that `lost` has a successor, or needs none."""
        lost.awaits_successor = False
        self._note_change()

    async def prepare(
        self, workers: Sequence[Worker], message: Prepare, fingerprint: Fingerprint
    ) -> None:
        """Have `workers` set the load test up; the owner is told of those that are lost.

        Raises:
            FleetError: One cannot; with the reasons.
        """
        await self._wait(workers, lambda each: each.hello is not None, START_PATIENCE)
        _refuse_misfits(workers, fingerprint)
        for worker in workers:
            worker.order += 1
            order = structs.replace(message, number=worker.order, share=worker.share)
            self.tell_one(worker, order)
        if not await self._wait(
            workers, lambda each: each.is_prepared and each.clock.is_known, START_PATIENCE
        ):
            raise FleetError(_late(workers))
        _refuse_misfits(workers, fingerprint)

    def start(
        self, worker: Worker, elapsed: Callable[[], float], start: Start, moment: float
    ) -> None:
        """Have `worker` start.

        Args:
            worker: The worker, which is prepared.
            elapsed: Returns test-run time as of now.
            start: What it is told, but for its own time.
            moment: The controller's time at which `start.elapsed` is reached.
        """
        self._elapsed = elapsed
        worker.is_running, worker.is_joining = True, False
        worker.state = start.state
        # What commands have changed is a part of the start.
        worker.steered = self._commands
        self.tell_one(worker, structs.replace(start, at=worker.clock.theirs(moment)))
        self.expect_news()

    def expect_news(self) -> None:
        """Poll all workers soon, because what they do changes: not only after the next full second."""
        self._has_news.set()
        self._has_news = trio.Event()

    async def steer(
        self, command: Command, elapsed: float | None = None, moment: float = 0.0
    ) -> None:
        """Have all workers carry `command` out; return when they have.

        Args:
            command: The command.
            elapsed: Test-run time now, to go on from; None where it does not matter.
            moment: The controller's time at which it is reached.
        """
        self._commands = number = self._commands + 1
        self.is_steering = True
        for worker in self.live:
            steer = Steer(
                number=number, command=command, elapsed=elapsed, at=worker.clock.theirs(moment)
            )
            self.tell_one(worker, steer)
        await self.wait_until(lambda each: each.steered >= number or each.finished is not None)
        self.is_steering = False
        self._note_change()
        self.expect_news()

    async def wait_until(self, is_done: Callable[[Worker], bool]) -> None:
        """Wait until `is_done` holds for all live workers, or they refuse."""
        while not self._holds(is_done):
            await self._changed.wait()
        await trio.lowlevel.checkpoint()

    async def wait_for_shares(self, is_done: Callable[[Worker], bool]) -> None:
        """Wait until `is_done` holds for the worker of each share, or it refuses."""
        while self.lacks_shares or not self._holds(is_done):
            await self._changed.wait()
        await trio.lowlevel.checkpoint()

    def _holds(self, is_done: Callable[[Worker], bool]) -> bool:
        return all(is_done(each) or bool(each.refusal) for each in self.live)

    async def close(self) -> None:
        """Let the workers leave the load test."""
        self.tell(Release())
        self._is_closing = True
        for outbox in self._outboxes.values():
            outbox.close()
        # Where `run` was cancelled, nothing is written any more.
        with trio.move_on_after(_DRAIN_TIME if self._is_open else 0.0):
            while self._outboxes:
                await self._changed.wait()
        for scope in self._scopes.values():
            scope.cancel()
        reason = (
            "it took no message at the end" if self._is_open else "the load test ended without it"
        )
        for worker in list(self._outboxes):
            # Half of a message may be on its way: the line is of no use any more.
            self.lose(worker, reason)
        self._outboxes.clear()
        self._is_over.set()

    def lose(self, worker: Worker, reason: str) -> None:
        """Give `worker` up."""
        if worker.is_lost:
            return
        worker.carrier.kill()
        # What it said itself tells more than how its process ended.
        worker.lost = worker.refusal or reason
        self._outboxes.pop(worker, None)
        if worker in self._scopes:
            self._scopes[worker].cancel()
        self._owner.note_loss(worker)
        self._note_change()

    def _admit(self, worker: Worker) -> None:
        assert self._nursery is not None
        worker.begin_load_test()
        if not worker.is_lost:
            send, receive = trio.open_memory_channel[bytes](1_000_000)
            self._outboxes[worker] = send
            self._scopes[worker] = trio.CancelScope()
            self._nursery.start_soon(self._serve, worker, receive)

    async def _wait(
        self, workers: Sequence[Worker], is_done: Callable[[Worker], bool], patience: float
    ) -> bool:
        """Wait until `is_done` holds for `workers`, or they refuse or are lost; return False if late."""
        with trio.move_on_after(patience):
            while not all(is_done(each) or each.refusal or each.is_lost for each in workers):
                await self._changed.wait()
            await trio.lowlevel.checkpoint()
            return True
        return False

    async def _serve(self, worker: Worker, outbox: "trio.MemoryReceiveChannel[bytes]") -> None:
        with self._scopes[worker]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_writing, worker, outbox)
                nursery.start_soon(self._keep_asking, worker)
                nursery.start_soon(self._keep_polling, worker)
                await self._keep_reading(worker)

    async def _keep_writing(
        self, worker: Worker, outbox: "trio.MemoryReceiveChannel[bytes]"
    ) -> None:
        try:
            async for frame in outbox:
                await worker.carrier.send(frame)
        except CarrierError:
            return  # the reading task sees it too, after what came before
        self._outboxes.pop(worker, None)
        self._note_change()

    async def _keep_reading(self, worker: Worker) -> None:
        try:
            while True:
                data = await worker.carrier.receive()
                for payload in worker.frames.feed(data):
                    self._take(worker, decode_from_worker(payload))
                self._note_change()
        except CarrierError as error:
            self.lose(worker, str(error))
        except MessageError as error:
            self.lose(worker, f"it sent {error}")

    async def _keep_asking(self, worker: Worker) -> None:
        # What a process answers late, because it was starting, tells nothing of its clock.
        while worker.hello is None:
            await self._changed.wait()
        for _ in range(_FIRST_ECHOES):
            self._ask(worker)
            await trio.sleep(_FIRST_PERIOD)
        unanswered, heard_at = 0, worker.heard_at
        while True:
            # Requests are counted, not seconds: a controller that is blocked hears nobody.
            unanswered = 0 if worker.heard_at != heard_at else unanswered + 1
            heard_at = worker.heard_at
            if unanswered > MOST_UNANSWERED:
                self.lose(worker, f"no answer for {MOST_UNANSWERED * ECHO_PERIOD:g} s")
                return
            self._ask(worker)
            await trio.sleep(ECHO_PERIOD)

    def _ask(self, worker: Worker) -> None:
        worker.echoes += 1
        worker.asked_echo = (worker.echoes, self._now(), time.time())
        self.tell_one(worker, Echo(number=worker.echoes))

    async def _keep_polling(self, worker: Worker) -> None:
        while True:
            with trio.move_on_after(1.0 - self._elapsed() % 1.0 + _POLLED_AFTER):
                await self._has_news.wait()
                await trio.sleep(_SETTLED_AFTER)
            if worker.is_running and worker.asked_at is None:
                worker.asked_at = self._now()
                self.tell_one(worker, Poll(number=worker.taken + 1))

    def _take(self, worker: Worker, message: ToController) -> None:
        now = worker.heard_at = self._now()
        is_old = not worker.is_listening and worker.hello is not None
        if is_old and not isinstance(message, _ABOUT_NO_ORDER):
            return
        match message:
            case PollAnswer() if worker.note_report(message.content, now):
                self._owner.take_report(worker, message.content)
            case Finished():
                worker.finished, worker.is_running = message, False
                if worker.note_report(message.content, now):
                    self._owner.take_report(worker, message.content)
            case EndWanted():
                self._owner.note_end_wanted(worker, message)
            case Echoed() if message.number == worker.asked_echo[0]:
                worker.note_echo(message, now, time.time())
            case _:
                worker.note(message)

    def _note_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _refuse_misfits(workers: Sequence[Worker], ours: Fingerprint) -> None:
    if misfits := misfits_of(workers, ours, START_PATIENCE):
        raise FleetError(misfits)


def _late(workers: Sequence[Worker]) -> str:
    late = ", ".join(str(each.number) for each in workers if not (each.is_prepared or each.is_lost))
    return f"not set up within {START_PATIENCE:g} s on worker {late}"
