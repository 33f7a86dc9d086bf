"""The same as chat.js, line for line."""

import json
import os
from pathlib import Path

import pytest

URL = os.environ["WS_URL"]
OPTIONS = {"headers": {"User-Agent": "a visitor"}, "subprotocols": ["chat"]}


async def echo(vu, address, messages, **options):
    async with vu.ws.connect(address, **OPTIONS, **options) as ws:
        await ws.ping()
        for message in messages:
            await ws.send(message)
        for _ in messages:
            await ws.receive()


@pytest.mark.scenario(vus=2, iterations=2, executor="per-vu-iterations", tags={"team": "support"})
async def test_chat(vu):
    messages = ["hello", "κόσμε", b"\x01\x02"]
    await echo(vu, f"{URL}/chat?room=1", messages, tags={"room": "one"})
    with vu.group("talking"):
        await echo(vu, f"{URL}/chat", ["x" * 1000, "x"], compression="deflate")
    async with vu.ws.connect(f"{URL}/leave", **OPTIONS) as ws:
        async for _ in ws:
            pass


def test_tell_how_many_samples(k6):
    asked = Path(os.environ["ASKED"])
    counts = {
        key: k6.metrics[key].samples if key in k6.metrics else 0
        for key in json.loads(asked.read_text())
    }
    Path(os.environ["ANSWERS"]).write_text(json.dumps(counts))
