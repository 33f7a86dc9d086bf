"""A connection for every request, with one check."""

import pytest

HEADERS = {"Connection": "close"}


@pytest.mark.scenario
async def test_visit(vu):
    """Visit the homepage as a stranger."""
    response = await vu.http.get("/", headers=HEADERS)
    vu.check(response, {"status is 200": lambda r: r.status_code == 200})
