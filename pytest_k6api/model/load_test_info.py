"""What hooks and outputs are told about a load test; immutable and public."""

from dataclasses import dataclass

from pytest_k6api.model.options.declarations import ScenarioOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestInfo:
    """A load test, as hooks and outputs of other plugins see it.

    Attributes:
        name: The pytest node id.
        scenarios: The plan of each of its scenarios; durations are seconds.
        base_url: What relative URLs are joined to; empty for nothing.
        address: Where the control API listens; empty if it is off.
    """

    name: str
    scenarios: tuple[ScenarioOptions, ...]
    base_url: str = ""
    address: str = ""
