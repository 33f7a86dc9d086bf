import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from pytest_k6api.vu import VU, SyncVU, Trend, VirtualUser, VUFixture, current_vu
from pytest_k6api.vu import thread as vu_thread
from pytest_k6api.vu.thread import IterationInterrupted, VUThread
from tests.virtual_time import in_real_time
from tests.vu.fake_load_test import FakeLoadTest, Skipped


@in_real_time
async def test_groups_checks_tags_and_metrics_work_in_the_thread() -> None:
    load = FakeLoadTest()
    lookups = Trend("lookups")

    def browse(vu: SyncVU) -> None:
        with vu.group("home"):
            vu.tags["plan"] = "free"
            vu.check(200, {"is 200": lambda status: status == 200})
            with vu.checked("adds up"):
                assert vu.id == 2
            lookups.add(3)
            with lookups.timed():
                pass

    user = load.user(browse)
    await user.run_iteration()
    await user.close()

    assert load.samples("checks", "group", "plan") == [
        (1.0, "::home", "free"),
        (0.0, "::home", "free"),
    ]
    assert len(load.samples("lookups")) == 2
    assert len(load.samples("group_duration")) == 1
    assert load.iterations()[0][3] == 0


@in_real_time
async def test_all_iterations_and_fixtures_of_a_user_run_in_one_thread() -> None:
    load = FakeLoadTest()
    threads: list[str] = []

    def connection(vu: SyncVU) -> Iterator[sqlite3.Connection]:
        threads.append(threading.current_thread().name)
        connection = sqlite3.connect(":memory:")  # refuses other threads
        connection.execute("CREATE TABLE orders (id INTEGER)")
        yield connection
        connection.close()
        threads.append(threading.current_thread().name)

    def buy(vu: SyncVU, connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO orders VALUES (?)", (vu.iteration,))
        threads.append(threading.current_thread().name)

    user = load.user(buy, connection=VUFixture(connection, {}))
    for _ in range(3):
        await user.run_iteration()
    await user.close()

    assert load.failures.snapshot() == ()
    assert threads == ["VU 1 of test_buy"] * 5


@in_real_time
async def test_async_fixtures_of_a_synchronous_scenario_run_in_the_loop() -> None:
    load = FakeLoadTest()
    seen: list[Any] = []

    async def login(vu: VU) -> AsyncIterator[str]:
        seen.append((threading.current_thread() is threading.main_thread(), type(vu)))
        await vu.sleep(0)
        vu.data.name = "ada"
        yield "token"

    def browse(vu: SyncVU, login: str) -> None:
        seen.append((login, vu.data.name, vu.tags, vu.random))

    user = load.user(browse, login=VUFixture(login, {}))
    await user.run_iteration()
    await user.close()

    assert seen[0] == (True, VU)
    assert seen[1] == ("token", "ada", user.vu.tags, user.vu.random)


@in_real_time
async def test_what_the_function_raises_is_a_failure_with_its_place() -> None:
    load = FakeLoadTest()

    def browse() -> None:
        raise ValueError("no shop")

    await load.user(browse).run_iteration()

    assert load.the_failure().message == "ValueError: no shop"
    assert load.the_failure().location.startswith("tests/vu/test_sync_scenarios.py:")


@in_real_time
async def test_blocks_are_measured_in_the_thread_as_they_are_in_the_loop() -> None:
    load = FakeLoadTest()

    def browse(vu: SyncVU) -> None:
        with vu.measure("db query"):
            vu.sleep(0.01)

    await load.user(browse).run_iteration()

    ((duration_us, name),) = load.samples("measured_duration", "name")
    assert (duration_us >= 10_000, name) == (True, "db query")


@in_real_time
async def test_a_skip_in_the_thread_is_a_skip() -> None:
    load = FakeLoadTest()

    def browse() -> None:
        raise Skipped

    await load.user(browse).run_iteration()

    assert load.samples("iterations_skipped") == [1.0]


@in_real_time
async def test_many_threads_wait_at_the_same_time() -> None:
    load = FakeLoadTest()

    def browse(vu: SyncVU) -> None:
        vu.sleep(0.1)

    scenario = load.scenario(browse)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(VirtualUser(number, scenario).run_iteration)

    assert trio.current_time() - began < 1.0
    assert len(load.iterations()) == 20


@in_real_time
async def test_pace_and_stop_work_in_the_thread() -> None:
    load = FakeLoadTest()

    def browse(vu: SyncVU) -> None:
        vu.pace(0.02)
        vu.stop("enough")

    await load.user(browse).run_iteration()
    await trio.testing.wait_all_tasks_blocked()

    duration_us = load.iterations()[0][1]
    assert duration_us is not None
    assert duration_us >= 20_000
    assert load.stops == ["enough"]


@in_real_time
async def test_the_client_sends_its_requests_in_the_users_task() -> None:
    load = FakeLoadTest()
    seen: list[Any] = []

    def browse(vu: Any) -> None:
        seen.append(vu.http.get("/"))

    user = load.user(browse)

    async def get(method: str, url: str) -> str:
        seen.append((method, url, current_vu.get() is user.vu, threading.current_thread()))
        return "the response"

    load.clients[0].request = get  # type: ignore[attr-defined]  # what the synchronous client calls
    await user.run_iteration()

    assert seen == [("GET", "/", True, threading.main_thread()), "the response"]


@in_real_time
async def test_an_interruption_wakes_a_function_that_waits() -> None:
    load = FakeLoadTest()
    unwound: list[str] = []

    def browse(vu: SyncVU) -> None:
        try:
            vu.sleep(100)
        except Exception:  # noqa: BLE001  # as users write it: an interruption passes
            unwound.append("swallowed")
        finally:
            unwound.append("finally")

    user = load.user(browse)
    with trio.move_on_after(0.05) as scope:
        await user.run_iteration()
    await user.close()

    assert scope.cancelled_caught
    assert unwound == ["finally"]
    assert load.iterations() == []


@in_real_time
async def test_an_interrupted_function_that_computes_ends_at_its_next_wait() -> None:
    load = FakeLoadTest()
    released = threading.Event()
    seen: list[str] = []

    def browse(vu: SyncVU) -> None:
        released.wait(10)
        seen.append("computed")
        vu.sleep(0)
        seen.append("slept")

    scenario = load.scenario(browse)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(VirtualUser(1, scenario).run_iteration)
        await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
        released.set()

    assert seen == ["computed"]
    assert load.iterations() == []


@in_real_time
async def test_a_function_that_never_comes_back_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vu_thread, "PATIENCE", 0.05)
    load = FakeLoadTest()
    released = threading.Event()
    ended = threading.Event()
    late: list[object] = []

    def browse(vu: SyncVU) -> None:
        try:
            released.wait(10)
            vu.check(1, {"too late": True})
        except IterationInterrupted as error:
            late.append(error)
        ended.set()

    def broken() -> Iterator[None]:
        yield

    user = load.user(_with(browse), broken=VUFixture(broken, {}))
    began = trio.current_time()
    with trio.move_on_after(0.02):
        await user.run_iteration()
    await user.close()
    assert trio.current_time() - began < 1.0
    released.set()
    assert ended.wait(10)

    assert len(late) == 1
    assert load.iterations() == []
    assert load.samples("checks") == []
    assert load.the_failure().message == (
        "RuntimeError: VU 1 of test_buy still runs a function that did not come back"
    )


def _with(browse: Any) -> Any:
    def scenario(vu: SyncVU, broken: None) -> None:
        browse(vu)

    return scenario


def test_a_thread_that_outlives_its_load_test_is_told_when_it_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vu_thread, "PATIENCE", 0.01)
    released = threading.Event()
    ended = threading.Event()

    def outlive() -> None:
        try:
            released.wait(10)
        finally:
            ended.set()

    async def main() -> None:
        with trio.move_on_after(0.01):
            await VUThread("VU 1").run(outlive)

    trio.run(main)
    released.set()

    assert ended.wait(10)


@in_real_time
async def test_an_idle_thread_ends_with_its_user() -> None:
    load = FakeLoadTest()
    threads: list[threading.Thread] = []

    def browse() -> None:
        threads.append(threading.current_thread())

    user = load.user(browse)
    await user.run_iteration()
    await user.close()
    threads[0].join(10)

    assert not threads[0].is_alive()
