"""Twins of the scripts that k6 was recorded with: the same load tests, in Python.

What they do is what the scripts do; how long it takes is shorter. Where k6 was
asked during setup or teardown, these wait behind a gate that the test opens.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from pytest_k6api.metrics import parse_selections, parse_thresholds
from pytest_k6api.model import (
    ExecutorKind,
    GroupError,
    LoadTestOptions,
    MetricError,
    ScenarioOptions,
)
from pytest_k6api.model.metrics import BUILT_IN
from pytest_k6api.run import LoadTestPlan, RunSettings, UserCode
from pytest_k6api.vu import VU, Counter, Gauge, Rate, Trend, UserFunction

EXTERNAL = ExecutorKind.EXTERNALLY_CONTROLLED
CONSTANT = ExecutorKind.CONSTANT_VUS
ENDLESS = 60.0

METRICS = (
    my_iters := Counter("my_iters"),
    done_iters := Counter("done_iters"),
    my_counter := Counter("my_counter"),
    my_counter_time := Counter("my_counter_time", contains="time"),
    my_gauge := Gauge("my_gauge"),
    my_gauge_time := Gauge("my_gauge_time", contains="time"),
    my_rate := Rate("my_rate"),
    my_trend := Trend("my_trend"),
    my_trend_time := Trend("my_trend_time", contains="time"),
    Counter("my_unused_counter"),
    Trend("my_unused_trend"),
    Rate("my_unused_rate"),
    Gauge("my_unused_gauge"),
    Counter("my_unused_nothr"),
    cc := Counter("cc"),
    weird := (Trend("wt"), Counter("wc"), Gauge("wg"), Rate("wr")),
)


@dataclass
class Gate:
    """Holds setup or teardown until the test lets it pass."""

    _event: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        # The test's thread cannot ring a Trio event.
        while not self._event.is_set():  # noqa: ASYNC110
            await trio.sleep(0.005)


@dataclass
class Twin:
    """One load test: what it is, how it is run, and what holds it."""

    plan: LoadTestPlan
    code: UserCode
    settings: RunSettings
    setup_gate: Gate
    teardown_gate: Gate

    @property
    def is_steered(self) -> bool:
        """Whether k6 lets its VUs be set."""
        return any(options.executor is EXTERNAL for options in self.plan.scenarios)


Function = Callable[..., Any]


@dataclass
class Stage:
    """What a twin is made with.

    Attributes:
        env: The environment that k6 ran in.
        shop: Where HTTP requests go.
        setup: Holds the setup.
        teardown: Holds the teardown.
    """

    env: Mapping[str, str]
    shop: str
    setup: Gate = field(default_factory=Gate)
    teardown: Gate = field(default_factory=Gate)


@dataclass
class Script:
    """What a script says; names of scenarios with their plans and functions."""

    scenarios: Mapping[str, tuple[Mapping[str, Any], Function]]
    thresholds: Mapping[str, object] = field(default_factory=dict)
    setup: Function | None = None
    teardown: Function | None = None
    options: LoadTestOptions = field(default_factory=LoadTestOptions)


def make_twin(script: str, args: tuple[str, ...], env: Mapping[str, str], shop: str) -> Twin:
    """Return the twin of `script` as k6 ran it with `args` and `env`."""
    stage = Stage(env, shop)
    written = SCRIPTS[script](stage)
    known = {metric.name: metric for metric in BUILT_IN}
    known |= {
        metric.metric.name: metric.metric for metric in METRICS if not isinstance(metric, tuple)
    }
    thresholds = {} if "--no-thresholds" in args else written.thresholds
    plan = LoadTestPlan(
        name=f"{script}.js",
        scenarios=[
            ScenarioOptions(name=name, **options)
            for name, (options, _) in written.scenarios.items()
        ],
        thresholds=parse_thresholds(thresholds, known),
        listed=parse_selections(thresholds, known),
        options=replace(written.options, checks="record", requests="record"),
    )
    code = UserCode(
        scenarios={
            name: UserFunction(function=function)
            for name, (_, function) in written.scenarios.items()
        },
        setup=UserFunction(function=written.setup) if written.setup else None,
        teardown=UserFunction(function=written.teardown) if written.teardown else None,
    )
    settings = RunSettings(
        paused="--paused" in args,
        run_setup="--no-setup" not in args,
        run_teardown="--no-teardown" not in args,
    )
    return Twin(plan, code, settings, stage.setup, stage.teardown)


def external(vus: int, max_vus: int, duration: float = float("inf"), **more: Any) -> dict[str, Any]:
    return {
        "executor": EXTERNAL,
        "vus": vus,
        "max_vus": max_vus,
        "duration": 0.0 if duration == float("inf") else duration,
        **more,
    }


def constant(vus: int, duration: float, **more: Any) -> dict[str, Any]:
    return {"executor": CONSTANT, "vus": vus, "duration": duration, "graceful_stop": 0.0, **more}


async def nap(vu: VU) -> None:
    await vu.sleep(0.02)


def lifecycle(stage: Stage) -> Script:
    async def setup() -> object:
        await stage.setup.wait()
        return {"a": 1, "nested": {"list": [1, 2.5, "x", None, True]}}

    async def main(vu: VU) -> None:
        await vu.http.get(f"http://{stage.shop}/ok")
        await vu.sleep(0.02)

    async def teardown() -> None:
        await stage.teardown.wait()

    return Script({"main": (constant(2, 4.0), main)}, setup=setup, teardown=teardown)


def extctl(_: Stage) -> Script:
    async def iteration(vu: VU) -> None:
        my_iters.add(1)
        await vu.sleep(0.02)

    return Script({"ext": (external(2, 5), iteration)})


def extctl_dur(stage: Stage) -> Script:
    async def setup() -> str:
        await stage.setup.wait()
        return "S"

    return Script({"ext": (external(1, 4, 4.0), nap)}, setup=setup)


def ext_long_iter(_: Stage) -> Script:
    async def iteration(vu: VU) -> None:
        await vu.sleep(0.5)
        done_iters.add(1)

    return Script({"ext": (external(3, 3), iteration)})


def ext_two(_: Stage) -> Script:
    plans = {"zed": (external(1, 4, ENDLESS), nap), "abc": (external(1, 2, ENDLESS), nap)}
    return Script(plans)


def ext_mixed_order(_: Stage) -> Script:
    plans = {"abc": (external(2, 2, ENDLESS), nap), "zed": (constant(1, ENDLESS), nap)}
    return Script(plans)


def ext_setupdata(stage: Stage) -> Script:
    async def setup() -> object:
        await stage.setup.wait()
        return {"v": "orig"}

    return Script({"ext": (external(1, 3), nap)}, setup=setup)


def ext_start_later(_: Stage) -> Script:
    return Script({"ext": (external(1, 4, ENDLESS, start_time=1.0), nap)})


def ext_slow_init(_: Stage) -> Script:
    return Script({"ext": (external(1, 1), nap)})


def slow_init(_: Stage) -> Script:
    return Script({"main": (constant(20, 4.0), nap)})


def nosetup(_: Stage) -> Script:
    return Script({"main": (constant(1, 0.5), nap)})


def two_phase(_: Stage) -> Script:
    plans = {
        "first": (constant(3, 0.3), nap),
        "second": (constant(2, 0.3, start_time=ENDLESS), nap),
    }
    return Script(plans)


def taint_flip(_: Stage) -> Script:
    async def iteration(vu: VU) -> None:
        my_counter.add(1)
        await vu.sleep(0.2)

    return Script({"s": (constant(1, 9.0), iteration)}, {"my_counter": ["count>15"]})


def metrics_all(stage: Stage) -> Script:
    url = f"http://{stage.shop}"

    async def setup() -> object:
        await stage.setup.wait()
        return {"token": "abc"}

    async def a(vu: VU) -> None:
        await vu.http.get(f"{url}/ok")
        await vu.http.get(f"{url}/missing")
        my_counter.add(2)
        my_counter_time.add(1.5)
        my_gauge.add(7)
        my_gauge_time.add(3.25)
        my_rate.add(True)
        my_rate.add(0, {"x": "quoted y"})
        for value in (1, 2, 4, 10):
            my_trend.add(value)
        my_trend_time.add(12.5)
        with vu.group("outer"):
            vu.check(1, {"outer ok": lambda value: value == 1})
            with vu.group("inner"):
                response = await vu.http.get(f"{url}/ok")
                is_200 = {"is 200": lambda found: found.status_code == 200}
                vu.check(response, {**is_200, "always fails": lambda _: False})
            with vu.group("empty inner"):
                pass
        with vu.group('second "q" / é'):
            vu.check(0, {"falsy": False, "truthy": True})
        vu.check(True, {"root check": lambda value: value})

    async def b(vu: VU) -> None:
        await vu.http.get(f"{url}/ok")
        await vu.sleep(0.1)

    plans = {
        "a": (
            {
                "executor": ExecutorKind.PER_VU_ITERATIONS,
                "vus": 2,
                "iterations": 5,
                "tags": {"kind": "alpha"},
            },
            a,
        ),
        "b": (constant(1, 7.0), b),
    }
    return Script(plans, _all_thresholds(url), setup, _check_in_teardown)


async def _check_in_teardown(vu: VU) -> None:
    vu.check(True, {"in teardown": lambda value: value})


def _all_thresholds(url: str) -> dict[str, object]:
    return {
        "http_req_duration{scenario:a}": ["p(95)<2000", "avg<1000"],
        "http_req_duration{scenario:b, status:200}": ["max<2000"],
        "http_req_duration": [
            "p(99.9)<2000",
            {"threshold": "med<1500", "abort_on_fail": False, "delay_abort_eval": "1s"},
        ],
        "http_reqs{kind:alpha}": ["count>0"],
        "http_req_failed": ["rate<0.0001"],
        "checks": ["rate>0.9"],
        "checks{check:always fails}": ["rate<0.5"],
        "my_trend": ["p(50)>=0", "min>=0", "max<=1000"],
        "my_counter": ["count>1000000"],
        "my_unused_counter": ["count>=0"],
        "my_unused_trend": ["p(95)<1"],
        "my_unused_rate": ["rate<1"],
        "my_unused_gauge": ["value==0"],
        'my_rate{x:"quoted y"}': ["rate>=0"],
        f"http_req_duration{{url:{url}/ok}}": ["p(95)<2000"],
        "http_req_duration{group:::outer::inner}": ["p(95)<2000"],
        "iteration_duration{scenario:a}": ["avg>=0"],
        "vus": ["value>=0"],
    }


_RETURNED: dict[str | None, object] = {
    "undefined": None,
    "null": None,
    "string": 'S<>&"é',
    "number": 42.5,
    "false": False,
    "array": [1, "two", {"three": 3}],
    "nan": {"x": float("nan")},
    "func": {"f": len, "ok": 1},
    "undef_member": {"a": None, "b": 1},
    "date": "1970-01-01T00:00:00Z",
    "promise": {"p": 1},
    "bigint": {"b": 12345678901234567000},
    "fail_check": {"c": 1},
    None: {"a": 1, "at": "fixed"},
}


def setup_api(stage: Stage) -> Script:
    mode = stage.env.get("MODE")

    async def setup(vu: VU) -> object:
        if mode == "throw":
            raise RuntimeError("boom in setup")
        if mode == "slow":
            await trio.sleep(4)
        if mode == "fail_check":
            vu.check(1, {"in setup": lambda _: False})
        return _RETURNED[mode]

    def teardown() -> None:
        return None

    return Script(
        {"main": (constant(1, 2.0), nap)},
        setup=setup,
        teardown=teardown,
        # k6's are 1.5 s, which it calls «2 seconds»; so does ours.
        options=LoadTestOptions(setup_timeout=1.5, teardown_timeout=1.5),
    )


def abort_kinds(stage: Stage) -> Script:
    kind = stage.env["KIND"]
    crossed = {"threshold": "count<1", "abort_on_fail": True}
    thresholds: dict[str, dict[str, object]] = {
        "threshold": {"my_counter": [crossed]},
        "threshold_delay": {"my_counter": [{**crossed, "delay_abort_eval": "3s"}]},
        "threshold_noabort": {"my_counter": ["count<1"]},
    }

    async def iteration(vu: VU) -> None:
        my_counter.add(1)
        if kind == "abort":
            vu.stop("my reason")
        if kind == "throw":
            await vu.sleep(0.02)
            raise RuntimeError("iter boom")
        await vu.sleep(0.2)

    async def teardown() -> None:
        if kind == "long_teardown":
            await stage.teardown.wait()

    lasts = 0.5 if kind in ("throw", "fail_mark", "threshold_noabort") else 5.0
    plan = {**constant(1, lasts), "graceful_stop": 1.0}
    return Script({"s": (plan, iteration)}, thresholds.get(kind, {}), teardown=teardown)


def weird_values(stage: Stage) -> Script:
    # What is left of k6's list: it reads '5' as 5, {} as 1 and [3] as 3.
    values = [float("nan"), float("inf"), -1, 5, True, False, 1, 3]

    async def iteration(vu: VU) -> None:
        if vu.iteration == 0:
            for metric in weird:
                for value in values:
                    with suppress(MetricError):
                        metric.add(value)
        await vu.sleep(0.02)

    return Script({"s": (constant(1, ENDLESS), iteration)})


def html_names(_: Stage) -> Script:
    async def iteration(vu: VU) -> None:
        with vu.group("a<b>&c"):
            vu.check(1, {'x < "y" & \u2028 \t/ \\ é 😀': True})
        cc.add(1, {"k": "a<b>&c"})
        cc.add(1, {"k": "ünï"})
        with suppress(GroupError), vu.group("with::sep"):
            pass
        with suppress(GroupError):
            vu.check(1, {"with::sep": True})
        with vu.group(""):
            vu.check(1, {"": True})
        await vu.sleep(0.02)

    thresholds = {"cc{k:a<b>&c}": ["count>=0"], "cc{k:ünï}": ["count>=0"]}
    return Script({"s": (constant(1, ENDLESS), iteration)}, thresholds)


SCRIPTS: Mapping[str, Callable[[Stage], Script]] = {
    make.__name__: make
    for make in (
        abort_kinds,
        ext_long_iter,
        ext_mixed_order,
        ext_setupdata,
        ext_slow_init,
        ext_start_later,
        ext_two,
        extctl,
        extctl_dur,
        html_names,
        lifecycle,
        metrics_all,
        nosetup,
        setup_api,
        slow_init,
        taint_flip,
        two_phase,
        weird_values,
    )
}
