"""The plan of a load test: options and thresholds, complete and checked, without code or fixture values.

Collection makes it, and every later stage reads it. Imports nothing that only a
running load test needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_k6api.model import LoadTestOptions, ScenarioOptions

if TYPE_CHECKING:
    from pytest_k6api.metrics import Selection, Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestPlan:
    """A load test as planned.

    Attributes:
        name: The pytest node id.
        scenarios: The options of each scenario.
        options: The options of the load test as a whole.
        thresholds: The criteria of its verdict.
        listed: Metrics to show even without samples and thresholds.
        tolerated: Samples whose failures are allowed although no threshold is judged.
        tags: The tags of the session, which samples outside of scenarios have too.
    """

    name: str
    scenarios: Sequence[ScenarioOptions]
    options: LoadTestOptions = field(default_factory=LoadTestOptions)
    thresholds: "Sequence[Threshold]" = ()
    listed: "Sequence[Selection]" = ()
    tolerated: "Sequence[Selection]" = ()
    tags: Mapping[str, str] = field(default_factory=dict)
