"""Inputs of a load test beside its plan: the functions it runs, and the settings it runs with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_k6api.metrics import DEFAULT_TREND_MEMORY, SampleBatch, ThresholdSnapshot
from pytest_k6api.protocols.http import ClientOptions
from pytest_k6api.scheduling import WHOLE, ExecutionSegment
from pytest_k6api.vu import ExceptionRules, UserFunction, render_traceback

if TYPE_CHECKING:
    from pytest_k6api.distributed import Fingerprint, Prepare, UserOutput, Worker
    from pytest_k6api.report import Baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCode:
    """The functions of a load test, each with its fixture values.

    Attributes:
        scenarios: The function of each scenario, by the scenario's name.
        setup: The setup function, if there is one.
        teardown: The teardown function, if there is one.
    """

    scenarios: Mapping[str, UserFunction]
    setup: UserFunction | None = None
    teardown: UserFunction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workforce:
    """The workers of a load test, and what each of them is told to set up.

    Attributes:
        workers: The workers, in the order of their numbers.
        fingerprint: What they have to have in common with this process.
        order: The load test.
        start_successor: Starts another process in place of a lost worker, and returns it; raises
            `CarrierError` where it cannot. None if the load test fails with the loss.
    """

    workers: "tuple[Worker, ...]"
    fingerprint: "Fingerprint"
    order: "Prepare"
    start_successor: "Callable[[Worker], Awaitable[Worker]] | None" = None


def _say_nothing(_text: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Settings of a run, from the command line and from the plugin.

    Attributes:
        client: Options of the HTTP client.
        seed: The seed of every ``vu.random``.
        paused: Wait for a resume before the load.
        run_setup: Whether setup is run at the start.
        run_teardown: Whether teardown is run at the end.
        segment: The share of the load that this instance runs.
        workforce: The workers that run the load; None where this process does.
        environment: Facts about where and on what it runs, for reports.
        trend_memory: Bytes for the different values of all trends of a load test.
        metadata: Whether samples of virtual users carry the numbers of VU and iteration.
        exceptions: Rules that tell failures, skips and exits in user code apart.
        render: Makes text of an exception from user code.
        baseline: The baseline to compare the load test with, if there is one.
        tell: Called with a sentence for the terminal.
        on_output: Called with what user code on workers wrote.
        on_paused: Called when it waits for a resume before the load.
        on_samples: Called with each batch of samples; None for none.
        on_crossed: Called with each threshold that is crossed at one evaluation and
            was not at the one before; None for none.
    """

    client: ClientOptions = field(default_factory=ClientOptions)
    seed: int = 0
    paused: bool = False
    run_setup: bool = True
    run_teardown: bool = True
    segment: ExecutionSegment = WHOLE
    workforce: Workforce | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    trend_memory: int = DEFAULT_TREND_MEMORY
    metadata: bool = False
    exceptions: ExceptionRules = field(default_factory=ExceptionRules)
    render: Callable[[BaseException], str] = render_traceback
    baseline: "Baseline | None" = None
    tell: Callable[[str], None] = _say_nothing
    on_output: "Callable[[UserOutput], None]" = lambda _output: None
    on_paused: Callable[[], None] = lambda: None
    on_samples: Callable[[SampleBatch], None] | None = None
    on_crossed: Callable[[ThresholdSnapshot], None] | None = None
