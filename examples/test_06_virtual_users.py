"""What makes a virtual user a user: a number, a memory, chance, and the way out.

`vu.data` lives as long as the virtual user; `vu.random` gives the same user the
same choices in every run with the same `--k6-seed`.
"""

import pytest


@pytest.mark.scenario(vus=5, duration="2s")
async def test_a_customer(vu):
    if vu.iteration == 0:
        customer = {"user": f"customer-{vu.id}", "password": "let me in"}
        login = await vu.http.post("/login", json=customer, name="login")
        vu.data.authorization = {"Authorization": f"Bearer {login.json()['token']}"}

    me = await vu.http.get("/me", headers=vu.data.authorization)
    with vu.checked("is remembered"):
        assert me.json() == {"user": f"customer-{vu.id}"}

    await vu.sleep(vu.random.uniform(0.1, 0.3))


@pytest.mark.scenario(vus=5, duration="1m")
async def test_until_somebody_has_seen_enough(vu):
    response = await vu.http.get("/flaky", expected_statuses=[200, 503])
    if response.json().get("visit", 0) > 30:
        vu.stop()  # ends the load test, not only this virtual user
    await vu.sleep(0.1)
