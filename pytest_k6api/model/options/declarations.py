"""Options of scenarios and of load tests, and which executor takes which.

The two dataclasses are the one list of options: marker keywords, command-line
help, readers, defaults and error messages are all derived from their fields,
and `TAKES` says which executor takes which of them.

Source: k6 v1.1.0, ``lib/executor/*.go`` and ``internal/cmd/options.go``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from typing import Any

from pytest_k6api.model.errors import OptionError
from pytest_k6api.model.options.values import (
    Stage,
    number_from_text,
    pairs_from_texts,
    read_base_url,
    read_consequence,
    read_count,
    read_function,
    read_http_versions,
    read_iterations,
    read_names,
    read_rate,
    read_seconds,
    read_stages,
    read_switch,
    read_text,
    read_texts,
    read_thresholds,
    read_timeout,
    stages_from_texts,
    switch_from_text,
    thresholds_from_texts,
)
from pytest_k6api.model.text import shown


class ExecutorKind(Enum):
    """The executors; the values are k6's names."""

    SHARED_ITERATIONS = "shared-iterations"
    PER_VU_ITERATIONS = "per-vu-iterations"
    CONSTANT_VUS = "constant-vus"
    RAMPING_VUS = "ramping-vus"
    CONSTANT_ARRIVAL_RATE = "constant-arrival-rate"
    RAMPING_ARRIVAL_RATE = "ramping-arrival-rate"
    EXTERNALLY_CONTROLLED = "externally-controlled"


_COMMON = frozenset(
    {"start_time", "after", "graceful_stop", "min_iteration_duration", "tags", "env"}
)

TAKES: Mapping[ExecutorKind, frozenset[str]] = {
    ExecutorKind.SHARED_ITERATIONS: _COMMON | {"vus", "iterations", "max_duration"},
    ExecutorKind.PER_VU_ITERATIONS: _COMMON | {"vus", "iterations", "max_duration"},
    ExecutorKind.CONSTANT_VUS: _COMMON | {"vus", "duration"},
    ExecutorKind.RAMPING_VUS: _COMMON | {"start_vus", "stages", "graceful_ramp_down"},
    ExecutorKind.CONSTANT_ARRIVAL_RATE: _COMMON
    | {"rate", "time_unit", "duration", "pre_allocated_vus", "max_vus"},
    ExecutorKind.RAMPING_ARRIVAL_RATE: _COMMON
    | {"start_rate", "time_unit", "stages", "pre_allocated_vus", "max_vus"},
    # It has no end of its own to be graceful about: k6 refuses graceful_stop.
    ExecutorKind.EXTERNALLY_CONTROLLED: (_COMMON - {"graceful_stop"})
    | {"vus", "max_vus", "duration"},
}
"""Which options an executor takes."""

NEEDS: Mapping[ExecutorKind, tuple[str, ...]] = {
    ExecutorKind.SHARED_ITERATIONS: (),
    ExecutorKind.PER_VU_ITERATIONS: (),
    ExecutorKind.CONSTANT_VUS: ("duration",),
    ExecutorKind.RAMPING_VUS: ("stages",),
    ExecutorKind.CONSTANT_ARRIVAL_RATE: ("rate", "duration", "pre_allocated_vus"),
    ExecutorKind.RAMPING_ARRIVAL_RATE: ("stages", "pre_allocated_vus"),
    ExecutorKind.EXTERNALLY_CONTROLLED: ("duration",),
}
"""Which options an executor needs."""


def read_executor(value: object) -> ExecutorKind:
    """Read the name of an executor."""
    for kind in ExecutorKind:
        if isinstance(value, (str, ExecutorKind)) and value in (kind, kind.value):
            return kind
    names = ", ".join(kind.value for kind in ExecutorKind)
    raise OptionError(f"unknown executor type {shown(value)}; there are {names}")


def _option(
    default: Any,  # a dataclass field's default is of the field's type; mypy checks that there
    read: Callable[[object], object],
    about: str,
    *,
    from_text: Callable[[str], object] = str.strip,
    from_texts: Callable[[Sequence[str]], object] | None = None,
) -> Any:  # as dataclasses.field itself is typed
    """Declare an option: how a Python value is read, and how text is made one.

    `from_texts` is for options that are given several times.
    """
    if from_texts is None:
        metadata = {"read": read, "about": about, "from_texts": lambda texts: from_text(texts[-1])}
    else:
        metadata = {"read": read, "about": about, "from_texts": from_texts}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _count(default: int, about: str) -> Any:  # see `_option`
    return _option(default, read_count, about, from_text=number_from_text)


def _rate(about: str) -> Any:  # see `_option`
    return _option(0.0, read_rate, about, from_text=number_from_text)


def _seconds(default: float, about: str) -> Any:  # see `_option`
    return _option(default, read_seconds, about)


def _texts(about: str) -> Any:  # see `_option`
    return _option(dict, read_texts, about, from_texts=pairs_from_texts)


def _switch(about: str) -> Any:  # see `_option`
    return _option(False, read_switch, about, from_text=switch_from_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioOptions:
    """The options of one scenario, complete and checked; durations are seconds.

    Options that its executor does not take have their neutral defaults.
    `resolve_scenario` makes one from layers.
    """

    name: str
    executor: ExecutorKind = _option(ExecutorKind.PER_VU_ITERATIONS, read_executor, "the executor")
    vus: int = _count(1, "virtual users")
    duration: float = _seconds(0.0, "time for which iterations start")
    iterations: int = _option(
        1, read_iterations, "iterations, in all or per VU", from_text=number_from_text
    )
    stages: tuple[Stage, ...] = _option(
        (), read_stages, "pairs of (duration, target)", from_texts=stages_from_texts
    )
    start_vus: int = _count(1, "virtual users before the first stage")
    rate: float = _rate("iterations per time_unit")
    start_rate: float = _rate("iterations per time_unit before the first stage")
    time_unit: float = _seconds(1.0, "the unit of rate, start_rate and stage targets")
    pre_allocated_vus: int = _count(0, "virtual users started in advance")
    max_vus: int = _count(0, "most virtual users")
    max_duration: float = _seconds(600.0, "time after which no iteration starts")
    start_time: float = _seconds(0.0, "delay after the start of the load test")
    after: str = _option("", read_text, "the scenario after whose end it starts")
    graceful_stop: float = _seconds(30.0, "time for running iterations to finish at the end")
    graceful_ramp_down: float = _seconds(30.0, "the same, for VUs that a ramp stops")
    min_iteration_duration: float = _seconds(
        0.0, "shorter iterations are followed by sleep up to this"
    )
    tags: Mapping[str, str] = _texts("tags on every sample")
    env: Mapping[str, str] = _texts("values of vu.env")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestOptions:
    """The options of a load test as a whole."""

    thresholds: Mapping[str, object] = _option(
        dict,
        read_thresholds,
        "pass criteria by metric: see [thresholds](thresholds.md)",
        from_texts=thresholds_from_texts,
    )
    setup: Callable[..., object] | None = _option(
        None, read_function, "function that runs once before the load"
    )
    teardown: Callable[..., object] | None = _option(
        None, read_function, "function that runs once after the load"
    )
    setup_timeout: float = _option(60.0, read_timeout, "time limit of setup")
    teardown_timeout: float = _option(60.0, read_timeout, "time limit of teardown")
    base_url: str = _option("", read_base_url, "base of relative URLs")
    http_versions: str = _option(
        "auto",
        read_http_versions,
        "versions of HTTP: `auto`, `1.1`, `2`, `2-prior-knowledge`, `3`; see"
        " [HTTP/2](../how-to/use-http2.md) and [HTTP/3](../how-to/use-http3.md)",
    )
    discard_response_bodies: bool = _switch("read the bodies of responses without keeping them")
    no_connection_reuse: bool = _switch("open a connection for each request")
    no_vu_connection_reuse: bool = _switch("close a VU's connections at the end of each iteration")
    checks: str = _option(
        "fail", read_consequence, "`fail`, or `record`: failed checks do not fail the load test"
    )
    requests: str = _option(
        "fail", read_consequence, "`fail`, or `record`: failed requests do not fail the load test"
    )
    fail_fast: bool = _switch("end at the first failure that fails the load test")
    worker_fixtures: tuple[str, ...] = _option(
        (), read_names, "names of fixtures that each worker sets up by itself"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestInfo:
    """A load test, as hooks and outputs of other plugins get it.

    Attributes:
        name: The pytest node id.
        scenarios: The options of each of its scenarios; durations are seconds.
        base_url: The base of relative URLs; empty if there is none.
        address: The address of the control API; empty if it is off.
    """

    name: str
    scenarios: tuple[ScenarioOptions, ...]
    base_url: str = ""
    address: str = ""


def read_option(option: str, value: object) -> object:
    """Return the `value` of an option of a scenario or a load test, read and checked.

    Raises:
        OptionError: It cannot be used.
    """
    return OPTIONS[option].metadata["read"](value)


def option_from_texts(option: str, texts: Sequence[str]) -> object:
    """Return the Python value that `texts` stand for, as a marker would give it to `option`.

    Raises:
        OptionError: They cannot be read.
    """
    return OPTIONS[option].metadata["from_texts"](texts)


_BY_ITERATIONS = frozenset({ExecutorKind.SHARED_ITERATIONS, ExecutorKind.PER_VU_ITERATIONS})


def planned_duration(options: ScenarioOptions) -> float | None:
    """Return for how many seconds a scenario is planned to start iterations.

    Returns:
        The seconds; infinity for a plan without end; None for a number of iterations,
        because their time is not known in advance.
    """
    if options.executor in _BY_ITERATIONS:
        return None
    if options.stages:
        return sum(stage.duration for stage in options.stages)
    if options.executor is ExecutorKind.EXTERNALLY_CONTROLLED and not options.duration:
        return math.inf
    return options.duration


def options_of(kind: type[ScenarioOptions] | type[LoadTestOptions]) -> dict[str, Field[Any]]:
    """Return the fields of `kind` that are options, by name."""
    return {entry.name: entry for entry in fields(kind) if entry.name != "name"}


def default_of(entry: Field[Any]) -> object:
    """Return the default of the option `entry`."""
    if entry.default is not MISSING:
        return entry.default
    assert entry.default_factory is not MISSING
    return entry.default_factory()


OPTIONS: Mapping[str, Field[Any]] = options_of(ScenarioOptions) | options_of(LoadTestOptions)
"""Every option that a marker takes, by name."""
