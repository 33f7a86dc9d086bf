"""A small GET, in one group, with one check."""

import pytest


@pytest.mark.scenario
async def test_visit(vu):
    """Visit the homepage."""
    with vu.group("visit homepage"):
        response = await vu.http.get("/")
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
