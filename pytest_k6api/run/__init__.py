"""Running load tests: each one wired together and run, its results, and the session of them.

Names are imported when they are first used: collection makes plans without
importing what runs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_k6api.run.endings import one_error
    from pytest_k6api.run.generator import tuned_gc
    from pytest_k6api.run.interrupts import signals_end_session
    from pytest_k6api.run.load_test import LoadTest
    from pytest_k6api.run.pages import facts_of, measured_at_end, timeline_document
    from pytest_k6api.run.plan import LoadTestPlan
    from pytest_k6api.run.results import RunResults
    from pytest_k6api.run.runs.worker_run import ControllerLine, WorkerRun
    from pytest_k6api.run.session import LoadTestSession, RemoteLoadTest
    from pytest_k6api.run.settings import RunSettings, UserCode, Workforce
    from pytest_k6api.run.verdict import Verdict

__all__ = [
    "ControllerLine",
    "LoadTest",
    "LoadTestPlan",
    "LoadTestSession",
    "RemoteLoadTest",
    "RunResults",
    "RunSettings",
    "UserCode",
    "Verdict",
    "WorkerRun",
    "Workforce",
    "facts_of",
    "measured_at_end",
    "one_error",
    "signals_end_session",
    "timeline_document",
    "tuned_gc",
]

_MODULES = {
    "ControllerLine": "runs.worker_run",
    "LoadTest": "load_test",
    "LoadTestPlan": "plan",
    "LoadTestSession": "session",
    "RemoteLoadTest": "session",
    "RunResults": "results",
    "RunSettings": "settings",
    "UserCode": "settings",
    "Verdict": "verdict",
    "WorkerRun": "runs.worker_run",
    "Workforce": "settings",
    "facts_of": "pages",
    "measured_at_end": "pages",
    "one_error": "endings",
    "signals_end_session": "interrupts",
    "timeline_document": "pages",
    "tuned_gc": "generator",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
