"""Protocols that virtual users speak, and clients of other libraries that are measured alike."""

from pytest_k6api.protocols.advice import Advised

__all__ = ["Advised"]
