"""A user's suite with annotations: mypy checks it under strict rules, nobody runs it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import assert_type

import httpx
import httpx2

from pytest_k6api import (
    VU,
    BearerAuth,
    Counter,
    Gauge,
    K6ApiError,
    LoadTestResults,
    Rate,
    Response,
    SyncVU,
    Trend,
    instrument,
    load_test,
    scenario,
    vu_fixture,
)

queue_time = Trend("queue_time", contains="time")
orders = Counter("orders")
last_order = Gauge("last_order")
big = Rate("big")


async def log_in(vu: VU) -> dict[str, str]:
    response: Response = await vu.http.post("/login", json={"user": "ada"})
    return {"token": response.json()["token"]}


@scenario
async def test_chat(vu: VU) -> None:
    async with vu.ws.connect("/chat", subprotocols=["chat.v1"], expected_codes=[1000]) as ws:
        await ws.send("hello")
        await ws.send(b"bytes")
        assert_type(await ws.receive(), str | bytes)
        assert_type(
            await ws.request("how are you?", lambda message: "fine" in str(message)), str | bytes
        )
        assert_type(await ws.ping(), float)
        async for message in ws:
            assert_type(message, str | bytes)
    assert_type(ws.close_code, int | None)


@scenario
def test_chat_in_a_thread(vu: SyncVU) -> None:
    with vu.ws.connect("/chat", compression="deflate") as ws:
        ws.send("hello")
        assert_type(ws.receive(), str | bytes)
        assert_type([message for message in ws], list[str | bytes])  # noqa: C416


@scenario
async def test_without_options(vu: VU) -> None:
    await vu.sleep(1)


@scenario(
    vus=10,
    duration="30s",
    thresholds={
        "http_req_duration": ["p(95)<200"],
        "checks": "rate>0.99",
        "http_req_failed": [{"threshold": "rate<0.01", "abort_on_fail": True}],
    },
    tags={"team": "shop"},
    setup=log_in,
)
async def test_all_of_it(vu: VU, setup_data: Mapping[str, str]) -> None:
    with vu.group("visit homepage"):
        response: Response = await vu.http.get("/", auth=BearerAuth(setup_data["token"]))
        passed = vu.check(response, {"status is 200": lambda r: r.status_code == 200})
        assert_type(passed, bool)
        with vu.checked("greets the visitor"):
            assert "Welcome" in response.text
    assert_type(vu.id, int)
    assert_type(vu.random.random(), float)
    vu.tags["customer"] = "new"
    vu.data.seen = True
    with vu.measure("db query", tags={"table": 3}):
        await vu.sleep(0.1)
    with queue_time.timed():
        orders.add(1, tags={"queue": "mail"})
        last_order.add(7)
        big.add(True)
    vu.stop()


@vu_fixture
async def account(vu: VU) -> AsyncIterator[int]:
    yield vu.id


@vu_fixture
async def shop(vu: VU) -> AsyncIterator[httpx.AsyncClient]:
    transport = instrument(httpx.AsyncHTTPTransport(http2=True), vu)
    assert_type(transport, httpx.AsyncHTTPTransport)
    async with httpx.AsyncClient(transport=transport) as client:
        yield client


@vu_fixture
def next_shop(vu: SyncVU) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=instrument(httpx2.HTTPTransport(), vu)) as client:
        yield client


@load_test(thresholds={"http_reqs": ["count>1"]})
class TestPeakHour:
    @scenario(executor="per-vu-iterations", vus=2, iterations=3, start_time=1.5)
    async def test_browse(self, vu: VU, account: int) -> None:
        await vu.sleep(account)


misspelt = scenario(executor="constant-vu")  # type: ignore[call-overload]  # no such executor


def test_ask(k6: LoadTestResults) -> None:
    assert_type(k6.metrics["http_req_duration"].p(95), float)
    assert k6.checks["::visit homepage::status is 200"].fails == 0


def test_errors_have_one_base() -> None:
    assert issubclass(K6ApiError, Exception)
