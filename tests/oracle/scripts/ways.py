import pytest


@pytest.mark.scenario(iterations=3)
async def test_ways(vu):
    await vu.http.get("http://shop.test/cart")
    await vu.http.post("http://api.shop.test:8080/cart?a=1", content="body")
