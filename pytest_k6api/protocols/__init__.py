"""Protocols that virtual users speak, and clients of other libraries that are measured alike."""
