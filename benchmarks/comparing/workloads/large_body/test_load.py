"""A response of 100 KB, in one group, with one check of its length."""

import pytest


@pytest.mark.scenario
async def test_large(vu):
    """Read a large page."""
    with vu.group("large"):
        response = await vu.http.get("/large")
        vu.check(response, {"has 100 KB": lambda r: len(r.content) == 102_400})
