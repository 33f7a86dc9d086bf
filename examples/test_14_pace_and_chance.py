"""Keeping a pace, whatever the service takes, and chance that can be repeated."""

import pytest

choices = {}


@pytest.mark.scenario(vus=5, duration="2s")
async def test_a_request_every_quarter_of_a_second(vu):
    """`vu.pace` waits for the rest, where `vu.sleep` would add to what the request took."""
    await vu.http.get("/products", name="list")
    await vu.pace(0.25)
    await vu.http.get("/products/1", name="product")
    await vu.pace(0.25)


@pytest.mark.scenario(vus=5, duration="2s", min_iteration_duration="500ms")
async def test_an_iteration_every_half_second(vu):
    """The same for iterations as a whole; their recorded duration is without the wait."""
    await vu.http.get("/products")


def test_the_wait_is_not_in_the_duration(k6):
    assert k6.metrics["iteration_duration"].med < 500


@pytest.mark.scenario(executor="per-vu-iterations", vus=5, iterations=3)
async def test_a_walk(vu):
    product = vu.random.randint(1, 5)
    choices.setdefault(vu.id, []).append(product)
    await vu.http.get(f"/products/{product}", name="/products/{id}")


@pytest.mark.scenario(executor="per-vu-iterations", vus=5, iterations=3)
async def test_the_same_walk_again(vu):
    """A virtual user's chance comes from `--k6-seed` and its number, and from nothing else."""
    product = vu.random.randint(1, 5)
    with vu.checked("goes where it went before"):
        assert product == choices[vu.id][vu.iteration]
    await vu.http.get(f"/products/{product}", name="/products/{id}")
