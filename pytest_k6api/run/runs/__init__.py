"""Runs of a load test: in this process, on workers, and the part that a worker has."""
