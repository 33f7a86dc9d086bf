"""Imports at the moment when they are needed: at the first load test, at its end, or never.

A suite without load tests pays for no module of a load test, and a load test waits for no
report (``benchmarks/startup.py`` has the figures). Front doors of packages have late
names; hooks import what they delegate to.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module


def late_names(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package whose names are imported when they are first used.

    Args:
        package: The package's ``__name__``.
        homes: The names by the module that has them, ``.module`` below the package.
    """
    modules = {name: module for module, names in homes.items() for name in names}

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name], package), name)

    return get


@contextmanager
def importing() -> Iterator[None]:
    """Pause the garbage collector of the process, unless it is switched off anyway.

    The objects of modules stay; looking at each of them again and again took 25 of the
    400 ms until a first request.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
