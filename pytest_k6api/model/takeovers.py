"""Values with which one instance goes on with the share of another, in the middle of its plan. Pure.

An instance tells now and then how far it has come: `ScenarioProgress`. When it is gone,
its successor gets the last of that, and a `Takeover`, which says what became of the load
test since then. What the lost instance did and had not told counts as not done:

    executor               its successor
    ---------------------  ------------------------------------------------------------
    with a number of       runs all iterations that were not told to have ended, which are
    iterations             those that were under way, and those of the last second
    with an arrival rate   counts what fell due until the loss as interrupted, and what fell
                           due from there to the takeover as dropped
    others                 counts the iterations that were under way as interrupted
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class FormerVU(NamedTuple):
    """A VU of the lost instance.

    Attributes:
        task: Its index among those of its scenario, from 1.
        number: Its number.
        iterations: How many iterations it has ended.
    """

    task: int
    number: int
    iterations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioProgress:
    """How far an instance has come with one scenario.

    Attributes:
        vus: Its VUs.
        busy: How many of them are in the middle of an iteration.
        ended: Where iterations have a number: how many have ended, by the key of
            `IterationSource.ended`.
        next_due: Of an arrival rate: scenario time of the first iteration that was neither
            started nor dropped; infinity after the last.
    """

    vus: tuple[FormerVU, ...] = ()
    busy: int = 0
    ended: Mapping[int, int] = field(default_factory=dict)
    next_due: float = 0.0


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A clock's time, for another one to go on from it.

    Attributes:
        elapsed: Its time at `moment`.
        moment: A moment of the time around it.
        is_stopped: Whether it is stopped, by itself: then the moment means nothing.
    """

    elapsed: float
    moment: float
    is_stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioTakeover:
    """One scenario, as a successor goes on with it.

    Attributes:
        began_at: Test-run time at which it began; None if it has not.
        is_over: Whether the share of it is done.
        clock: Its own time.
        lost_at: Its time at which the instance before was lost.
        vus: VUs that a command has set; None without one.
        vus_max: VUs that it may use.
        rate: The rate that a command has set; None without one.
    """

    began_at: float | None
    is_over: bool
    clock: ClockReading
    lost_at: float
    vus: int | None
    vus_max: int
    rate: float | None

    @property
    def goes_on(self) -> bool:
        """Whether it is under way."""
        return self.began_at is not None and not self.is_over


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """A load test, as a successor goes on with a share of it.

    Attributes:
        is_paused: Whether it is paused.
        scenarios: Its scenarios, by name.
    """

    is_paused: bool
    scenarios: Mapping[str, ScenarioTakeover]
