"""What a load test shows to other threads without being asked."""

from dataclasses import dataclass

from pytest_k6api.metrics import Snapshot
from pytest_k6api.model import ScenarioSnapshot, StatusSnapshot
from pytest_k6api.vu import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What other threads may see at once, without asking the loop."""

    status: StatusSnapshot
    scenarios: tuple[ScenarioSnapshot, ...]
    failures: tuple[Failure, ...]
    snapshot: Snapshot
