"""The load test that the walkthrough steers: three virtual users, for a minute if nobody stops it."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ["FOLDER"])


def sign_in():
    with (FOLDER / "setups").open("a") as setups:
        setups.write("x")
    return {"token": "abc"}


def leave(setup_data):
    with (FOLDER / "teardowns").open("a") as teardowns:
        teardowns.write(f"{setup_data['token']} ")


@pytest.mark.scenario(
    vus=3,
    duration="1m",
    thresholds={"http_req_duration": ["p(95)<10000"], "http_reqs{name:home}": ["count>=0"]},
    setup=sign_in,
    teardown=leave,
)
async def test_visits(vu):
    with vu.group("visit homepage"):
        response = await vu.http.get("/", name="home")
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
    await vu.sleep(0.02)
