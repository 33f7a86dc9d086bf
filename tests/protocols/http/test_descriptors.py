"""The limit of open files: raised where that is allowed, and never used up by connections."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pytest_k6api.protocols.http import ConnectionRoom, raised_descriptor_limit
from pytest_k6api.protocols.http.net import first_reserved_descriptor


@pytest.fixture(autouse=True)
def _limit_of_256() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_soft_limit_is_raised_for_a_load_test_and_then_restored() -> None:
    with raised_descriptor_limit():
        assert soft_limit() > 256

    assert soft_limit() == 256


def test_where_the_system_takes_less_than_the_hard_limit_the_soft_one_is_raised_to_what_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_limit = resource.setrlimit

    def take_2000(which: int, limits: tuple[int, int]) -> None:
        if limits[0] > 2000:
            raise ValueError("not allowed")
        set_limit(which, limits)

    monkeypatch.setattr(resource, "setrlimit", take_2000)
    with raised_descriptor_limit():
        raised = soft_limit()

    assert 1000 <= raised <= 2000
    assert soft_limit() == 256


def test_32_descriptors_are_left_to_others_and_fewer_where_there_are_few() -> None:
    assert first_reserved_descriptor() == 224

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    assert first_reserved_descriptor() == 56


def test_a_limit_that_is_too_low_is_told_with_a_remedy() -> None:
    room = ConnectionRoom()

    assert (room.check(3), room.warnings) == (None, ())
    shortage = room.check(400)

    assert shortage is not None
    assert shortage.startswith("open files are limited to 256: ")
    assert " of 400 VUs can have a connection at a time" in shortage
    assert room.warnings == (shortage,)


def test_more_virtual_users_are_told_of_again_and_connections_are_not_counted_against_them() -> (
    None
):
    room = ConnectionRoom()
    room.check(3)
    with ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(socket.socket())

        assert room.check(90) is None
        assert "of 400 VUs" in (room.check(400) or "")
        assert room.check(400) is room.check(399) is None
        assert "of 500 VUs" in (room.check(500) or "")
    assert [" of 500 VUs " in each for each in room.warnings] == [True]
