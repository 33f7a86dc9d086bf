"""Run what talks over sockets in both ways of doing so."""

import pytest

from pytest_k6api.protocols.http.net import Traffic


@pytest.fixture(params=[False, True], ids=["alone", "together"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make connections send and receive by themselves, or all together."""
    if request.param and not Traffic.is_available:
        pytest.skip("connections do it together on Linux only")
    monkeypatch.setattr(Traffic, "is_available", request.param)
