"""The reference of the REST API leaves no endpoint out."""

from pathlib import Path

import pytest

from pytest_k6api.api.messages import Endpoint
from pytest_k6api.api.server.service import ENDPOINTS

NAMED = [each for each in ENDPOINTS if not each.path.startswith("/v1/tests/{test}/")]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest-api.md"


@pytest.mark.parametrize("endpoint", NAMED, ids=lambda each: f"{each.method} {each.path}")
def test_every_endpoint_is_in_the_reference(endpoint: Endpoint) -> None:
    path = endpoint.path.replace("...", "")

    assert f"`{endpoint.method} {path}`" in PAGE.read_text(encoding="utf-8")
