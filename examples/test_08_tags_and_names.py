"""Tags say where a number comes from; `name=` keeps a thousand URLs one thing.

Without a name every product's page is a series of its own: memory grows, and no
threshold can speak of «the product page».
"""

import pytest


@pytest.mark.scenario(
    vus=5,
    duration="2s",
    tags={"team": "catalogue"},
    thresholds={
        "http_req_duration{name:/products/{id}}": ["p(95)<1000"],
        "http_req_duration{team:catalogue}": ["p(95)<1000"],
        "http_reqs{customer:returning}": ["count>0"],
        "http_reqs{step:first}": ["count>0"],
    },
)
async def test_browse_products(vu):
    vu.tags["customer"] = "returning" if vu.iteration else "new"

    await vu.http.get("/products", tags={"step": "first"})
    number = vu.random.randint(1, 5)
    await vu.http.get(f"/products/{number}", name="/products/{id}", tags={"step": "second"})
    await vu.sleep(0.1)
