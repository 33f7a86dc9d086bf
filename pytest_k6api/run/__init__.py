"""Running load tests: each one wired together and run, its results, and the session of them.

Names are imported when they are first used: collection makes plans without
importing what runs them.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

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

__getattr__ = late_names(
    __name__,
    {
        ".endings": ("one_error",),
        ".load_test": ("LoadTest",),
        ".plan": ("LoadTestPlan",),
        ".session": ("LoadTestSession", "RemoteLoadTest"),
        ".results": ("RunResults",),
        ".settings": ("RunSettings", "UserCode", "Workforce"),
        ".runs.worker_run": ("ControllerLine", "WorkerRun"),
        ".verdict": ("Verdict",),
        ".pages": ("facts_of", "measured_at_end", "timeline_document"),
        ".interrupts": ("signals_end_session",),
        ".generator": ("tuned_gc",),
    },
)
