"""The limit of open files: raised where that is allowed, and never used up by connections."""

import resource
from collections.abc import Iterator

import pytest

from pytest_k6api.protocols.http import descriptor_shortage, raised_descriptor_limit
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


def test_32_descriptors_are_left_to_others_and_fewer_where_there_are_few() -> None:
    assert first_reserved_descriptor() == 224

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    assert first_reserved_descriptor() == 56


def test_a_limit_that_is_too_low_is_told_with_a_remedy() -> None:
    shortage = descriptor_shortage(400)

    assert shortage is not None
    assert shortage.startswith("open files are limited to 256: ")
    assert " of 400 VUs can have a connection at a time" in shortage
    assert descriptor_shortage(3) is None
