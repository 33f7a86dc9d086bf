"""The numbers of VUs: lowest first, as many as are initialised, none twice."""

import trio

from pytest_k6api.scheduling import read_segment
from pytest_k6api.scheduling.vu_pool import VUPool
from tests.virtual_time import in_virtual_time


def pool_of(count: int, segment: str = "") -> VUPool:
    pool = VUPool(read_segment(segment))
    pool.initialise(count)
    return pool


def test_the_lowest_free_number_is_taken() -> None:
    pool = pool_of(3)
    taken = [pool.take_nowait() for _ in range(3)]
    pool.give_back(3)
    pool.give_back(1)

    assert taken == [1, 2, 3]
    assert [pool.take_nowait(), pool.take_nowait(), pool.take_nowait()] == [1, 3, None]


def test_a_segment_uses_the_numbers_that_are_its_own() -> None:
    assert [pool_of(3, "1/2:1").take_nowait(), pool_of(3, "0:1/2").take_nowait()] == [2, 1]
    pool = pool_of(3, "1/2:1")
    assert [pool.take_nowait() for _ in range(3)] == [2, 4, 6]


def test_spare_vus_are_initialised_when_those_there_are_in_use() -> None:
    pool = pool_of(1)

    assert [pool.take_nowait(), pool.take_nowait()] == [1, None]
    assert [pool.take_nowait(spare=True), pool.take_nowait(spare=True)] == [2, 3]
    assert pool.initialised == 3
    pool.give_back(2, spare=True)
    assert pool.take_nowait(spare=True) == 2
    assert pool.initialised == 3


def test_spare_vus_that_were_added_are_used_before_others_are_initialised() -> None:
    pool = pool_of(1)
    pool.add_spare(2)

    assert pool.initialised == 3
    assert [pool.take_nowait(spare=True) for _ in range(3)] == [1, 2, 3]
    assert pool.initialised == 4


def test_spare_vus_that_are_given_up_count_no_more_and_are_not_taken() -> None:
    pool = pool_of(1)
    pool.add_spare(3)
    numbers = [pool.take_nowait(spare=True) for _ in range(2)]

    pool.remove_spare(3)

    assert pool.initialised == 1
    assert pool.take_nowait() is None
    for number in numbers:
        pool.give_back(number, spare=True)
    assert [pool.take_nowait(), pool.take_nowait()] == [1, None]


def test_numbers_that_were_given_up_are_used_again() -> None:
    pool = pool_of(1)
    pool.add_spare(2)
    pool.remove_spare(2)
    pool.add_spare(1)

    assert [pool.take_nowait(), pool.take_nowait(spare=True)] == [1, 2]
    assert repr(pool) == "<VUPool 2 initialised, 2 in use>"


def test_a_spare_one_that_never_came_is_given_back() -> None:
    pool = pool_of(1)
    assert pool.take_nowait(spare=True) == 1
    pool.give_back(None, spare=True)
    assert pool.take_nowait(spare=True) == 2
    assert pool.initialised == 2


@in_virtual_time
async def test_without_a_free_vu_a_take_waits_for_one_that_is_given_back() -> None:
    pool = pool_of(1)
    number = pool.take_nowait()
    got = []

    async def take() -> None:
        got.append((await pool.take(), trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await trio.sleep(0.5)
        pool.give_back(number)

    assert got == [(1, 0.5)]
    assert pool.initialised == 1


@in_virtual_time
async def test_a_take_that_waits_too_long_initialises_a_vu() -> None:
    pool = pool_of(1)
    pool.take_nowait()

    assert await pool.take() == 2
    assert trio.current_time() == 2
    assert pool.initialised == 2


def test_a_number_that_is_wanted_is_taken_if_it_is_free() -> None:
    pool = pool_of(4)

    assert [pool.take_nowait(wanted=3), pool.take_nowait(wanted=3)] == [3, 1]
    assert [pool.take_nowait(wanted=2), pool.take_nowait(), pool.take_nowait(wanted=9)] == [
        2,
        4,
        None,
    ]
