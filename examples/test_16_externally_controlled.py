"""Load that is steered while it runs, with curl or by a program.

Every executor can be paused, scaled and stopped through the control API. This one has
no plan but its duration: it starts with `vus` virtual users, and goes where it is told.

    k6 scale --vus 20
    curl -X PATCH localhost:6565/v1/status -d '{"data": {"attributes": {"vus": 20}}}'
"""

import pytest


@pytest.mark.scenario(executor="externally-controlled", vus=2, max_vus=60, duration="2s")
async def test_as_many_as_i_say(vu):
    await vu.http.get("/products")
    await vu.sleep(0.1)
