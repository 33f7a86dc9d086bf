"""Run what talks over sockets in both ways of waiting for them."""

import pytest

from pytest_k6api.http import runtime


@pytest.fixture(params=[16, 0], ids=["alone", "in a crowd"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make connections wait by themselves, or together from the first one on."""
    monkeypatch.setattr(runtime, "_CROWD", request.param)
