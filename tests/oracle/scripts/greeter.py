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
