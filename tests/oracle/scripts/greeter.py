import os

import pytest


@pytest.mark.scenario(iterations=3, requests="record")
async def test_greeter(vu):
    target = os.environ["TARGET"]
    with vu.group("greet"):
        reply = await vu.grpc.invoke(
            "shop.Greeter/Greet", {"name": "Ann"}, target=target, tags={"team": "shop"}
        )
        vu.check(reply, {"is ok": lambda r: r.status == 0})
        await vu.grpc.invoke("shop.Greeter/Greet", {"name": "nobody"}, target=target)
    channel = vu.grpc.channel(target)
    chat = channel.stream_stream("/shop.Greeter/Chat", named)
    async with chat(tags={"team": "chat"}) as call:
        for name in ("Ann", "Bob", "Bob"):
            await call.write(name)
            await call.read()
        await call.done_writing()
        await call.code()
    await channel.unary_stream("/shop.Greeter/GreetOften", twice)("nobody").code()


def named(name):
    """Return the bytes of a Greeting with a name."""
    return bytes([0x0A, len(name)]) + name.encode()


def twice(name):
    """Return the bytes of a Greeting that asks for two responses."""
    return named(name) + bytes([0x10, 2])
