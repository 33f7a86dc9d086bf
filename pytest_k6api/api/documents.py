"""Documents of the API's replies: their types, and functions that make them from snapshots.

Each type is a `msgspec.Struct`, which is its JSON schema (``openapi.py``) and its
encoder at once. Order and spelling of k6's members are k6's.

Pure. Source: k6 v1.1.0, ``api/v1/*.go``.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, convert, field

from pytest_k6api.api.ports import LoadTestPort
from pytest_k6api.metrics import (
    GroupSnapshot,
    MetricSnapshot,
    ThresholdSnapshot,
    TimelineDocument,
)
from pytest_k6api.model import (
    Contains,
    MetricKind,
    RunStatus,
    ScenarioSnapshot,
    ScenarioState,
    StatusSnapshot,
    path_id,
)
from pytest_k6api.vu import Failure, FailureKind

Data = TypeVar("Data")


class Meta(Struct, frozen=True, omit_defaults=True):
    """Remarks about an answer: a command that waits, an event loop that is blocked."""

    delivery: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    unresponsive: float | UnsetType = UNSET


class Document(Struct, Generic[Data], frozen=True):
    """An answer: its data, and remarks about the answer itself."""

    data: Data
    meta: Meta | UnsetType = UNSET


class ErrorItem(Struct, frozen=True):
    """One error; `status` is the HTTP status as text."""

    status: str
    title: str
    detail: str


class ErrorDocument(Struct, frozen=True):
    """The answer to a refused request; always exactly one error."""

    errors: list[ErrorItem]


class StatusAttributes(Struct, frozen=True, rename="kebab"):
    """The state of a load test; `status` is k6's number of its phase."""

    status: RunStatus
    paused: bool
    vus: int
    vus_max: int
    stopped: bool
    running: bool
    tainted: bool


class StatusData(Struct, frozen=True, tag_field="type", tag="status"):
    """The state of a load test."""

    id: Literal["default"]
    attributes: StatusAttributes


class MetricAttributes(Struct, frozen=True):
    """A metric's numbers; times in milliseconds, numbers that are not finite as null."""

    type: MetricKind
    contains: Contains
    tainted: bool | None
    sample: dict[str, float | None]


class MetricData(Struct, frozen=True, tag_field="type", tag="metrics"):
    """A metric or a sub-metric."""

    id: str
    attributes: MetricAttributes


class CheckItem(Struct, frozen=True):
    """A check and how often it passed and failed."""

    id: str
    path: str
    name: str
    passes: int
    fails: int


class GroupAttributes(Struct, frozen=True):
    """A group's name and its checks; null stands for no checks."""

    path: str
    name: str
    checks: list[CheckItem] | None


class GroupLink(Struct, frozen=True, tag_field="type", tag="groups"):
    """A reference to a group."""

    id: str


class ChildGroups(Struct, frozen=True):
    """The groups directly inside a group."""

    data: list[GroupLink]


class ParentGroup(Struct, frozen=True):
    """The group around a group; null for the root."""

    data: GroupLink | None


class GroupRelationships(Struct, frozen=True):
    """Parent and children of a group."""

    groups: ChildGroups
    parent: ParentGroup


class GroupData(Struct, frozen=True, tag_field="type", tag="groups"):
    """A group."""

    id: str
    attributes: GroupAttributes
    relationships: GroupRelationships


class SetupAttributes(Struct, frozen=True):
    """The setup data, any JSON; absent if there is none."""

    data: Raw | UnsetType = UNSET


class SetupData(Struct, frozen=True, tag_field="type", tag="setupData"):
    """The setup data."""

    id: Literal["default"]
    attributes: SetupAttributes


class ScenarioAttributes(Struct, frozen=True, rename="kebab"):
    """A scenario at this moment."""

    executor: str
    state: ScenarioState
    progress: float | None
    vus: int
    vus_max: int
    iterations: int
    interrupted: int
    dropped: int
    rate: float | None
    overrides: dict[str, float]


class ScenarioData(Struct, frozen=True, tag_field="type", tag="scenarios"):
    """A scenario."""

    id: str
    attributes: ScenarioAttributes


class ThresholdAttributes(Struct, frozen=True, rename="kebab"):
    """A threshold and its last evaluation; `ok` is null before the first."""

    metric: str
    source: str = field(name="expression")
    window: str
    ok: bool | None
    observed: float | None
    samples: int
    abort_on_fail: bool
    crossed_at: float | None


class ThresholdData(Struct, frozen=True, tag_field="type", tag="thresholds"):
    """A threshold."""

    id: str
    attributes: ThresholdAttributes


class FailureAttributes(Struct, frozen=True, rename="kebab"):
    """Failures that are alike, counted; times in seconds of the test run."""

    kind: FailureKind
    scenario: str
    message: str
    location: str = field(name="place")
    count: int
    share: float | None
    first_at: float
    last_at: float
    workers: tuple[str, ...]
    details: str


class FailureData(Struct, frozen=True, tag_field="type", tag="failures"):
    """A group of like failures."""

    id: str
    attributes: FailureAttributes


class LoadTestAttributes(Struct, frozen=True, rename="kebab"):
    """A load test of the session; times in seconds since the epoch."""

    name: str
    outcome: str | None
    status: RunStatus
    running: bool
    started_at: float | None
    ended_at: float | None
    elapsed: float
    current: bool


class LoadTestData(Struct, frozen=True, tag_field="type", tag="tests"):
    """A load test of the session."""

    id: str
    attributes: LoadTestAttributes


class LiveReportData(Struct, frozen=True, tag_field="type", tag="reports"):
    """All that a page shows of a load test, but for its timeline."""

    id: str
    attributes: dict[str, Any]  # JSON; the documentation says what it looks like


class LiveTimelineData(Struct, frozen=True, tag_field="type", tag="timelines"):
    """The last points of a load test's timeline."""

    id: str
    attributes: TimelineDocument


def encode(document: object) -> bytes:
    """Return `document` as JSON: compact, in UTF-8, numbers that are not finite as null."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8. JSON can escape it, and a reader gets the rest.
        escaped = json.dumps(msgspec.to_builtins(document))
        finite = json.loads(escaped, parse_constant=lambda _: None)
        return json.dumps(finite, separators=(",", ":")).encode()


def error_document(status: int, title: str, detail: str) -> ErrorDocument:
    """Return k6's error document; it has exactly one error."""
    return ErrorDocument([ErrorItem(str(status), title, detail)])


def status_data(status: StatusSnapshot) -> StatusData:
    """Return `status` in k6's form."""
    return StatusData("default", convert(status, StatusAttributes, from_attributes=True))


def metric_data(metric: MetricSnapshot, stats: Sequence[str] = ()) -> MetricData:
    """Return `metric` in k6's form.

    Args:
        metric: The metric with its statistics.
        stats: The statistics to show instead of k6's fixed ones; those that `metric`
            does not have are left out.
    """
    known = {**metric.extra, **metric.sample} if stats else metric.sample
    names = sorted(known.keys() & set(stats) if stats else known)
    sample: dict[str, float | None] = {name: known[name] for name in names}
    return MetricData(
        metric.id, MetricAttributes(metric.kind, metric.contains, metric.tainted, sample)
    )


def groups_data(root: GroupSnapshot) -> Iterator[GroupData]:
    """Yield `root` and all groups below it, parents first."""
    parents: dict[str, str] = {}
    for group in root.walk():
        parents.update((inner.id, group.id) for inner in group.groups)
        yield _group_data(group, parents.get(group.id))


def _group_data(group: GroupSnapshot, parent: str | None) -> GroupData:
    checks = convert(group.checks, list[CheckItem], from_attributes=True)
    return GroupData(
        group.id,
        GroupAttributes(group.path, group.name, checks or None),
        GroupRelationships(
            ChildGroups([GroupLink(inner.id) for inner in group.groups]),
            ParentGroup(GroupLink(parent) if parent else None),
        ),
    )


def setup_data(text: str | None) -> SetupData:
    """Return the setup data `text`, which is JSON; None for no data."""
    # A lone surrogate can only stand in a string, where JSON has an escape for it.
    data = UNSET if text is None else Raw(text.encode("utf-8", "backslashreplace"))
    return SetupData("default", SetupAttributes(data))


def scenario_data(scenario: ScenarioSnapshot) -> ScenarioData:
    """Return `scenario` as a document's data."""
    attributes = convert(scenario, ScenarioAttributes, from_attributes=True)
    return ScenarioData(scenario.name, attributes)


def threshold_data(threshold: ThresholdSnapshot) -> ThresholdData:
    """Return `threshold` as a document's data."""
    return ThresholdData(
        f"{threshold.metric}: {threshold.text}",
        convert(threshold, ThresholdAttributes, from_attributes=True),
    )


def failure_data(failure: Failure) -> FailureData:
    """Return `failure` as a document's data; the id is made of its kind, location and message.

    A request has no location; its scenario takes that part of the id.
    """
    return FailureData(
        path_id(f"{failure.kind.value}::{failure.location or failure.scenario}::{failure.message}"),
        convert(failure, FailureAttributes, from_attributes=True),
    )


def load_test_data(
    load_test: LoadTestPort, status: StatusSnapshot, *, is_current: bool
) -> LoadTestData:
    """Return `load_test` as a document's data; `status` is its status."""
    return LoadTestData(
        load_test.id,
        LoadTestAttributes(
            name=load_test.name,
            outcome=load_test.outcome,
            status=status.status,
            running=status.running,
            started_at=load_test.started_at,
            ended_at=load_test.ended_at,
            elapsed=status.elapsed,
            current=is_current,
        ),
    )


JsonObject = dict[str, Any]
"""A JSON object whose members are not described here."""
