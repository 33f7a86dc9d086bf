"""Stash keys of the plugin, in pytest's config and items."""

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
"""Set when the control API ends the session."""

SUMMARY = "k6_summary"
"""The attribute of a report that carries the summaries of its item, also from another process."""

KEPT_SUMMARY: "pytest.StashKey[KeptSummary]" = pytest.StashKey()
"""The summary of an item's load test, once it has ended."""

ATTEMPTS: "pytest.StashKey[list[KeptSummary]]" = pytest.StashKey()
"""The summaries of all load tests that an item has run: several if it was run again."""

SUMMARIES: "pytest.StashKey[list[KeptSummary]]" = pytest.StashKey()
"""Summaries of the load tests that this process has run, with or without a report of pytest."""

CAPTURED: "pytest.StashKey[CapturedLoadTest]" = pytest.StashKey()
"""The functions that an item runs, if it is a load test."""

PLAN: "pytest.StashKey[LoadTestPlan]" = pytest.StashKey()
"""The plan of an item, once collection has ended."""

BROKEN = pytest.StashKey[str]()
"""The reason why an item that is marked as a load test cannot run."""

REMARKS = pytest.StashKey[list[str]]()
"""Remarks for the terminal before the first test, a line each."""

RUNNING: "pytest.StashKey[LoadTest]" = pytest.StashKey()
"""The load test that an item runs, for code that may stop it."""

EXCHANGES = pytest.StashKey[list[str]]()
"""In a worker, lines of exchanges that the controller is to show."""

WORKERS = pytest.StashKey[int]()
"""The number of the last worker that pytest-xdist has started, from 0."""
