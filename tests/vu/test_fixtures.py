from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
import trio

from pytest_k6api.model import OptionError
from pytest_k6api.vu import (
    VU,
    FailureKind,
    UserFunction,
    VirtualUser,
    VUFixture,
    resolve_vu_fixtures,
)
from pytest_k6api.vu.runner import CLOSE_TIMEOUT
from tests.virtual_time import in_virtual_time
from tests.vu.fake_load_test import Failed, FakeLoadTest, Skipped


class Events(list[str]):
    """What happened, in order, and fixtures that write it down."""

    def fixture(self, name: str, needs: VUFixture | None = None) -> VUFixture:
        async def alone() -> AsyncIterator[str]:
            self.append(f"+{name}")
            yield name
            self.append(f"-{name}")

        async def dependent(needs: str) -> AsyncIterator[str]:
            assert f"+{needs}" in self
            async for value in alone():
                yield value

        return VUFixture(dependent, {"needs": needs}) if needs else VUFixture(alone, {})


def test_fixtures_come_after_those_that_they_need() -> None:
    events = Events()
    server = events.fixture("server")
    login = events.fixture("login", server)
    cart = events.fixture("cart", login)

    def scenario(cart: object, server: object) -> None:
        """Ask for them."""

    order = resolve_vu_fixtures(
        UserFunction(function=scenario, values={"cart": cart, "server": server, "other": 1})
    )

    assert order == (server, login, cart)


@in_virtual_time
async def test_fixtures_are_set_up_on_the_first_iteration_and_torn_down_in_reverse() -> None:
    load = FakeLoadTest()
    events = Events()
    login = events.fixture("login")
    cart = events.fixture("cart", login)

    async def browse(vu: VU, login: str, cart: str) -> None:
        events.append(f"{vu.iteration} {login} {cart}")

    user = load.user(browse, login=login, cart=cart)
    assert events == []
    await user.run_iteration()
    await user.run_iteration()
    await user.close()
    await user.close()

    assert events == ["+login", "+cart", "0 login cart", "1 login cart", "-cart", "-login"]


@in_virtual_time
async def test_each_user_has_values_of_its_own() -> None:
    load = FakeLoadTest()

    async def account(vu: VU) -> str:
        return f"user-{vu.id}"

    seen: list[str] = []

    async def browse(account: str) -> None:
        seen.append(account)

    scenario = load.scenario(browse, account=VUFixture(account, {"vu": None}))
    for number in (1, 2):
        await VirtualUser(number, scenario).run_iteration()

    assert seen == ["user-1", "user-2"]


@in_virtual_time
async def test_a_fixture_is_any_kind_of_function_and_may_ask_for_ordinary_fixtures() -> None:
    load = FakeLoadTest()
    load.setup_data = "[5]"
    ends: list[str] = []

    def plain(base: int) -> int:
        return base + 1

    def generator(base: int) -> Iterator[int]:
        yield base + 2
        ends.append("generator")

    async def function(setup_data: list[int]) -> int:
        return setup_data[0]

    seen: list[Any] = []

    async def browse(a: int, b: int, c: int) -> None:
        seen.append((a, b, c))

    user = load.user(
        browse,
        a=VUFixture(partial(plain, 1), {}),
        b=VUFixture(generator, {"base": 1}),
        c=VUFixture(function, {}),
    )
    await user.run_iteration()
    await user.close()

    assert seen == [(2, 3, 5)]
    assert ends == ["generator"]


@in_virtual_time
async def test_set_up_is_not_part_of_the_iteration_but_its_bytes_are() -> None:
    load = FakeLoadTest()

    async def login(vu: Any) -> None:
        await vu.http.load(3)

    async def browse(vu: VU, login: None) -> None:
        await vu.sleep(1)

    await load.user(browse, login=VUFixture(login, {})).run_iteration()

    assert load.iterations()[0][1:] == (1_000_000, 0, 100, 900)


@in_virtual_time
async def test_a_fixture_that_fails_lets_the_iteration_fail_and_the_next_tries_again() -> None:
    load = FakeLoadTest()
    events = Events()
    tries: list[int] = []

    async def login(vu: VU, server: str) -> str:
        tries.append(vu.iteration)
        if len(tries) < 3:
            raise ConnectionError("no login")
        return "token"

    async def browse(login: str) -> None:
        events.append(login)

    server = events.fixture("server")
    user = load.user(browse, login=VUFixture(login, {"server": server}))
    for _ in range(4):
        await user.run_iteration()

    assert [row[2] for row in load.iterations()] == [1, 1, 0, 0]
    assert events == ["+server", "token", "token"]
    failure = load.the_failure()
    assert (failure.kind, failure.count) == (FailureKind.VU_FIXTURE, 2)
    assert failure.message == "ConnectionError: no login"


@in_virtual_time
async def test_a_skip_in_a_fixture_skips_the_iteration() -> None:
    load = FakeLoadTest()

    async def login() -> None:
        raise Skipped

    await load.user(_asking, login=VUFixture(login, {})).run_iteration()

    assert load.samples("iterations_skipped") == [1.0]


async def _asking(login: object) -> None:
    """Ask for a fixture."""


@in_virtual_time
async def test_fixtures_are_torn_down_after_an_interruption_and_what_they_record_counts() -> None:
    load = FakeLoadTest()

    async def login(vu: Any) -> AsyncIterator[None]:
        yield
        vu.check(await vu.http.load(), {"logged out": lambda status: status == 200})

    async def browse(vu: VU, login: None) -> None:
        await vu.sleep(9)

    user = load.user(browse, login=VUFixture(login, {}))
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(user.run_iteration)
            await trio.sleep(1)
            user.interrupt()
            scope.cancel()
    with trio.CancelScope() as scope:
        scope.cancel()
        await user.close()

    assert load.samples("checks", "check") == [(1.0, "logged out")]
    assert [row[1:] for row in load.iterations()] == [(None, None, 100, 900)]


@in_virtual_time
async def test_one_that_fails_to_end_stops_no_other() -> None:
    load = FakeLoadTest()
    events = Events()

    async def cart() -> AsyncIterator[None]:
        yield
        raise ValueError("cart is stuck")

    def order() -> Iterator[None]:
        yield
        raise Failed("order is stuck")

    async def browse(login: str, cart: None, order: None) -> None:
        """Ask for them."""

    user = load.user(
        browse,
        login=events.fixture("login"),
        cart=VUFixture(cart, {}),
        order=VUFixture(order, {}),
    )
    await user.run_iteration()
    await user.close()

    assert events == ["+login", "-login"]
    assert {failure.message for failure in load.failures.snapshot()} == {
        "ValueError: cart is stuck",
        "Failed: order is stuck",
    }


@in_virtual_time
async def test_a_teardown_that_hangs_is_given_up_and_the_others_still_end() -> None:
    load = FakeLoadTest()
    events = Events()

    async def cart() -> AsyncIterator[None]:
        yield
        await trio.sleep(10_000)

    async def browse(login: str, cart: None) -> None:
        """Ask for them."""

    user = load.user(browse, login=events.fixture("login"), cart=VUFixture(cart, {}))
    await user.run_iteration()
    began = trio.current_time()
    await user.close()

    assert trio.current_time() - began == CLOSE_TIMEOUT
    assert events == ["+login", "-login"]
    assert load.the_failure().message == (
        "TimeoutError: tearing down VU fixtures took longer than 30 seconds"
    )


@in_virtual_time
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_fixture_yields_once(is_async: bool) -> None:
    load = FakeLoadTest()

    async def twice_async() -> AsyncIterator[int]:
        yield 1
        yield 2

    def twice() -> Iterator[int]:
        yield 1
        yield 2

    user = load.user(_asking, login=VUFixture(twice_async if is_async else twice, {}))
    await user.run_iteration()
    await user.close()

    assert load.the_failure().message.endswith("' yields more than once")


@in_virtual_time
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_generator_without_a_yield_has_no_value(is_async: bool) -> None:
    load = FakeLoadTest()

    async def never_async() -> AsyncIterator[int]:
        no_values: tuple[int, ...] = ()
        for value in no_values:
            yield value

    def never() -> Iterator[int]:
        yield from ()

    await load.user(
        _asking, login=VUFixture(never_async if is_async else never, {})
    ).run_iteration()

    assert load.the_failure().message.endswith("' ended without a yield")


def test_a_function_that_requests_an_unknown_fixture_is_refused() -> None:
    with pytest.raises(OptionError, match="_asking asks for 'login', which is no fixture that was"):
        VUFixture(_asking, {})
