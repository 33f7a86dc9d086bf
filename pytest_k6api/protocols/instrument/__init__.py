"""Clients of other libraries (httpx, requests, urllib3, boto3), measured as `vu.http` is."""

from pytest_k6api.protocols.instrument.instrumenting import instrument

__all__ = ["instrument"]
