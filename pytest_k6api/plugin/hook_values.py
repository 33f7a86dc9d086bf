"""What hooks are told about a load test, immutable, and what they give back; public."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_k6api.model import ScenarioOptions

if TYPE_CHECKING:
    from pytest_k6api.metrics import SampleBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestInfo:
    """A load test, as hooks of other plugins see it.

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


class Output(Protocol):
    """Where samples of one load test go; any object with these three methods.

    Source: k6 v1.1.0, ``output/types.go``, ``Output``.
    """

    def start(self) -> None:
        """Get ready: open the file, connect. Called before any load is made."""

    def add(self, batch: "SampleBatch") -> None:
        """Take the samples since the last call, in the metric's unit; never empty.

        Called about 20 times a second, less often when nothing was measured or the
        loop is busy. Virtual users wait for it: what may block belongs into a
        thread of the output's own.
        """

    def stop(self) -> None:
        """Write what is left, and let go of what `start` took.

        Called once, after the last batch, however the load test ended.
        """
