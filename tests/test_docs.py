"""The documentation leaves out nothing that it promises to tell."""

import importlib.util
import re
from pathlib import Path

import pytest

import pytest_k6api
from pytest_k6api.model import BUILT_IN, Metric
from pytest_k6api.plugin.hooks import hookspecs
from pytest_k6api.plugin.settings.sources import settings_table

ROOT = Path(__file__).parents[1]
PAGES = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
EXAMPLES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("test_*.py"))


@pytest.mark.parametrize("metric", BUILT_IN, ids=lambda metric: metric.name)
def test_every_built_in_metric_is_in_the_reference(metric: Metric) -> None:
    reference = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")

    assert f"`{metric.name}`" in reference


REFERENCE = "".join(
    (ROOT / "docs/reference" / page).read_text(encoding="utf-8") for page in ("api.md", "hooks.md")
)
# They are run by tests/test_docs_run.py.
SHOWN = "".join(re.findall(r"^```python\n(.*?)^```", REFERENCE, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("name", pytest_k6api.__all__)
def test_every_public_name_is_in_the_reference_with_an_example(name: str) -> None:
    described = re.findall(
        r"^\.\. auto\w+:: pytest_k6api\.(\w+)(?:\(\))?$", REFERENCE, re.MULTILINE
    )

    assert name in described
    assert re.search(rf"\b{name}\b", SHOWN)


@pytest.mark.parametrize("hook", [name for name in dir(hookspecs) if name.startswith("pytest_k6_")])
def test_every_hook_has_an_example_in_the_reference(hook: str) -> None:
    assert f"def {hook}(" in SHOWN


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_shown_in_the_documentation(example: str) -> None:
    assert f"{{literalinclude}} ../../{example}" in PAGES or (
        f"{{literalinclude}} ../{example}" in PAGES
    )


def test_the_documentation_names_no_option_that_is_not_there() -> None:
    flags = {setting.flag for setting in settings_table().values()}
    named = set(re.findall(r"--k6-[a-z0-9-]*[a-z0-9]", PAGES))

    assert named - flags == set()


def _overriding(*, named: bool) -> dict[str, list[str]]:
    spec = importlib.util.spec_from_file_location(
        "overriding", ROOT / "docs/extensions/overriding.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = module.overriding(named=named)
    return {executor: list(outcomes.values()) for executor, outcomes in table.items()}


SMOKE = "1 VU, 1 iteration"
USE_MAX = "no place; use `--k6-max-vus`"
USE_STAGE = "no place; use `--k6-stage`"
LOOP = "makes it `constant-vus`"
SHARE = "makes it `shared-iterations`"


def test_the_reference_tells_what_overriding_does_to_a_scenario_that_names_its_executor() -> None:
    # In this order: --k6-vus, -duration, -iterations, -stage, -rate, -max-vus, -smoke.
    no = "no place"

    table = _overriding(named=True)

    assert table == {
        "shared-iterations": ["sets `vus`", no, "sets `iterations`", no, no, no, SMOKE],
        "per-vu-iterations": ["sets `vus`", no, "sets `iterations`", no, no, no, SMOKE],
        "constant-vus": [
            *("sets `vus`", "sets `duration`", no, "no place; use `--k6-duration`"),
            *(no, "no place; use `--k6-vus`", SMOKE),
        ],
        "ramping-vus": [USE_STAGE, USE_STAGE, no, "sets `stages`", no, USE_STAGE, SMOKE],
        "constant-arrival-rate": [
            *(USE_MAX, "sets `duration`", "no place; use `--k6-rate`", no),
            *("sets `rate`", "sets `max_vus`", SMOKE),
        ],
        "ramping-arrival-rate": [
            *(USE_MAX, USE_STAGE, no, "sets `stages`", USE_STAGE, "sets `max_vus`", SMOKE),
        ],
        "externally-controlled": [
            *("sets `vus`", "sets `duration`", "no place; use `--k6-duration`"),
            *("no place; use `--k6-vus`", no, "sets `max_vus`", SMOKE),
        ],
    }


def test_the_reference_tells_what_overriding_does_to_a_scenario_whose_options_choose() -> None:
    no, ramp = "no place", "makes it `ramping-vus`"

    table = _overriding(named=False)

    assert table == {
        "shared-iterations": ["sets `vus`", LOOP, "sets `iterations`", ramp, no, no, SMOKE],
        "constant-vus": [
            *("sets `vus`", "sets `duration`", SHARE, ramp),
            *("makes it `constant-arrival-rate`", "no place; use `--k6-vus`", SMOKE),
        ],
        "ramping-vus": [USE_STAGE, LOOP, SHARE, "sets `stages`", no, USE_STAGE, SMOKE],
        "constant-arrival-rate": [
            *(USE_MAX, "sets `duration`", SHARE, "makes it `ramping-arrival-rate`"),
            *("sets `rate`", "sets `max_vus`", SMOKE),
        ],
        "ramping-arrival-rate": [
            *(USE_MAX, LOOP, SHARE, "sets `stages`", no, "sets `max_vus`", SMOKE),
        ],
        "(no options)": ["sets `vus`", LOOP, SHARE, ramp, no, no, SMOKE],
    }
