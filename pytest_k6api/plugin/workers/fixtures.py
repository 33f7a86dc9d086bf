"""Fixtures of a load test that runs on workers: set up once, in the controller, or on each worker.

    fixture                                            set up
    -------------------------------------------------  -----------------------------------
    its value is data (see `travelling`)               once; the value travels
    it is named by ``worker_fixtures``                 on each worker
    a VU fixture                                       by each VU, on the workers
    of pytest or an installed plugin, and no data,     on each worker
    or None
    any other                                          once; its value stays

A value that stays serves the fixtures that are made of it. A scenario or VU fixture that
asks for it is refused, before any load is sent.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_k6api.distributed import Prepare
from pytest_k6api.model import OptionError
from pytest_k6api.plugin.collection.marker_layers import did_you_mean
from pytest_k6api.plugin.collection.per_vu import PER_VU_NAMES
from pytest_k6api.plugin.workers.travelling import StaysHomeError, pack_value, unpack_value
from pytest_k6api.run import UserCode
from pytest_k6api.vu import UserFunction, VUFixture


@dataclass(frozen=True, slots=True)
class SortedFixtures:
    """The fixtures of one load test, by where they are set up.

    Attributes:
        values: The packed values of those that travel, by name.
        withheld: Names of those whose values stay in the controller.
    """

    values: Mapping[str, bytes]
    withheld: tuple[str, ...]


def sort_fixtures(
    item: pytest.Function, code: UserCode, on_workers: Iterable[str]
) -> SortedFixtures:
    """Return where the fixtures of `item`, which are set up, belong.

    Args:
        item: The load test.
        code: Its functions, with the values that they ask for.
        on_workers: Names of fixtures that each worker sets up.

    Raises:
        OptionError: Code that runs on workers asks for a value that stays, or `on_workers` names
            what is no fixture.
    """
    own = frozenset(on_workers)
    _check_names(item, own)
    values: dict[str, bytes] = {}
    withheld = []
    for name, value in item.funcargs.items():
        if name in own or name in PER_VU_NAMES or isinstance(value, VUFixture):
            continue
        is_tool = _is_installed(item, name)
        try:
            packed = pack_value(value)
        except StaysHomeError:
            if not is_tool:
                withheld.append(name)
        else:
            if value is not None or not is_tool:
                values[name] = packed
    _refuse(item, code, own, withheld)
    return SortedFixtures(values, tuple(withheld))


def _check_names(item: pytest.Function, on_workers: Iterable[str]) -> None:
    for name in on_workers:
        if item.session._fixturemanager.getfixturedefs(name, item) is None:
            hint = did_you_mean(name, item.fixturenames).removesuffix(";")
            raise OptionError(f"worker_fixtures names {name!r}, which is no fixture{hint}")


def _is_installed(item: pytest.Function, name: str) -> bool:
    definitions = item._fixtureinfo.name2fixturedefs.get(name, ())
    if not definitions:
        return True  # pytest's own ``request``
    path = inspect.getsourcefile(inspect.unwrap(definitions[-1].func)) or ""
    is_ours = definitions[-1].func.__module__.startswith("pytest_k6api.")
    return "site-packages" in Path(path).parts and not is_ours


def _refuse(
    item: pytest.Function, code: UserCode, own: frozenset[str], withheld: Iterable[str]
) -> None:
    stays = frozenset(withheld)
    for who, function in code.scenarios.items():
        for name, value in _asked(function):
            if name in stays:
                raise OptionError(_advice(who, name, value))
    definitions = item._fixtureinfo.name2fixturedefs
    for who in sorted(own & definitions.keys()):
        for name in definitions[who][-1].argnames:
            if name in stays and name != "request":
                raise OptionError(_advice(f"the fixture {who}", name, item.funcargs[name]))


def _asked(function: UserFunction) -> Iterator[tuple[str, object]]:
    for name, value in function.values.items():
        yield name, value
        if isinstance(value, VUFixture):
            yield from _asked(value.function)


def _advice(who: str, name: str, value: object) -> str:
    return (
        f"{who} asks for the fixture {name}, whose value ({type(value).__name__}) is more than data"
        " and cannot be sent to the workers of --k6-workers; ask for what it takes of it, such as a"
        " URL, in a fixture that returns that, or have each worker set it up with"
        f" @pytest.mark.scenario(worker_fixtures=[{name!r}])"
    )


class Withheld:
    """Stands on a worker for a value that is in the controller."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        raise AttributeError(f"{self!r} has no {attribute} here")

    def __repr__(self) -> str:
        return f"<the value of the fixture {self._name} in the controller of the workers>"


class TravelledFixtures:
    """On a worker: the fixtures of the load test that it sets up."""

    def __init__(self) -> None:
        self._values: Mapping[str, bytes] = {}
        self._withheld: frozenset[str] = frozenset()

    def take(self, order: Prepare) -> None:
        """Take the values that came with `order`."""
        self._values = order.values
        self._withheld = frozenset(order.withheld)

    @contextmanager
    def in_place_of(self, definition: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Let `definition` return what came, instead of setting its fixture up."""
        name = definition.argname
        if name in self._values:
            value = unpack_value(self._values[name])
        elif name in self._withheld:
            value = Withheld(name)
        else:
            yield
            return
        function = definition.func
        definition.func = lambda **_: value  # type: ignore[misc]  # final, but for a moment
        try:
            yield
        finally:
            definition.func = function  # type: ignore[misc]
