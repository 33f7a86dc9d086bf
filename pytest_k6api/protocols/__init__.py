"""Protocols that virtual users speak, and clients of other libraries that are measured alike."""

from pytest_k6api.protocols.advice import Advised, advice_on

__all__ = ["Advised", "advice_on"]
