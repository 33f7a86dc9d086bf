"""Virtual users and what drives them: scenarios, schedules, executors; owns Trio time."""

from pytest_k6api.load.custom_metrics import Counter, Gauge, Rate, Trend, declared_metrics
from pytest_k6api.load.failed_requests import FailedRequests, name_kinds
from pytest_k6api.load.failures import Example, Failure, FailureKind, FailureLog
from pytest_k6api.load.feeders import Feeder, FeederError, FeederExhausted, feeder
from pytest_k6api.load.forgotten_awaits import ForgottenAwaits
from pytest_k6api.load.iterations import VirtualUser
from pytest_k6api.load.life import SetupTeardown
from pytest_k6api.load.load_context import (
    ExceptionRules,
    LoadContext,
    Outcomes,
    ScenarioContext,
    StopRequest,
)
from pytest_k6api.load.scheduler import RunOutcome, Scheduler
from pytest_k6api.load.segments import WHOLE, ExecutionSegment, read_segment
from pytest_k6api.load.stuck_tasks import StuckTasks
from pytest_k6api.load.sync_vu import SyncVU
from pytest_k6api.load.tracebacks import render_traceback
from pytest_k6api.load.user_functions import UserFunction
from pytest_k6api.load.vu import VU, current_vu
from pytest_k6api.load.vu_fixtures import VUFixture, resolve_vu_fixtures

__all__ = [
    "VU",
    "WHOLE",
    "Counter",
    "Example",
    "ExceptionRules",
    "ExecutionSegment",
    "FailedRequests",
    "Failure",
    "FailureKind",
    "FailureLog",
    "Feeder",
    "FeederError",
    "FeederExhausted",
    "ForgottenAwaits",
    "Gauge",
    "LoadContext",
    "Outcomes",
    "Rate",
    "RunOutcome",
    "ScenarioContext",
    "Scheduler",
    "SetupTeardown",
    "StopRequest",
    "StuckTasks",
    "SyncVU",
    "Trend",
    "UserFunction",
    "VUFixture",
    "VirtualUser",
    "current_vu",
    "declared_metrics",
    "feeder",
    "name_kinds",
    "read_segment",
    "render_traceback",
    "resolve_vu_fixtures",
]
