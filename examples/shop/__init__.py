"""A small web shop to load: the service that all examples run against.

`store` knows what a shop knows and does no I/O; `service` speaks HTTP; running
the package (``python -m examples.shop``) serves it on 127.0.0.1. Everything is
kept in memory and forgotten at the end.
"""
