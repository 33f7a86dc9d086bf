"""Frozen time, as by freezegun: the clock of a load test would stand still with it.

Nothing that waits would ever be woken, so the load test would never end.
"""

import sys
from time import CLOCK_MONOTONIC, clock_gettime, perf_counter

from pytest_k6api.model import OptionError
from pytest_k6api.plugin.collection.captured import CapturedScenario
from pytest_k6api.plugin.collection.detection import is_made_by

_INSTEAD = (
    "freeze it in a fixture, for the whole load test, with"
    " freeze_time(..., ignore=['trio', 'pytest_k6api'])"
)
# A clock of a coarse resolution may tell the same a few times.
_READINGS = 1000
_TOLERANCE = 1.0  # seconds


def refuse_freezing(scenario: CapturedScenario) -> None:
    """Refuse a scenario that freezes time at each iteration.

    Raises:
        OptionError: With what would work.
    """
    if is_made_by(scenario.function, "freezegun"):
        raise OptionError(
            f"the scenario {scenario.name} is decorated by freezegun, which would stop the clock of"
            f" the load, too; {_INSTEAD}"
        )


def refuse_standing_clock() -> None:
    """Refuse to run a load test while a fixture or a marker has frozen time, or lets it jump.

    Raises:
        OptionError: With what would work.
    """
    theirs = vars(sys.modules["trio._core._run"]).get("perf_counter", perf_counter)
    for counter in (perf_counter, theirs):
        began = clock_gettime(CLOCK_MONOTONIC)  # which freezegun leaves alone
        readings = [counter() for _ in range(_READINGS)]
        passed = clock_gettime(CLOCK_MONOTONIC) - began
        if len(set(readings)) == 1:
            raise OptionError(
                "time is frozen, and with it the clock of the load, which would never end;"
                f" {_INSTEAD}"
            )
        if readings[-1] - readings[0] > passed + _TOLERANCE:
            raise OptionError(
                "time is moved on by every look at it, and with it the clock of the load, which"
                f" would end at once; {_INSTEAD}"
            )
