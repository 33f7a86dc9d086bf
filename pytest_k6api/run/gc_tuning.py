"""Python's cycle collector while load is made: it looks less often, and not at the suite.

Virtual users make a dozen tuples for each request, none of them part of a cycle, and
the collector goes through the young ones every 700. In the few milliseconds in which
it goes through everything, which pytest and the suite are most of, nobody is served.
A small GET of ``benchmarks/compare.py`` (workload a) took 3 to 4 % fewer instructions so.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 10_000


@contextmanager
def calm_collector() -> Iterator[None]:
    """Collect less often inside, and leave alone what exists already; then as before.

    What the user has chosen stays: a collector that is off, or looks still less often.
    """
    before = gc.get_threshold()
    freezes = gc.isenabled() and not gc.get_freeze_count()
    if freezes:
        gc.freeze()
    if 0 < before[0] < _YOUNG:
        gc.set_threshold(_YOUNG, *before[1:])
    try:
        yield
    finally:
        # Tasks and scopes of a loop that has ended hold each other. Collected at once, they
        # leave no holes between what lasts.
        gc.collect(1)
        gc.set_threshold(*before)
        if freezes:
            gc.unfreeze()
