"""Clients of other libraries, measured as `vu.http` is."""

from pytest_k6api.protocols.instrument.httpx_transport import instrument

__all__ = ["instrument"]
