"""The types of the documents that the API answers with, k6's and ours.

Each is a `TypedDict`, so the type checker sees every member and the OpenAPI
description is made from the same types (``openapi.py``).

Source: k6 v1.1.0, ``api/v1/*.go``.
"""

from collections.abc import Mapping
from typing import Generic, Literal, NotRequired, TypedDict, TypeVar

Data = TypeVar("Data")


class Document(TypedDict, Generic[Data]):
    """What every answer is: its data, and what is to be said about the answer itself."""

    data: Data
    meta: NotRequired["Meta"]


class Meta(TypedDict, total=False):
    """What is to be said about an answer."""

    delivery: str
    detail: str
    unresponsive: float


class ErrorItem(TypedDict):
    """One error; `status` is the HTTP status as text."""

    status: str
    title: str
    detail: str


class ErrorDocument(TypedDict):
    """What a refused request is answered; always exactly one error."""

    errors: list[ErrorItem]


StatusAttributes = TypedDict(
    "StatusAttributes",
    {
        "status": int,
        "paused": bool,
        "vus": int,
        "vus-max": int,
        "stopped": bool,
        "running": bool,
        "tainted": bool,
    },
)
"""The state of a load test; `status` is k6's number for where it is in its life."""


class StatusData(TypedDict):
    """The state of a load test."""

    type: Literal["status"]
    id: Literal["default"]
    attributes: StatusAttributes


class MetricAttributes(TypedDict):
    """A metric's numbers; times in milliseconds."""

    type: Literal["counter", "gauge", "rate", "trend"]
    contains: Literal["default", "time", "data"]
    tainted: bool | None
    sample: Mapping[str, float | None]


class MetricData(TypedDict):
    """A metric or a sub-metric."""

    type: Literal["metrics"]
    id: str
    attributes: MetricAttributes


class CheckItem(TypedDict):
    """A check and how often it passed and failed."""

    id: str
    path: str
    name: str
    passes: int
    fails: int


class GroupAttributes(TypedDict):
    """A group's name and its checks; None stands for no checks."""

    path: str
    name: str
    checks: list[CheckItem] | None


class GroupLink(TypedDict):
    """A reference to a group."""

    type: Literal["groups"]
    id: str


class ChildGroups(TypedDict):
    """The groups directly inside a group."""

    data: list[GroupLink]


class ParentGroup(TypedDict):
    """The group around a group; None for the root."""

    data: GroupLink | None


class GroupRelationships(TypedDict):
    """Where a group stands among the others."""

    groups: ChildGroups
    parent: ParentGroup


class GroupData(TypedDict):
    """A group."""

    type: Literal["groups"]
    id: str
    attributes: GroupAttributes
    relationships: GroupRelationships


class SetupAttributes(TypedDict, total=False):
    """The setup data, any JSON; absent if there is none."""

    data: object


class SetupData(TypedDict):
    """What setup returned."""

    type: Literal["setupData"]
    id: Literal["default"]
    attributes: SetupAttributes


ScenarioAttributes = TypedDict(
    "ScenarioAttributes",
    {
        "executor": str,
        "state": str,
        "progress": float | None,
        "vus": int,
        "vus-max": int,
        "iterations": int,
        "interrupted": int,
        "dropped": int,
        "rate": float | None,
        "overrides": Mapping[str, float],
    },
)
"""A scenario at this moment."""


class ScenarioData(TypedDict):
    """A scenario."""

    type: Literal["scenarios"]
    id: str
    attributes: ScenarioAttributes


ThresholdAttributes = TypedDict(
    "ThresholdAttributes",
    {
        "metric": str,
        "expression": str,
        "window": str,
        "ok": bool | None,
        "observed": float | None,
        "samples": int,
        "abort-on-fail": bool,
        "crossed-at": float | None,
    },
)
"""A threshold and how its last evaluation went; `ok` is None before the first."""


class ThresholdData(TypedDict):
    """A threshold."""

    type: Literal["thresholds"]
    id: str
    attributes: ThresholdAttributes


FailureAttributes = TypedDict(
    "FailureAttributes",
    {
        "kind": str,
        "scenario": str,
        "message": str,
        "place": str,
        "count": int,
        "first-at": float,
        "last-at": float,
        "details": str,
    },
)
"""Failures that are alike, counted; times in seconds of the test run."""


class FailureData(TypedDict):
    """A group of like failures."""

    type: Literal["failures"]
    id: str
    attributes: FailureAttributes


LoadTestAttributes = TypedDict(
    "LoadTestAttributes",
    {
        "name": str,
        "outcome": str | None,
        "status": int,
        "running": bool,
        "started-at": float | None,
        "ended-at": float | None,
        "elapsed": float,
        "current": bool,
    },
)
"""A load test of the session; times in seconds since the epoch."""


class LoadTestData(TypedDict):
    """A load test of the session."""

    type: Literal["tests"]
    id: str
    attributes: LoadTestAttributes
