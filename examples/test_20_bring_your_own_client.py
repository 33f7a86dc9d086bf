"""An API client that exists already is loaded as it is, through its HTTP client.

`instrument` measures it: every request becomes an HTTP request of the load test, with its
phases and tags, in thresholds, the summary and the control API. httpx gives it a
transport; sessions of requests, pools of urllib3 and clients of boto3 are measured as
they are.
"""

import re

import pytest

from pytest_k6api import instrument, vu_fixture

httpx = pytest.importorskip("httpx", reason="it comes with the extra «httpx»")
requests = pytest.importorskip("requests", reason="it comes with the extra «examples»")


class ShopClient:
    """Stands for your API client, or for an SDK that takes an httpx client."""

    def __init__(self, http):
        self.http = http

    async def product(self, number):
        named = {"k6": {"name": "/products/{id}"}}  # one time series for all products
        response = await self.http.get(f"/products/{number}", extensions=named)
        return response.raise_for_status().json()


@vu_fixture
async def shop(vu, k6_base_url):
    transport = instrument(httpx.AsyncHTTPTransport(), vu)
    async with httpx.AsyncClient(transport=transport, base_url=k6_base_url) as http:
        yield ShopClient(http)


@pytest.mark.scenario(
    vus=5,
    iterations=50,
    thresholds={
        "http_req_duration{name:/products/{id}}": ["p(95)<1000"],
        "http_reqs": ["count>=50"],
    },
)
async def test_with_an_async_client(vu, shop):
    with vu.group("look around"):
        product = await shop.product(vu.random.randint(1, 5))
    vu.check(product, {"has a price": lambda product: product["price"] > 0})


@vu_fixture
def http(vu, k6_base_url):
    transport = instrument(httpx.HTTPTransport(), vu)
    with httpx.Client(transport=transport, base_url=k6_base_url) as http:
        yield http


@pytest.mark.scenario(vus=5, iterations=50, thresholds={"http_req_failed": ["rate<0.01"]})
def test_with_a_synchronous_client(vu, http):
    response = http.get("/products", extensions={"k6": {"tags": {"page": "catalogue"}}})
    vu.check(response, {"has products": lambda r: len(r.json()) == 5})


def without_numbers(method, url):
    """One name for all products: each name is a time series."""
    return method + " " + re.sub(r"/\d+", "/{id}", url)


@vu_fixture
def session(vu):
    with requests.Session() as session:
        yield instrument(session, vu, name=without_numbers)


@pytest.mark.scenario(vus=5, iterations=50, thresholds={"http_req_failed": ["rate<0.01"]})
def test_with_requests(vu, session, k6_base_url):
    response = session.get(f"{k6_base_url}/products/{vu.random.randint(1, 5)}", timeout=5)
    vu.check(response, {"has a price": lambda r: r.json()["price"] > 0})
