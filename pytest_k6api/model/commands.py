"""Commands to a running load test: one value from the control API to an executor.

The API decodes a request body into a `Command`, the load test's loop executes
it, and the executor that it concerns reads it; nothing in between unpacks it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Change of a running load test or of one of its scenarios; None leaves a value as it is.

    Attributes:
        scenario: Name of the scenario to change; None for the load test, whose VUs
            are those of the first scenario that has not ended.
        paused: Pause or resume.
        vus: Active VUs of the whole load test (an instance runs its segment of
            them); of an arrival rate the VUs that exist, busy or not.
        vus_max: VUs that may be used, of the whole load test.
        rate: Iterations per second of an arrival rate, of the whole load test.
        give_back: Names among ``vus`` and ``rate`` that follow the plan again.
        stopped: End the load test; everything else is ignored then.
        whole_session: End the pytest session too.
    """

    scenario: str | None = None
    paused: bool | None = None
    vus: int | None = None
    vus_max: int | None = None
    rate: float | None = None
    give_back: frozenset[str] = frozenset()
    stopped: bool = False
    whole_session: bool = False

    @property
    def changes_vus(self) -> bool:
        """Whether it sets a number of VUs."""
        return self.vus is not None or self.vus_max is not None

    @property
    def changes_load(self) -> bool:
        """Whether an executor has to carry out a part of it: VUs or a rate."""
        return self.changes_vus or self.rate is not None or bool(self.give_back)
