"""A POST of 1 KB of JSON; the JSON that comes back is read."""

import pytest

ITEM = {"name": "x" * 40, "quantity": 3, "price": 12.5, "tags": ["a", "b"]}
ORDER = {"items": [ITEM] * 10}


@pytest.mark.scenario
async def test_order(vu):
    """Order ten things."""
    with vu.group("order"):
        response = await vu.http.post("/json", json=ORDER)
        vu.check(response, {"has 20 items": lambda r: len(r.json()["items"]) == 20})
