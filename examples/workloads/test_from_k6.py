"""The same load test as from_k6.js, in Python; the page «Come from k6» compares the two."""

from pytest_k6api import Trend, feeder, load_test, scenario, vu_fixture

queue_time = Trend("queue_time", contains="time")

orders = feeder("../data/searches.jsonl", order="circular")


async def setup(vu):
    response = await vu.http.get("/products")
    return {"products": [product["id"] for product in response.json()]}


async def teardown(vu, setup_data):
    await vu.http.get(f"/products/{setup_data['products'][0]}")


@vu_fixture
async def headers(vu):
    customer = {"user": f"customer-{vu.id}", "password": "let me in"}
    login = await vu.http.post("/login", json=customer, name="login")
    return {"Authorization": f"Bearer {login.json()['token']}"}


@load_test(
    thresholds={
        "http_req_duration{scenario:test_browse}": ["p(95)<1000"],
        "http_req_failed": [
            {"threshold": "rate<0.01", "abort_on_fail": True, "delay_abort_eval": "5s"}
        ],
        "queue_time": ["max<500"],
    },
    setup=setup,
    teardown=teardown,
    setup_timeout="10s",
)
class TestTheShop:
    """Browsing at a rate, buying in stages."""

    @scenario(
        rate=20,
        time_unit="1s",
        duration="2s",
        pre_allocated_vus=10,
        max_vus=20,
        tags={"kind": "looking"},
        env={"PAGES": "2"},
    )
    async def test_browse(self, vu, setup_data):
        with vu.group("front"):
            response = await vu.http.get("/", tags={"step": "first"})
            vu.check(
                response,
                {
                    "status is 200": lambda r: r.status_code == 200,
                    "greets the visitor": lambda r: "Welcome" in r.text,
                },
            )
        for _ in range(int(vu.env["PAGES"])):
            product = vu.random.choice(setup_data["products"])
            await vu.http.get(f"/products/{product}", name="/products/{id}")

    @scenario(start_time="500ms", start_vus=1, stages=[("1s", 5), ("500ms", 0)])
    async def test_buy(self, vu, headers):
        vu.tags["customer"] = "returning" if vu.iteration else "new"

        order = next(orders)
        await vu.http.post("/cart", json=order, headers=headers)
        bought = await vu.http.post("/checkout", headers=headers)
        queue_time.add(bought.json()["queued_ms"], tags={"quantity": order["quantity"]})

        await vu.http.batch([("GET", "/cart", {"headers": headers}), "/products"])
        await vu.http.get("/products/99", expected_statuses={404})
        await vu.sleep(0.1)
