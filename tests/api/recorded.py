"""The recorded exchanges of k6 v1.1.0, and fake load tests in the state of each."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_k6api.metrics import CheckSnapshot, GroupSnapshot, MetricSnapshot
from pytest_k6api.model import Contains, ControlError, MetricKind, RunStatus
from tests.api.fake import FakeLoadTest

FILE = Path(__file__).parent.parent / "data" / "k6" / "exchanges.jsonl"

OWN_WORDS = {"Invalid data", "Error parsing request body"}
"""Titles of errors whose details are not k6's, which are Go's, but say what to write."""

# What a JSON reader gives for a document whose shape the file promises.
Json = Any


@dataclass(frozen=True)
class Exchange:
    """One request to k6 and its reply; `before` is what the load test was like.

    k6 ran `script`, with `args` on its command line and `env` in its environment.
    """

    name: str
    phase: str
    script: str
    args: tuple[str, ...]
    env: Json
    request: Json
    response: Json
    before: Json

    @property
    def document(self) -> Json:
        """The reply's body as JSON; None if it is none."""
        try:
            return json.loads(self.response["body"] or "null")
        except ValueError:
            return None

    def load_test(self) -> FakeLoadTest:
        """Return a fake in the state in which k6 was asked."""
        before = self.before
        phase = before.get("status", self.phase)
        vus_max = before.get("vus_max", 5)
        fake = FakeLoadTest(self.phase, vus=before.get("vus", 2), vus_max=vus_max)
        if isinstance(phase, int):
            fake.phase = RunStatus(phase)
        for name in ("paused", "stopped", "tainted", "setup_data", "waiting"):
            if name in before:
                setattr(fake, name, before[name])
        fake.setup = self._set_up
        self._measure(fake)
        return fake

    def _set_up(self) -> str | None:
        if "setup_error" in self.before:
            raise ControlError("Error executing setup", self.before["setup_error"], status=500)
        found: str | None = self.before.get("setup")
        return found

    def _measure(self, fake: FakeLoadTest) -> None:
        data = self.document.get("data") if isinstance(self.document, dict) else None
        items = data if isinstance(data, list) else [data] if data else []
        metrics = [_metric(item) for item in items if item["type"] == "metrics"]
        fake.metrics = {metric.id: metric for metric in metrics}
        groups = [item for item in items if item["type"] == "groups"]
        if groups:
            fake.root = _tree(groups)


def load_exchanges() -> list[Exchange]:
    """Return all recorded exchanges."""
    records = map(json.loads, FILE.read_text(encoding="utf-8").splitlines())
    return [
        Exchange(**{**record, "args": tuple(record["args"]), "before": record.get("before", {})})
        for record in records
    ]


def _metric(item: Json) -> MetricSnapshot:
    attributes = item["attributes"]
    return MetricSnapshot(
        id=item["id"],
        name=item["id"].partition("{")[0],
        kind=MetricKind(attributes["type"]),
        contains=Contains(attributes["contains"]),
        sample={name: float(value) for name, value in attributes["sample"].items()},
        extra={},
        samples=1,
        tainted=attributes["tainted"],
    )


def _tree(groups: list[Json]) -> GroupSnapshot:
    """Rebuild the tree from a flat list; a single group stands below its parent."""
    by_id = {group["id"]: group for group in groups}
    tops = [g for g in groups if _parent(g) not in by_id]
    built = [_group(group, by_id) for group in tops]
    if len(built) == 1 and _parent(tops[0]) is None:
        return built[0]
    parent = GroupSnapshot(id=_parent(tops[0]), path="::", name="", groups=tuple(built))
    return GroupSnapshot(id="root", path="", name="", groups=(parent,))


def _parent(group: Json) -> Json:
    link = group["relationships"]["parent"]["data"]
    return link and link["id"]


def _group(group: Json, by_id: dict[str, Json]) -> GroupSnapshot:
    attributes = group["attributes"]
    links = group["relationships"]["groups"]["data"]
    absent = {"attributes": {"path": "", "name": "", "checks": None}}
    none: Json = {"relationships": {"groups": {"data": []}}}
    children = [by_id.get(link["id"], {"id": link["id"], **absent, **none}) for link in links]
    return GroupSnapshot(
        id=group["id"],
        path=attributes["path"],
        name=attributes["name"],
        checks=tuple(CheckSnapshot(**check) for check in attributes["checks"] or ()),
        groups=tuple(_group(child, by_id) for child in children),
    )


def without_own_words(document: Json) -> Json:
    """Return `document` without the details of errors that are told in words of our own."""
    if not isinstance(document, dict) or "errors" not in document:
        return document
    errors = [
        {**error, "detail": "any"} if error["title"] in OWN_WORDS else error
        for error in document["errors"]
    ]
    return {**document, "errors": errors}
