"""Sessions of 200 messages of 100 bytes, each sent when the one before has come back."""

import pytest

MESSAGE = "x" * 100


@pytest.mark.scenario
async def test_echo(vu):
    """Have every message sent back."""
    async with vu.ws.connect("/", name="/") as ws:
        for _ in range(200):
            await ws.send(MESSAGE)
            await ws.receive()
