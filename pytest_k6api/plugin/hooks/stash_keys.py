"""The keys under which the plugin keeps things of a session in pytest's config."""

import threading
from typing import TYPE_CHECKING, TypedDict

import pytest

if TYPE_CHECKING:
    from pytest_k6api.plugin.collection.captured import CapturedLoadTest
    from pytest_k6api.run import LoadTest, LoadTestPlan, LoadTestSession


class KeptSummary(TypedDict):
    """The summary of a load test as a report carries it, also from another process."""

    line: str
    """All of it in one line."""

    lines: list[str]
    """All of it, the heading first."""


SESSION: "pytest.StashKey[LoadTestSession]" = pytest.StashKey()
"""The session's load tests, once their control API is up."""

API_HAS_ENDED = pytest.StashKey[threading.Event]()
"""Set when somebody ends the session through the control API."""

SUMMARY = "k6_summary"
"""The attribute of a report that carries a summary, also from another process."""

SUMMARIES = pytest.StashKey[list[KeptSummary]]()
"""Summaries of the load tests that this process has run, also of those that pytest makes no report for."""

CAPTURED: "pytest.StashKey[CapturedLoadTest]" = pytest.StashKey()
"""What an item runs, if it is a load test."""

PLAN: "pytest.StashKey[LoadTestPlan]" = pytest.StashKey()
"""The same, complete and checked, once collection has ended."""

BROKEN = pytest.StashKey[str]()
"""Why an item that is marked as a load test cannot be one."""

REMARKS = pytest.StashKey[list[str]]()
"""What users are told before the first test, a line each."""

RUNNING: "pytest.StashKey[LoadTest]" = pytest.StashKey()
"""The load test that an item runs, for those who want to stop it."""

WORKERS = pytest.StashKey[int]()
"""The number of the last worker that pytest-xdist has started, from 0."""
