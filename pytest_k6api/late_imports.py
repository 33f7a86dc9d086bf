"""Imports of what only a load test needs, when the first one is found.

A suite without load tests does not pay for them. The cyclic garbage collector is paused
meanwhile: the objects of modules stay, and looking at each of them again and again took
25 of the 400 ms until a first request (``benchmarks/startup.py``).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Pause the garbage collector of the process, unless it is switched off anyway."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
