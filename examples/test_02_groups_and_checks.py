"""Groups divide an iteration into steps; checks count what is right and what is not.

A check says how often something holds; an `assert` says that nothing makes sense
if it does not, and ends the iteration. A load test fails on either. `vu.check`
asks named questions about one value and tells whether all were answered with
yes; `vu.checked` counts a block of ordinary asserts.
"""

import pytest


@pytest.mark.scenario(vus=5, duration="2s")
async def test_look_around(vu):
    with vu.group("catalogue"):
        catalogue = await vu.http.get("/products")
        vu.check(
            catalogue,
            {
                "is there": lambda r: r.status_code == 200,
                "is JSON": lambda r: r.headers["content-type"] == "application/json",
                "is not empty": lambda r: len(r.json()) > 0,
            },
        )

        with vu.group("product"):  # its path is ::catalogue::product
            chosen = vu.random.choice(catalogue.json())
            product = await vu.http.get(f"/products/{chosen['id']}", name="/products/{id}")
            with vu.checked("is the one that was chosen"):
                assert product.json() == chosen

    await vu.sleep(0.2)
