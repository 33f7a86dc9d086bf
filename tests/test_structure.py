"""The shape of the package: short modules and functions, telling names, front doors, no import cycle."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import grimp
import pytest

import pytest_k6api

PACKAGE = Path(pytest_k6api.__path__[0])
TESTS = Path(__file__).parent
TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))
}
FOLDERS = sorted({path.parent for path in TREES})

MOST_MODULES = 13
MOST_LINES = 400
LONGEST_FUNCTION = 45
LONGEST_HOT_FUNCTION = 60
# Functions of the hot path, where a call costs more than a long body: three at most.
HOT = {
    "protocols/http/client/client.py": {"_round_trip"},
    "protocols/http/h1/connection.py": {"run"},
    "protocols/http/h2/exchange.py": {"run"},
}
# Front doors beside the packages: the tables of metrics, hooks and settings, how modules
# are imported late, and how threads switch.
TABLES = {
    "pytest_k6api.late_imports",
    "pytest_k6api.model.metrics",
    "pytest_k6api.plugin.hooks.hookspecs",
    "pytest_k6api.plugin.settings.sources.settings_table",
    "pytest_k6api.quick_switches",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


@pytest.mark.parametrize("module", TREES, ids=name_of)
def test_a_module_is_short_and_named_after_its_content(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert module.stem not in {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("module", TREES, ids=name_of)
def test_functions_are_short_except_for_three_of_the_hot_path(module: Path) -> None:
    hot = HOT.get(str(module.relative_to(PACKAGE)), set())

    long = {
        name: lines
        for name, lines in functions(TREES[module])
        if lines > (LONGEST_HOT_FUNCTION if name in hot else LONGEST_FUNCTION)
    }

    assert long == {}
    assert sum(map(len, HOT.values())) <= 3


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each function with its lines, without decorators and docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            first = (node.body[0].end_lineno if documented else node.lineno) or 0
            yield node.name, (node.end_lineno or 0) - first


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_has_few_modules_and_says_in_a_sentence_what_is_inside(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]

    assert len(modules) <= MOST_MODULES
    assert (ast.get_docstring(TREES[folder / "__init__.py"]) or "").partition("\n")[0].endswith(".")


def test_no_two_public_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert [name for name, count in names.items() if count > 1] == []


def test_no_import_cycle_not_even_in_functions_or_for_typing() -> None:
    graph = grimp.build_graph("pytest_k6api", cache_dir=None)

    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    TopologicalSorter(imports).prepare()  # raises CycleError with the cycle


def test_packages_use_each_other_through_front_doors() -> None:
    around: dict[str, set[str]] = defaultdict(set)
    for path, tree in TREES.items():
        # The package itself hands on names from where they are made.
        if path.parent != PACKAGE:
            room = path.relative_to(PACKAGE).parts[0]
            around[name_of(path)] |= set(past_front_doors(tree, f"pytest_k6api.{room}"))

    assert {path: names for path, names in around.items() if names} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_front_door_has_every_name_that_it_lists(folder: Path) -> None:
    # Late names are written down twice: for type checkers, and for the import.
    module = ".".join(folder.relative_to(PACKAGE.parent).parts)

    missing = [name for name in front_door(module) if not hasattr(import_module(module), name)]

    assert missing == []


def test_tests_use_front_doors_and_what_lies_beside_them() -> None:
    # A test in tests/metrics may import modules of the package `metrics`, and of no other.
    around: dict[str, set[str]] = defaultdict(set)
    for path in sorted(TESTS.rglob("*.py")):
        room = f"pytest_k6api.{path.relative_to(TESTS).parts[0]}"
        names = past_front_doors(ast.parse(path.read_text(encoding="utf-8")), room)
        around[str(path.relative_to(TESTS))] |= set(names)

    assert {path: names for path, names in around.items() if names} == {}


def past_front_doors(tree: ast.Module, room: str) -> Iterator[str]:
    """Yield the names that are imported from outside of `room`, and that no package lists."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        is_ours = node.module.split(".")[0] == "pytest_k6api" and node.module not in TABLES
        if is_ours and not f"{node.module}.".startswith(f"{room}."):
            listed = front_door(node.module)
            names = [f"{node.module}.{each.name}" for each in node.names if each.name not in listed]
            yield from (name for name in names if name not in TABLES)


def front_door(module: str) -> set[str]:
    """Return the names that the package `module` lists; none for a module of a package."""
    tree = TREES.get(PACKAGE.parent.joinpath(*module.split("."), "__init__.py"))
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()
