"""The same as shop.js, line for line."""

import json
import os
from pathlib import Path

import pytest

from pytest_k6api import Counter, Gauge, Rate, Trend

ORDERS = Counter("orders")
STOCK = Gauge("stock")
LUCKY = Rate("lucky")
QUEUED = Trend("queued", contains="time")
HEADERS = {"User-Agent": "a visitor"}


async def sign_in(vu):
    await vu.http.get("/login", headers=HEADERS)
    return {"discount": 10}


async def leave(vu, setup_data):
    with vu.group("leaving"):
        vu.check(setup_data, {"kept the discount": lambda d: d["discount"] == 10})
        await vu.http.get("/", headers=HEADERS)


async def browse(vu):
    home = await vu.http.get("/", headers=HEADERS)
    vu.check(home, {"is there": lambda r: r.status_code == 200, "is slow": False})
    with vu.group("catalogue"):
        await vu.http.get("/products", headers=HEADERS)
        with vu.group("product"):
            missing = await vu.http.get("/missing", headers=HEADERS)
            vu.check(missing, {"is missing": lambda r: r.status_code == 404})
            address = f"/products?page={vu.iteration}"
            await vu.http.get(address, headers=HEADERS, name="a page", tags={"page": "some"})
        with vu.group("empty"):
            pass


async def buy(vu, discount):
    order = await vu.http.post(
        "/cart",
        # As JavaScript writes it: data_sent counts the bytes.
        content=json.dumps({"id": vu.iteration, "discount": discount}, separators=(",", ":")),
        headers={**HEADERS, "Content-Type": "application/json"},
    )
    vu.check(order, {"is in the cart": lambda r: r.status_code == 201})
    await vu.http.post("/cart", data={"colour": "light green", "size": "7"}, headers=HEADERS)
    await vu.http.get("/broken", headers=HEADERS)
    ORDERS.add(2)
    ORDERS.add(0.5, tags={"kind": "small"})
    STOCK.add(7 - vu.iteration)
    LUCKY.add(vu.iteration % 2 == 0)
    LUCKY.add(True, tags={"kind": "small"})
    QUEUED.add(12.25 * (vu.iteration + 1))


@pytest.mark.scenario(
    executor=os.environ["EXECUTOR"],
    vus=int(os.environ["VUS"]),
    iterations=int(os.environ["ITERATIONS"]),
    tags={"team": "shop"},
    setup=sign_in,
    teardown=leave,
    thresholds=json.loads(os.environ.get("THRESHOLDS", "{}")),
)
async def test_shop(vu, setup_data):
    await browse(vu)
    with vu.group('buying "x" <é>'):
        await buy(vu, setup_data["discount"])
    if vu.iteration == 2:
        with vu.group("breaking"):
            raise RuntimeError("the third time breaks")
    await vu.http.get("/moved", headers=HEADERS)


def test_tell_how_many_samples(k6):
    asked = Path(os.environ.get("ASKED", "asked"))
    if asked.exists():
        counts = {
            key: k6.metrics[key].samples if key in k6.metrics else 0
            for key in json.loads(asked.read_text())
        }
        Path(os.environ["ANSWERS"]).write_text(json.dumps(counts))
