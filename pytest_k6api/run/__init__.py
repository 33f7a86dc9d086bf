"""The composition root: a load test wired together and run, and the session of them."""

from pytest_k6api.run.interrupts import signals_end_session
from pytest_k6api.run.load_test import LoadTest
from pytest_k6api.run.progress import View
from pytest_k6api.run.session import LoadTestSession
from pytest_k6api.run.settings import LoadTestSpec, RunSettings
from pytest_k6api.run.verdict import Verdict

__all__ = [
    "LoadTest",
    "LoadTestSession",
    "LoadTestSpec",
    "RunSettings",
    "Verdict",
    "View",
    "signals_end_session",
]
