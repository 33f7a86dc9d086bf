"""The documentation leaves out nothing that it promises to tell."""

from pathlib import Path

import pytest

from pytest_k6api.model import BUILT_IN, Metric

ROOT = Path(__file__).parents[1]
PAGES = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
EXAMPLES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("test_*.py"))


@pytest.mark.parametrize("metric", BUILT_IN, ids=lambda metric: metric.name)
def test_every_built_in_metric_is_in_the_reference(metric: Metric) -> None:
    reference = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")

    assert f"`{metric.name}`" in reference


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_shown_in_the_documentation(example: str) -> None:
    assert f"{{literalinclude}} ../../{example}" in PAGES or (
        f"{{literalinclude}} ../{example}" in PAGES
    )
