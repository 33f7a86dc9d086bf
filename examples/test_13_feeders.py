"""Test data from files and iterables: each row once, in turns, or by chance.

A feeder is declared once, in a module; all virtual users take from the same rows.
"""

import pytest

from pytest_k6api import feeder

customers = feeder("data/customers.csv")  # unique: never the same row twice
orders = feeder("data/searches.jsonl", order="circular")
products = feeder([1, 2, 3, 4, 5], order="random")


@pytest.mark.scenario(vus=5, duration="1m")
async def test_every_customer_comes_once(vu):
    """When the last row has been handed out the load test ends, and has not failed."""
    customer = next(customers)
    login = {"user": customer["user"], "password": "let me in"}
    response = await vu.http.post("/login", json=login, name="login")
    vu.check(response, {"is let in": lambda r: r.status_code == 200})


def test_all_sixty_were_there(k6):
    assert k6.metrics["http_reqs{name:login}"].count == 60


@pytest.mark.scenario(vus=5, iterations=100)
async def test_orders_repeat_and_products_are_drawn(vu):
    """JSON lines keep their types; the draw is the virtual user's own chance."""
    order = next(orders)
    assert order["quantity"] in {1, 2, 6}
    await vu.http.get(f"/products/{order['product']}", name="/products/{id}")
    await vu.http.get(f"/products/{next(products)}", name="/products/{id}")
