"""Workers that run in the loop of their controller, so that both live in virtual time, and load tests on them."""

import math
from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import Any

import trio
import trio.testing

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
from pytest_k6api.metrics import parse_thresholds
from pytest_k6api.model import BUILT_IN, ExecutorKind, LoadTestOptions, ScenarioOptions, Stage
from pytest_k6api.run import LoadTest, LoadTestPlan, RunSettings, UserCode, WorkerRun, Workforce
from pytest_k6api.scheduling import equal_segment
from pytest_k6api.vu import VU, ExceptionRules, Trend, UserFunction

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
        self.is_slow_to_leave = self.is_stillborn = False
        self._make_run = make_run
        self._ahead = ahead
        self._frames: tuple[Any, Any] | None = None
        self._messages: tuple[Any, Any] | None = None
        self._scope = trio.CancelScope()

    @property
    def is_there(self) -> bool:
        """Whether it has said something, and has not ended."""
        return self._frames is not None and not self._scope.cancel_called

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
        if self.is_stillborn:
            raise CarrierError("killed by SIGKILL")
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

    def flush(self) -> None: ...

    async def receive(self) -> ToWorker | None:
        assert self._carrier._messages is not None
        message: ToWorker = await self._carrier._messages[1].receive()
        return message


START_TIME = 1.4
"""Seconds that another worker takes to start."""


def workforce(
    count: int,
    plan: LoadTestPlan,
    code: UserCode,
    settings: RunSettings,
    *,
    replans: bool = False,
    stillborn: Container[int] = (),
) -> tuple[Workforce, list[InLoopWorker]]:
    """Return `count` workers for the load test, and their carriers, to which later ones are added.

    Those with numbers in `stillborn` have ended before they say anything.
    """
    carriers: list[InLoopWorker] = []

    def start(share: int, rows: Mapping[str, int] = MappingProxyType({})) -> Worker:
        own = RunSettings(
            segment=equal_segment(share - 1, count),
            exceptions=settings.exceptions,
            seed=settings.seed,
        )
        carrier = InLoopWorker(
            lambda carrier: WorkerRun(
                plan, code, own, _Line(carrier), now=carrier.now, wants_state=replans
            ),
            ahead=100.0 * len(carriers),
        )
        carriers.append(carrier)
        carrier.is_stillborn = len(carriers) in stillborn
        return Worker(len(carriers), carrier, share, rows)

    async def start_successor(lost: Worker) -> Worker:
        await trio.sleep(START_TIME)
        return start(lost.share, lost.rows)

    workers = tuple(start(share) for share in range(1, count + 1))
    order = Prepare(item=plan.name, shares=count, wants_state=replans)
    force = Workforce(
        workers=workers,
        fingerprint=FINGERPRINT,
        order=order,
        start_successor=start_successor if replans else None,
    )
    return force, carriers


THINKING = Trend("thinking")
KNOWN = {metric.name: metric for metric in BUILT_IN} | {"thinking": THINKING.metric}

Function = Callable[..., Any]


class Leave(Exception):
    """What pytest.exit() raises."""


RULES = ExceptionRules(exits=(Leave, KeyboardInterrupt))


def load_test(
    workers: int,
    *scenarios: tuple[ScenarioOptions, Function],
    thresholds: dict[str, list[Any]] | None = None,
    setup: Function | None = None,
    replans: bool = False,
    stillborn: Container[int] = (),
    **settings: Any,
) -> tuple[LoadTest, list[InLoopWorker]]:
    plan = LoadTestPlan(
        name="test_shop.py::test_browse",
        scenarios=[options for options, _ in scenarios],
        thresholds=parse_thresholds(thresholds or {}, KNOWN),
        options=LoadTestOptions(setup=setup),
    )
    code = UserCode(
        scenarios={options.name: UserFunction(function=each) for options, each in scenarios},
        setup=UserFunction(function=setup) if setup else None,
    )
    carriers: list[InLoopWorker] = []
    base = RunSettings(exceptions=RULES, seed=7, **settings)
    if workers:
        force, carriers = workforce(workers, plan, code, base, replans=replans, stillborn=stillborn)
        base = RunSettings(exceptions=RULES, seed=7, workforce=force, **settings)
    return LoadTest(1, plan, code, base), carriers


def run(tested: LoadTest) -> None:
    tested.run(clock=trio.testing.MockClock(autojump_threshold=0))


KINDS: dict[str, dict[str, Any]] = {
    "constant-vus": {"vus": 5, "duration": 7.0, "graceful_stop": 2.0},
    "shared-iterations": {"vus": 4, "iterations": 31, "max_duration": 60.0},
    "per-vu-iterations": {"vus": 5, "iterations": 3, "max_duration": 60.0},
    "ramping-vus": {"start_vus": 1, "stages": ((4.03, 9), (3.07, 2)), "graceful_ramp_down": 2.0},
    "constant-arrival-rate": {
        "rate": 9.7,
        "duration": 5.0,
        "pre_allocated_vus": 12,
        "max_vus": 12,
    },
    "ramping-arrival-rate": {
        "start_rate": 2.0,
        "stages": ((3.0, 13), (2.0, 4)),
        "pre_allocated_vus": 14,
        "max_vus": 14,
    },
    "externally-controlled": {"vus": 3, "max_vus": 6, "duration": 5.0},
}


def options(kind: str, name: str = "browse", **more: Any) -> ScenarioOptions:
    found: dict[str, Any] = {**KINDS[kind], **more}
    if "stages" in found:
        found["stages"] = tuple(Stage(*stage) for stage in found["stages"])
    return ScenarioOptions(name=name, executor=ExecutorKind(kind), **found)


class Diary:
    """Notes each iteration: when it began after the first, of which VU, its number, a random number."""

    def __init__(self) -> None:
        self._began: list[tuple[float, int, int, float]] = []

    async def browse(self, vu: VU) -> None:
        self._began.append((trio.current_time(), vu.id, vu.iteration, vu.random.random()))
        with vu.group("think"):
            # Prime, so that it never ends in the same instant as something else.
            await vu.sleep(0.617)
            THINKING.add(vu.id * 1.5)
            vu.check(vu.id, {"is odd": lambda number: number % 2 == 1})

    @property
    def times(self) -> list[float]:
        first = min(self._began)[0]
        return sorted(round(at - first, 3) for at, *_ in self._began)

    @property
    def entries(self) -> list[tuple[int, int, float]]:
        return sorted((number, iteration, drawn) for _, number, iteration, drawn in self._began)


def steered(
    workers: int,
    steps: Callable[[LoadTest], Any],
    *scenarios: tuple[ScenarioOptions, Function],
    **more: Any,
) -> LoadTest:
    """Run a load test with `steps` beside it, which begin with the load; return it."""
    errors: list[BaseException] = []

    async def beside() -> None:
        try:
            await trio.sleep(0.05)
            await steps(tested)
        except BaseException as error:  # noqa: BLE001 - it would end Trio itself
            errors.append(error)
            tested.stop("the test failed")

    async def setup() -> None:
        trio.lowlevel.spawn_system_task(beside)

    tested, carriers = load_test(workers, *scenarios, setup=setup, **more)
    vars(tested)["carriers"] = carriers
    run(tested)
    if errors:
        raise errors[0]
    return tested
