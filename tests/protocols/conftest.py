"""Run what talks over sockets in both ways of waiting for them."""

import select

import pytest

from pytest_k6api.protocols.http.net import Traffic


@pytest.fixture(params=["epoll", "tasks"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for sockets by epoll, or by tasks of Trio as it is done where there is no epoll."""
    uses_epoll = request.param == "epoll"
    if uses_epoll and not hasattr(select, "epoll"):
        pytest.skip("this system has no epoll")
    monkeypatch.setattr(Traffic, "uses_epoll", uses_epoll)
