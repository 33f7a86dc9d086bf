"""The same load test as locustfile.py, in pytest; «Come from Locust» compares the two."""

from pytest_k6api import load_test, scenario, vu_fixture


async def product(vu):
    await vu.http.get(f"/products/{vu.random.randint(1, 5)}", name="/products/{id}")


async def front(vu):
    response = await vu.http.get("/")
    vu.check(response, {"greets the visitor": lambda r: "Welcome" in r.text})


@vu_fixture
async def customer(vu):
    user = {"user": f"customer-{vu.id}", "password": "let me in"}
    login = await vu.http.post("/login", json=user)
    vu.http.headers["Authorization"] = f"Bearer {login.json()['token']}"
    yield
    await vu.http.post("/logout")


@load_test(thresholds={"http_req_failed": ["rate<0.01"], "http_req_duration": ["p(95)<1000"]})
class TestMorning:
    """Six visitors and two customers, in stages."""

    @scenario(start_vus=3, stages=[("1s", 3), (0, 6), ("1s", 6)])
    async def test_visitor(self, vu):
        (task,) = vu.random.choices([product, front], weights=[3, 1])
        await task(vu)
        await vu.sleep(vu.random.uniform(0.1, 0.3))

    @scenario(start_vus=1, stages=[("1s", 1), (0, 2), ("1s", 2)], min_iteration_duration=0.25)
    async def test_customer(self, vu, customer):
        await vu.http.post("/cart", json={"product": 1})
        await vu.http.post("/checkout")
