"""The same as chat_events.js, line for line."""

import json
import os
from pathlib import Path

import pytest

URL = os.environ["WS_URL"]


@pytest.mark.scenario(vus=2, iterations=2, executor="per-vu-iterations", requests="record")
async def test_chat(vu):
    async with vu.ws.connect(f"{URL}/chat", subprotocols=["chat"], tags={"room": "one"}) as ws:
        await ws.send("hello")
        await ws.send("there")
        await ws.receive()
        await ws.receive()
    async with vu.ws.connect(f"{URL}/refused"):
        pass
    async with vu.ws.connect(os.environ["CLOSED_URL"]):
        pass


def test_tell_how_many_samples(k6):
    asked = Path(os.environ["ASKED"])
    counts = {
        key: k6.metrics[key].samples if key in k6.metrics else 0
        for key in json.loads(asked.read_text())
    }
    Path(os.environ["ANSWERS"]).write_text(json.dumps(counts))
