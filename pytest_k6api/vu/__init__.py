"""Virtual users: the object that scenarios get, the code that runs them, fixtures, failures.

``vu`` and ``steps`` are the scenario's view, ``runner`` the executor's, which records each
iteration with its duration and its lateness; ``feeders``
holds test data, ``failures`` records, groups and explains what went wrong.
"""

from pytest_k6api.vu.asyncio_loop import asyncio_loop
from pytest_k6api.vu.context import (
    ExceptionRules,
    LoadContext,
    ScenarioContext,
    StopRequest,
)
from pytest_k6api.vu.custom_metrics import Counter, Gauge, Rate, Trend, declared_metrics
from pytest_k6api.vu.failures.failed_requests import FailedRequests, name_kinds
from pytest_k6api.vu.failures.failure import Example, Failure, FailureKind
from pytest_k6api.vu.failures.failure_log import FailureLog
from pytest_k6api.vu.failures.failure_reports import (
    FailureReporter,
    receive_failures,
    receive_setup_failure,
)
from pytest_k6api.vu.failures.forgotten_awaits import ForgottenAwaits
from pytest_k6api.vu.failures.tracebacks import format_location, is_users, render_traceback
from pytest_k6api.vu.feeders.feeder import Feeder, FeederError, FeederExhausted, feeder
from pytest_k6api.vu.feeders.row_claims import RowClaims
from pytest_k6api.vu.fixtures import VUFixture, resolve_vu_fixtures
from pytest_k6api.vu.runner import VirtualUser
from pytest_k6api.vu.setup_teardown import DEEPEST_SETUP_DATA, SetupTeardown, is_too_deep
from pytest_k6api.vu.stuck_tasks import Abandoned, StuckTasks
from pytest_k6api.vu.timing import LoopTicks, WakeEvent, is_real
from pytest_k6api.vu.user_functions import UserFunction
from pytest_k6api.vu.vu import VU, SyncVU, current_vu

__all__ = [
    "DEEPEST_SETUP_DATA",
    "VU",
    "Abandoned",
    "Counter",
    "Example",
    "ExceptionRules",
    "FailedRequests",
    "Failure",
    "FailureKind",
    "FailureLog",
    "FailureReporter",
    "Feeder",
    "FeederError",
    "FeederExhausted",
    "ForgottenAwaits",
    "Gauge",
    "LoadContext",
    "LoopTicks",
    "Rate",
    "RowClaims",
    "ScenarioContext",
    "SetupTeardown",
    "StopRequest",
    "StuckTasks",
    "SyncVU",
    "Trend",
    "UserFunction",
    "VUFixture",
    "VirtualUser",
    "WakeEvent",
    "asyncio_loop",
    "current_vu",
    "declared_metrics",
    "feeder",
    "format_location",
    "is_real",
    "is_too_deep",
    "is_users",
    "name_kinds",
    "receive_failures",
    "receive_setup_failure",
    "render_traceback",
    "resolve_vu_fixtures",
]
