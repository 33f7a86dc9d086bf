"""Setup runs once before the load, teardown once after it, and both may use HTTP.

What setup returns is handed to every function that asks for `setup_data`. It
must be JSON, because the control API shows it and lets people replace it.
Ordinary fixtures work too; they are set up once and shared by all virtual users.
"""

import pytest

PASSWORD = "let me in"


async def open_an_account(vu):
    response = await vu.http.post("/login", json={"user": "owner", "password": PASSWORD})
    response.raise_for_status()
    return response.json()


async def leave_an_empty_cart(vu, setup_data):
    authorization = {"Authorization": f"Bearer {setup_data['token']}"}
    response = await vu.http.post("/checkout", headers=authorization)
    assert response.status_code == 201


@pytest.fixture(scope="module")
def shopping_list():
    return [1, 2, 3]


@pytest.mark.scenario(
    vus=5,
    duration="1s",
    setup=open_an_account,
    teardown=leave_an_empty_cart,
    setup_timeout="10s",
)
async def test_everybody_fills_one_cart(vu, setup_data, shopping_list):
    response = await vu.http.post(
        "/cart",
        headers={"Authorization": f"Bearer {setup_data['token']}"},
        json={"product": vu.random.choice(shopping_list)},
    )
    vu.check(response, {"is in the cart": lambda r: r.status_code == 201})
    await vu.sleep(0.1)
