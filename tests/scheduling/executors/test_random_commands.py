"""Whatever people command, in whatever order: a load test ends, and its numbers add up."""

from contextlib import suppress
from dataclasses import replace

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_k6api.model import ControlError, ScenarioOptions, ScenarioState
from tests.scheduling.loads import Load, scenario
from tests.virtual_time import in_virtual_time

plans = st.sampled_from(
    [
        scenario("constant-vus", vus=3, duration=5, graceful_stop=1),
        scenario("shared-iterations", vus=3, iterations=30, max_duration=5, graceful_stop=1),
        scenario("per-vu-iterations", vus=3, iterations=9, max_duration=5, graceful_stop=1),
        scenario("ramping-vus", start_vus=1, stages=[("2s", 6), ("3s", 0)], graceful_ramp_down=1),
        scenario("externally-controlled", vus=2, max_vus=4, duration=5),
        scenario("constant-arrival-rate", rate=9, duration=5, pre_allocated_vus=2, max_vus=5),
        scenario("ramping-arrival-rate", stages=[("5s", 20)], pre_allocated_vus=2, max_vus=5),
    ]
)
mixes = st.lists(plans, min_size=1, max_size=2)

numbers = st.integers(-1, 8)
commands = st.one_of(
    st.tuples(st.just("pause")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("vus"), numbers),
    st.tuples(st.just("vus_max"), numbers),
    st.tuples(st.just("rate"), st.sampled_from([0, 0.5, 7, 40])),
    st.tuples(st.just("give_back"), st.sampled_from(["vus", "rate"])),
    st.tuples(st.just("pause_one"), st.booleans()),
    st.tuples(st.just("finish")),
)
# Never at a moment at which something else happens: those are multiples of a millisecond.
waits = st.integers(0, 1500).map(lambda ms: ms / 1000 + 0.000_137)
stories = st.lists(st.tuples(waits, commands), max_size=8)


async def command(load: Load, name: str, *values: object) -> None:
    scheduler = load.scheduler
    last = scheduler.scenarios()[-1].name
    match name, *values:
        case "pause", *_:
            await load.tell(paused=True)
        case "resume", *_:
            await load.tell(paused=False)
        case "vus", int(vus):
            await load.tell(vus=vus)
        case "vus_max", int(vus_max):
            await load.tell(vus_max=vus_max)
        case "rate", (int() | float()) as rate:
            await load.tell(scenario=last, rate=rate)
        case "give_back", str(what):
            await load.tell(scenario=last, give_back=frozenset({what}))
        case "pause_one", bool(paused):
            await load.tell(scenario=last, paused=paused)
        case _:
            scheduler.finish("as told")


async def follow(load: Load, story: list[tuple[float, tuple[str, object]]]) -> None:
    for wait, words in story:
        await trio.sleep(wait)
        with suppress(ControlError):
            await command(load, *words)
        check_numbers(load)
    await trio.sleep(3.000_137)
    # A story may have paused it, or set rates and VUs to 0: it has to be ended.
    load.scheduler.stop()


def check_numbers(load: Load) -> None:
    status = load.scheduler.status()
    each = load.scheduler.scenarios()
    assert status.vus == sum(one.vus for one in each)
    assert status.vus <= status.vus_max
    for one in each:
        if one.state is ScenarioState.ENDED:
            assert one.vus == 0


@settings(deadline=None, max_examples=80)
@given(mixes, stories, st.sampled_from([0.11, 0.431, 1.9]), st.sampled_from([0.0, 0.3]))
def test_whatever_is_commanded_the_numbers_add_up(
    mix: list[ScenarioOptions],
    story: list[tuple[float, tuple[str, object]]],
    iteration: float,
    closing: float,
) -> None:
    @in_virtual_time
    async def run() -> None:
        named = [scenario_with(options, f"s{number}") for number, options in enumerate(mix)]
        load = Load(named, iteration=iteration + 0.000_31, closing=closing)
        with trio.fail_after(3600):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow, load, story)
                await load.run()
                nursery.cancel_scope.cancel()

        statuses = load.scheduler.scenarios()
        assert sum(one.iterations for one in statuses) == load.finished
        assert sum(one.interrupted for one in statuses) == len(load.starts) - load.finished
        assert sum(one.dropped for one in statuses) == sum(load.dropped_samples)
        assert load.scheduler._vu_pool._in_use == load.scheduler._vu_pool._spare_in_use == 0
        assert load.scheduler.status().vus == 0
        check_numbers(load)

    run()


def scenario_with(options: ScenarioOptions, name: str) -> ScenarioOptions:
    return replace(options, name=name)
