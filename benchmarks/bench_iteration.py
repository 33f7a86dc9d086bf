"""What an iteration, a group, a check and a failure cost, beside what the user's function does.

Run it pinned to one core: ``taskset -c 1 python benchmarks/bench_iteration.py``.
Each figure is the best of sixty short rounds, because the machine may be busy, in microseconds of CPU time, less the bare call of the
coroutine function and Trio's own checkpoint.
"""

import math
import time
from collections.abc import Awaitable, Callable
from typing import cast

import trio

from pytest_k6api.model import SampleBuffer, ScenarioOptions, TagContext, TagTable
from pytest_k6api.protocols.http import Client
from pytest_k6api.vu.context import LoadContext, ScenarioContext
from pytest_k6api.vu.failures.failure_log import FailureLog
from pytest_k6api.vu.runner import VirtualUser
from pytest_k6api.vu.user_functions import UserFunction
from pytest_k6api.vu.vu import VU

ROUNDS = 60
ITERATIONS = 1_000


class NoClient:
    """Stands for the HTTP client."""

    last_response = None
    no_vu_connection_reuse = False

    def close(self) -> None:
        """Nothing is open."""


async def nothing(vu: VU) -> None:  # noqa: ARG001  # a scenario asks for its VU
    """Only wait as a request does."""
    await trio.lowlevel.cancel_shielded_checkpoint()


async def one_group(vu: VU) -> None:
    """Enter one group."""
    with vu.group("visit homepage"):
        await trio.lowlevel.cancel_shielded_checkpoint()


async def one_check(vu: VU) -> None:
    """Ask one question."""
    await trio.lowlevel.cancel_shielded_checkpoint()
    vu.check(200, {"status is 200": lambda status: status == 200})


async def one_measured_block(vu: VU) -> None:
    """Measure one block under a name."""
    with vu.measure("db query"):
        await trio.lowlevel.cancel_shielded_checkpoint()


async def group_and_check(vu: VU) -> None:
    """Ask one question in one group: the workload of the comparison with k6."""
    with vu.group("visit homepage"):
        await trio.lowlevel.cancel_shielded_checkpoint()
        vu.check(200, {"status is 200": lambda status: status == 200})


async def failing_check(vu: VU) -> None:
    """Ask one question that is answered with no."""
    await trio.lowlevel.cancel_shielded_checkpoint()
    vu.check(503, {"status is 200": lambda status: status == 200})


async def raising(vu: VU) -> None:
    """Fail in every iteration."""
    await trio.lowlevel.cancel_shielded_checkpoint()
    raise AssertionError(f"user {vu.iteration} saw 503")


def make_vu(function: Callable[[VU], Awaitable[None]]) -> tuple[VirtualUser, SampleBuffer]:
    """Return one VU of a scenario that runs `function`."""
    buffer = SampleBuffer()
    load = LoadContext(
        buffer=buffer,
        tag_context=TagContext(TagTable(), {}),
        make_client=lambda _recorder, _vu_id: cast("Client", NoClient()),
        failures=FailureLog(time.perf_counter),
        stop=lambda _reason: None,
    )
    scenario = ScenarioContext(
        load=load,
        options=ScenarioOptions(name="test_bench"),
        function=UserFunction(function=function),
    )
    return VirtualUser(1, scenario), buffer


async def time_bare(function: Callable[[VU], Awaitable[None]]) -> float:
    """Return the seconds that calling `nothing` alone takes."""
    user, _ = make_vu(function)
    began = time.process_time()
    for _ in range(ITERATIONS):
        await nothing(cast("VU", user.vu))
    return time.process_time() - began


async def time_iterations(function: Callable[[VU], Awaitable[None]]) -> float:
    """Return the seconds that running iterations of `function` takes."""
    user, buffer = make_vu(function)
    began = time.process_time()
    for _ in range(ITERATIONS):
        await user.run_iteration()
    taken = time.process_time() - began
    buffer.drain()  # as the pump does
    return taken


async def main() -> None:
    """Print the table."""
    functions = (
        nothing,
        one_group,
        one_measured_block,
        one_check,
        group_and_check,
        failing_check,
        raising,
    )
    bare = math.inf
    best = dict.fromkeys(functions, math.inf)
    for _ in range(ROUNDS):
        bare = min(bare, await time_bare(nothing))
        for function in functions:
            best[function] = min(best[function], await time_iterations(function))
    print(f"{'bare call and checkpoint':<28}{bare / ITERATIONS * 1e6:7.2f} µs")
    for function, taken in best.items():
        print(f"{function.__name__:<28}{(taken - bare) / ITERATIONS * 1e6:7.2f} µs more")


if __name__ == "__main__":
    trio.run(main)
