"""The shape of the package: short modules, telling names, no import cycle anywhere."""

from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import pytest_k6api

MODULES = sorted(Path(pytest_k6api.__path__[0]).rglob("*.py"))


@pytest.mark.parametrize(
    "module", MODULES, ids=lambda path: str(path.relative_to(MODULES[0].parent))
)
def test_a_module_is_short_and_named_after_what_it_is_for(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 400
    assert module.stem not in {"utils", "helpers", "common", "misc"}


def test_no_import_cycle_not_even_in_functions_or_for_typing() -> None:
    graph = grimp.build_graph("pytest_k6api", cache_dir=None)

    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    TopologicalSorter(imports).prepare()  # raises CycleError with the cycle
