"""What a load test is: its plan with everything filled in, and how to run it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_k6api.metrics import (
    DEFAULT_TREND_MEMORY,
    SampleBatch,
    Selection,
    Threshold,
    ThresholdSnapshot,
)
from pytest_k6api.model import LoadTestOptions, ScenarioOptions
from pytest_k6api.protocols.http import ClientOptions
from pytest_k6api.report import Yardstick
from pytest_k6api.scheduling import WHOLE, ExecutionSegment
from pytest_k6api.vu import ExceptionRules, UserFunction, render_traceback


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestSpec:
    """A load test, ready to run.

    Attributes:
        name: The pytest node id.
        scenarios: Every scenario's plan with its function and fixture values.
        thresholds: What decides whether it passes.
        listed: Metrics to show although they have no sample and no threshold.
        tolerated: Samples whose failures are allowed although no threshold is judged.
        options: What belongs to the load test as a whole.
        setup: The setup function with its fixture values, if there is one.
        teardown: The teardown function likewise.
        yardstick: The baseline to compare it with, if there is one.
    """

    name: str
    scenarios: Sequence[tuple[ScenarioOptions, UserFunction]]
    thresholds: Sequence[Threshold] = ()
    listed: Sequence[Selection] = ()
    tolerated: Sequence[Selection] = ()
    options: LoadTestOptions = field(default_factory=LoadTestOptions)
    setup: UserFunction | None = None
    teardown: UserFunction | None = None
    yardstick: Yardstick | None = None


def _say_nothing(_text: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How to run it: what the command line and the plugin say, for all load tests alike.

    Attributes:
        client: How HTTP requests are made.
        seed: The seed of every ``vu.random``.
        paused: Wait for a resume before the load.
        run_setup: Whether setup is run at the start.
        run_teardown: Whether teardown is run at the end.
        segment: The share of the load that this instance runs.
        trend_memory: Bytes for the different values of all trends of a load test.
        exceptions: What exceptions in user code mean.
        render: Makes text of an exception from user code.
        tell: Called with a sentence for the terminal.
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
    trend_memory: int = DEFAULT_TREND_MEMORY
    exceptions: ExceptionRules = field(default_factory=ExceptionRules)
    render: Callable[[BaseException], str] = render_traceback
    tell: Callable[[str], None] = _say_nothing
    on_paused: Callable[[], None] = lambda: None
    on_samples: Callable[[SampleBatch], None] | None = None
    on_crossed: Callable[[ThresholdSnapshot], None] | None = None
