"""Several scenarios at once: one load test, with one clock and one set of metrics.

The class is one item for pytest. `setup` and `teardown` run once, and the thresholds
judge everything; `{scenario:...}` is the part of one scenario. What has the marker is
a scenario, whatever it is called; ordinary Python serves for what they share.
"""

from pytest_k6api import load_test, scenario, vu_fixture

PASSWORD = "let me in"


async def open_the_shop(vu):
    products = await vu.http.get("/products")
    return {"products": [product["id"] for product in products.json()]}


async def close_the_shop(vu, setup_data):
    home = await vu.http.get("/")
    assert home.json()["products"] == len(setup_data["products"])


@vu_fixture
async def account(vu):
    customer = {"user": f"{vu.scenario}-{vu.id}", "password": PASSWORD}
    login = await vu.http.post("/login", json=customer, name="login")
    return {"Authorization": f"Bearer {login.json()['token']}"}


async def look_at(vu, product):
    with vu.group("look at a product"):
        await vu.http.get(f"/products/{product}", name="/products/{id}")


@load_test(
    setup=open_the_shop,
    teardown=close_the_shop,
    thresholds={
        "http_req_duration{scenario:test_browse}": ["p(95)<1000"],
        "http_req_duration{kind:paying}": ["p(95)<1500"],
        "iterations{scenario:test_audit}": ["count>=1"],
        "http_req_failed": ["rate<0.01"],
    },
)
class TestPeakHour:
    """Visitors at a rate, buyers in stages, and an audit when the buyers have gone."""

    @scenario(rate=20, duration="2s", pre_allocated_vus=10, env={"pages": "2"})
    async def test_browse(self, vu, setup_data):
        for _ in range(int(vu.env["pages"])):
            await look_at(vu, vu.random.choice(setup_data["products"]))

    @scenario(stages=[("500ms", 5), ("1s", 0)], start_time="500ms", tags={"kind": "paying"})
    async def test_buy(self, vu, setup_data, account):
        product = vu.random.choice(setup_data["products"])
        await look_at(vu, product)
        await vu.http.post("/cart", headers=account, json={"product": product})
        order = await vu.http.post("/checkout", headers=account)
        vu.check(order, {"is ordered": lambda r: r.status_code == 201})
        await vu.sleep(0.1)

    @scenario(after="test_buy")
    async def test_audit(self, vu, account):
        cart = await vu.http.get("/cart", headers=account)
        vu.check(cart, {"nothing is left over": lambda r: r.json()["total"] == 0})


def test_each_scenario_can_be_asked(k6):
    browsed = k6.metrics["http_reqs{scenario:test_browse}"]
    bought = k6.metrics["iterations{kind:paying}"]

    assert browsed.count > bought.count > 0
    assert "::look at a product" in k6.groups
