"""The composition root: a load test wired together and run, and the session of them.

Names are imported when they are first used: collection makes plans without
importing what runs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_k6api.run.interrupts import signals_end_session
    from pytest_k6api.run.load_test import LoadTest
    from pytest_k6api.run.plan import LoadTestPlan
    from pytest_k6api.run.progress import View
    from pytest_k6api.run.session import LoadTestSession
    from pytest_k6api.run.settings import RunSettings, UserCode
    from pytest_k6api.run.verdict import Verdict

__all__ = [
    "LoadTest",
    "LoadTestPlan",
    "LoadTestSession",
    "RunSettings",
    "UserCode",
    "Verdict",
    "View",
    "signals_end_session",
]

_MODULES = {
    "LoadTest": "load_test",
    "LoadTestPlan": "plan",
    "LoadTestSession": "session",
    "RunSettings": "settings",
    "UserCode": "settings",
    "Verdict": "verdict",
    "View": "progress",
    "signals_end_session": "interrupts",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
