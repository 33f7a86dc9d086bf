"""The interpreter for a thread, soon after it asks for it.

A load test that uses all of a core gives the interpreter back only to a thread that has waited
for the switch interval, 5 ms, without seeing it free. Its loop lets go of it for some
microseconds in each of its turns, and each time the wait begins anew: it may last for
hundreds of turns. So the interval has to be shorter than a turn
(``benchmarks/commands.py`` has the figures).

Not always: threads that compute, such as those of synchronous scenarios, would then
lose time by switching among each other.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_QUICK: Final = 0.00001


@contextmanager
def quick_switches() -> Iterator[None]:
    """Let waiting threads have the interpreter at once, inside of the block."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_QUICK)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
