"""Metrics of one's own: declared once in a module, fed in any virtual user.

They are summed up, tagged, exported and judged by thresholds as the built-in ones are.
"""

import pytest

from pytest_k6api import Counter, Gauge, Rate, Trend

queue_time = Trend("queue_time", contains="time")  # milliseconds
thinking = Trend("thinking", contains="time")
revenue = Counter("revenue")
last_order = Gauge("last_order")
big_spenders = Rate("big_spenders")


@pytest.mark.scenario(
    vus=5,
    iterations=100,
    thresholds={
        "queue_time": ["p(95)<100"],
        "queue_time{basket:big}": ["max<500"],
        "revenue": ["count>1000"],
        "big_spenders": ["rate>0.1", "rate<0.9"],
    },
)
async def test_checkout(vu):
    customer = {"user": f"customer-{vu.id}", "password": "let me in"}
    login = await vu.http.post("/login", json=customer)
    headers = {"Authorization": f"Bearer {login.json()['token']}"}

    with thinking.timed():
        await vu.sleep(vu.random.uniform(0.001, 0.01))
        quantity = vu.random.randint(1, 6)
    await vu.http.post("/cart", headers=headers, json={"product": 2, "quantity": quantity})
    order = (await vu.http.post("/checkout", headers=headers)).json()

    queue_time.add(order["queued_ms"], tags={"basket": "big" if quantity > 3 else "small"})
    revenue.add(order["total"])
    last_order.add(order["order"])
    big_spenders.add(quantity > 3)
