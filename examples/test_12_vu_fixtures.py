"""What each virtual user has of its own: made on its first iteration, undone at its end.

An ordinary fixture is set up once, and all share it; a `vu_fixture` is set up once
for each virtual user. It may ask for `vu`, for ordinary fixtures and for other VU
fixtures; what stands after its `yield` runs when the virtual user ends, also when it
was interrupted or scaled away.
"""

import pytest

from pytest_k6api import vu_fixture


@pytest.fixture(scope="module")
def password():
    return "let me in"


@vu_fixture
async def account(vu, password):
    """Log in once, and out at the end."""
    customer = {"user": f"customer-{vu.id}", "password": password}
    login = await vu.http.post("/login", json=customer, name="login")
    login.raise_for_status()
    headers = {"Authorization": f"Bearer {login.json()['token']}"}
    yield headers
    await vu.http.post("/logout", headers=headers, name="logout")


@vu_fixture
async def basket(vu, account):
    """Put a teapot into the cart; needs the account, and is therefore undone before it."""
    await vu.http.post("/cart", headers=account, json={"product": 1}, name="fill")
    yield {1}
    await vu.http.post("/checkout", headers=account, name="checkout")


@pytest.mark.scenario(vus=5, duration="1s")
async def test_a_returning_customer(vu, account, basket):
    cart = await vu.http.get("/cart", headers=account)
    with vu.checked("the cart is as it was left"):
        assert {item["product"]["id"] for item in cart.json()["items"]} == basket
    await vu.sleep(0.1)


def test_everybody_came_once_and_left_once(k6):
    requests = {
        name: k6.metrics[f"http_reqs{{name:{name}, expected_response:true}}"].count
        for name in ("login", "fill", "checkout", "logout")
    }

    assert set(requests.values()) == {k6.metrics["vus_max"].value}
