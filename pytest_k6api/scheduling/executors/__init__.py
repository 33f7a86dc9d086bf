"""Executors: k6's seven, run by two mechanisms from one plan each, and changed by commands.

Their names, `ExecutorKind`, and which options each takes, `TAKES`, stand in
``model/options/declarations.py``. How late an iteration began is recorded by its VU.
"""

from collections.abc import Callable

from pytest_k6api.model import ScenarioOptions
from pytest_k6api.scheduling.executors.arrival import ArrivalExecutor
from pytest_k6api.scheduling.executors.base import (
    ActiveVU,
    Executor,
    ExecutorContext,
    ScenarioCounts,
    VUFactory,
)
from pytest_k6api.scheduling.executors.executor_plans import (
    ArrivalPlan,
    ExecutorPlan,
    LoopPlan,
    make_plan,
)
from pytest_k6api.scheduling.executors.looping import LoopingExecutor

__all__ = [
    "ActiveVU",
    "ArrivalPlan",
    "Executor",
    "ExecutorContext",
    "ExecutorFactory",
    "ExecutorPlan",
    "LoopPlan",
    "ScenarioCounts",
    "VUFactory",
    "make_executor",
    "make_plan",
]


ExecutorFactory = Callable[[ScenarioOptions, ExecutorPlan, ExecutorContext], Executor]
"""Makes what runs a plan."""


def make_executor(
    options: ScenarioOptions, plan: ExecutorPlan, context: ExecutorContext
) -> Executor:
    """Return the executor that runs `plan`, which was made from `options`."""
    if isinstance(plan, LoopPlan):
        return LoopingExecutor(options, plan, context)
    return ArrivalExecutor(options, plan, context)
