"""Workers that run in the loop of their controller, so that both live in virtual time."""

import math
from collections.abc import Callable
from typing import Any

import trio

from pytest_k6api.distributed import (
    PROTOCOL,
    Accepted,
    CarrierError,
    Echo,
    Echoed,
    Fingerprint,
    Hello,
    Prepare,
    Release,
    ToController,
    ToWorker,
    Worker,
    decode_to_worker,
    encode,
)
from pytest_k6api.run import LoadTestPlan, RunSettings, UserCode, WorkerRun, Workforce
from pytest_k6api.scheduling import equal_segment

FINGERPRINT = Fingerprint(versions={}, options="", items="")


class InLoopWorker:
    """A carrier whose worker is a task of the same loop.

    Args:
        make_run: Makes the worker's run, which talks to it as to its controller.
        ahead: Seconds by which the worker's clock reads more.
    """

    def __init__(self, make_run: Callable[["InLoopWorker"], WorkerRun], ahead: float) -> None:
        self.name = "in the loop"
        self.is_silent = False
        self.is_slow_to_leave = False
        self._make_run = make_run
        self._ahead = ahead
        self._frames: tuple[Any, Any] | None = None
        self._messages: tuple[Any, Any] | None = None
        self._scope = trio.CancelScope()

    def now(self) -> float:
        return trio.current_time() + self._ahead

    # The carrier, for the controller.

    async def send(self, frame: bytes) -> None:
        message = decode_to_worker(frame[4:])
        if self._scope.cancel_called:
            raise CarrierError("gone")
        if self.is_silent:
            return
        if isinstance(message, Release) and self.is_slow_to_leave:
            await trio.sleep(0.75)
        if isinstance(message, Echo):
            self.say(Echoed(number=message.number, at=self.now(), wall=self.now()))
        elif isinstance(message, Prepare):
            self.say(Accepted(number=message.number))
            self._messages = trio.open_memory_channel[ToWorker](math.inf)
            trio.lowlevel.spawn_system_task(self._run, self._make_run(self))
        else:
            assert self._messages is not None
            self._messages[0].send_nowait(message)

    async def receive(self) -> bytes:
        if self._frames is None:
            self._frames = trio.open_memory_channel[bytes](math.inf)
            self.say(Hello(protocol=PROTOCOL, fingerprint=FINGERPRINT))
        data: bytes = await self._frames[1].receive()
        if not data:
            raise CarrierError("killed by SIGKILL")
        return data

    def kill(self) -> None:
        self._scope.cancel()

    def close(self, farewell: bytes) -> None: ...

    def wait(self, patience: float) -> bool:
        return True

    # The line, for the worker.

    def say(self, message: ToController) -> None:
        if self._frames is not None and not self.is_silent:
            self._frames[0].send_nowait(encode(message))

    def die(self) -> None:
        """End as a process that is killed."""
        self._scope.cancel()
        assert self._frames is not None
        self._frames[0].send_nowait(b"")

    async def _run(self, run: WorkerRun) -> None:
        with self._scope:
            await run.run()


class _Line:
    """What a worker's run knows of its carrier."""

    def __init__(self, carrier: InLoopWorker) -> None:
        self._carrier = carrier

    def send(self, message: ToController) -> None:
        self._carrier.say(message)

    async def receive(self) -> ToWorker | None:
        assert self._carrier._messages is not None
        message: ToWorker = await self._carrier._messages[1].receive()
        return message


def workforce(
    count: int, plan: LoadTestPlan, code: UserCode, settings: RunSettings
) -> tuple[Workforce, list[InLoopWorker]]:
    """Return `count` workers for the load test, and their carriers."""
    carriers = [
        InLoopWorker(
            lambda carrier, index=index: WorkerRun(  # type: ignore[misc]  # a default is typed
                plan,
                code,
                RunSettings(
                    segment=equal_segment(index, count),
                    exceptions=settings.exceptions,
                    seed=settings.seed,
                ),
                _Line(carrier),
                now=carrier.now,
            ),
            ahead=100.0 * index,
        )
        for index in range(count)
    ]
    workers = tuple(Worker(number, each) for number, each in enumerate(carriers, 1))
    order = Prepare(item=plan.name)
    return Workforce(workers=workers, fingerprint=FINGERPRINT, order=order), carriers
