"""Ten small GETs at once, in one group, with one check."""

import pytest


@pytest.mark.scenario
async def test_visit(vu):
    """Visit the homepage with all that is on it."""
    with vu.group("visit homepage"):
        responses = await vu.http.batch(["/"] * 10, at_once_per_host=10)
        vu.check(responses, {"all are 200": lambda all_: all(r.status_code == 200 for r in all_)})
