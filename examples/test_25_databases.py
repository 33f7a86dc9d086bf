"""A database and a cache are loaded by the drivers that your service uses.

asyncpg is a library of asyncio: `aio_as_trio` calls it from a scenario, and `vu.measure`
measures it. redis-py has no async here: its scenario is an ordinary function. Both need
their server: name it in DATABASE_URL or REDIS_URL.
"""

import os

import pytest

from pytest_k6api import vu_fixture

asyncpg = pytest.importorskip("asyncpg", reason="it comes with the extra «examples»")
redis = pytest.importorskip("redis", reason="it comes with the extra «examples»")
trio_asyncio = pytest.importorskip("trio_asyncio", reason="it comes with the extra «asyncio»")
aio_as_trio = trio_asyncio.aio_as_trio

DATABASE_URL = os.environ.get("DATABASE_URL")
REDIS_URL = os.environ.get("REDIS_URL")


@vu_fixture
async def database(vu):
    """One connection for each virtual user, as in a pool that is large enough."""
    connection = await aio_as_trio(asyncpg.connect)(DATABASE_URL)
    yield connection
    await aio_as_trio(connection.close)()


@pytest.mark.skipif(not DATABASE_URL, reason="DATABASE_URL names no PostgreSQL")
@pytest.mark.scenario(
    vus=5,
    iterations=200,
    thresholds={
        "measured_duration{name:one order}": ["p(95)<1000"],
        "measured_failed": ["rate==0"],
    },
)
async def test_postgresql(vu, database):
    number = vu.random.randint(1, 1000)
    with vu.measure("one order"):
        found = await aio_as_trio(database.fetchval)("SELECT $1::int * 2", number)
    vu.check(found, {"is the order asked for": lambda found: found == 2 * number})


@vu_fixture
def cache(vu):
    with redis.Redis.from_url(REDIS_URL) as client:
        yield client


@pytest.mark.skipif(not REDIS_URL, reason="REDIS_URL names no Redis")
@pytest.mark.scenario(vus=5, iterations=200, thresholds={"measured_failed": ["rate==0"]})
def test_redis(vu, cache):
    with vu.measure("put"):
        cache.set(f"cart:{vu.id}", vu.iteration)
    with vu.measure("get"):
        kept = cache.get(f"cart:{vu.id}")
    vu.check(kept, {"is what was put": lambda kept: int(kept) == vu.iteration})
