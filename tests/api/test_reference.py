"""The reference of the REST API leaves no route out."""

from pathlib import Path

import pytest

from pytest_k6api.api.reply import Route
from pytest_k6api.api.routes import ROUTES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest-api.md"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_in_the_reference(route: Route) -> None:
    path = route.path.replace("...", "")

    assert f"`{route.method} {path}`" in PAGE.read_text(encoding="utf-8")
