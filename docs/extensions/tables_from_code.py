"""Tables of the reference that are read off the code, so that they cannot be wrong.

A page writes the name of a table, such as ``{scenario-options}``, where it shall stand.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import ClassVar

from docutils import nodes
from overriding import overriding
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pytest_k6api.model import format_duration
from pytest_k6api.model.options.declarations import (
    NEEDS,
    TAKES,
    ExecutorKind,
    LoadTestOptions,
    ScenarioOptions,
    default_of,
    options_of,
)
from pytest_k6api.plugin.settings.sources import settings_table

Row = tuple[str, ...]


def setup(app: Sphinx) -> Mapping[str, bool]:
    """Register the directives."""
    for name, rows in TABLES.items():
        app.add_directive(name, type("Table", (_Table,), {"rows": staticmethod(rows)}))
    return {"parallel_read_safe": True}


class _Table(SphinxDirective):
    rows: ClassVar[Callable[[], Iterable[Row]]]

    def run(self) -> list[nodes.Node]:
        head, *body = type(self).rows()
        lines = [head, tuple("---" for _ in head), *body]
        text = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
        return self.parse_text_to_nodes(text)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _scenario_options() -> Iterable[Row]:
    yield "Option", "Meaning", "Default", "Executors"
    for name, entry in options_of(ScenarioOptions).items():
        takers = [kind.value for kind, names in TAKES.items() if name in names]
        executors = "all" if len(takers) == len(TAKES) or not takers else ", ".join(takers)
        yield _code(name), entry.metadata["about"], _default(name, default_of(entry)), executors


def _load_test_options() -> Iterable[Row]:
    yield "Option", "Meaning", "Default"
    for name, entry in options_of(LoadTestOptions).items():
        yield _code(name), entry.metadata["about"], _default(name, default_of(entry))


def _executors() -> Iterable[Row]:
    yield "Executor", "Needs", "Takes beside what all take"
    common = frozenset.intersection(*TAKES.values())
    for kind, names in TAKES.items():
        needs = NEEDS[kind]
        takes = sorted(names - common - set(needs))
        yield _code(kind.value), ", ".join(map(_code, needs)), ", ".join(map(_code, takes))


def _settings() -> Iterable[Row]:
    yield "Command line", "ini file", "Environment", "Meaning"
    for setting in settings_table().values():
        flag = f"{setting.flag}={setting.metavar}" if setting.metavar else setting.flag
        also = f" (k6: {_code(setting.k6_variable)})" if setting.k6_variable else ""
        yield _code(flag), _code(setting.ini), _code(setting.variable) + also, setting.about


def _overrides(*, named: bool) -> Iterable[Row]:
    table = overriding(named=named)
    flags = [*next(iter(table.values()))]
    yield "", *map(_code, flags)
    for executor, outcomes in table.items():
        yield f"**{executor}**", *(outcomes[flag] for flag in flags)


def _executor_options(kind: ExecutorKind) -> Iterable[Row]:
    yield "Option", "Meaning", "Default"
    known = options_of(ScenarioOptions)
    own = (name for name in known if name in TAKES[kind] - _COMMON)
    for name in dict.fromkeys([*NEEDS[kind], *own]):
        written = DEFAULTS.get((kind, name)) or _default(name, default_of(known[name])) or "`0`"
        about = known[name].metadata["about"]
        yield _code(name), about, "needed" if name in NEEDS[kind] else written


def _default(name: str, value: object) -> str:
    if name in SECONDS and isinstance(value, float):
        return _code(format_duration(value)) if value else ""
    return _code(str(getattr(value, "value", value))) if value else ""


SECONDS = {
    name
    for kind in (ScenarioOptions, LoadTestOptions)
    for name, entry in options_of(kind).items()
    if name.endswith(("duration", "time", "timeout", "stop", "down", "unit"))
}

_COMMON = frozenset.intersection(*TAKES.values()) | {"graceful_stop"}

# Where the default of one executor is another option, or not that of the others.
DEFAULTS = {
    (ExecutorKind.CONSTANT_ARRIVAL_RATE, "max_vus"): "as `pre_allocated_vus`",
    (ExecutorKind.RAMPING_ARRIVAL_RATE, "max_vus"): "as `pre_allocated_vus`",
    (ExecutorKind.EXTERNALLY_CONTROLLED, "vus"): "`0`",
    (ExecutorKind.EXTERNALLY_CONTROLLED, "max_vus"): "as `vus`",
}

TABLES: Mapping[str, Callable[[], Iterable[Row]]] = {
    "scenario-options": _scenario_options,
    "load-test-options": _load_test_options,
    "executors": _executors,
    "settings": _settings,
    "overrides-of-shortcuts": partial(_overrides, named=False),
    "overrides-of-named": partial(_overrides, named=True),
    **{f"options-of-{kind.value}": partial(_executor_options, kind) for kind in ExecutorKind},
}
