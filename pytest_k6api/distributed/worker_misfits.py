"""What keeps a worker from running a load test: another version, other load tests, other options."""

from collections.abc import Iterator

from pytest_k6api.distributed.messages import PROTOCOL, Fingerprint
from pytest_k6api.distributed.worker_states import Worker


def problem_of(worker: Worker, ours: Fingerprint, patience: float) -> str:
    """Return why `worker` cannot run the load test; empty if it can, or is lost.

    Args:
        worker: The worker, after it was waited for.
        ours: What it has to have in common with the controller.
        patience: Seconds that it had to say hello.
    """
    hello = worker.hello
    if worker.refusal:
        return f"{worker}: {worker.refusal}"
    if worker.is_lost:
        return ""
    if hello is None:
        return f"{worker} has not started within {patience:g} s"
    if hello.protocol != PROTOCOL or hello.fingerprint is None:
        return (
            f"{worker} speaks version {hello.protocol} of the protocol, the controller {PROTOCOL}"
        )
    return "; ".join(f"{worker} {text}" for text in _differences(hello.fingerprint, ours))


def _differences(theirs: Fingerprint, ours: Fingerprint) -> Iterator[str]:
    for name in sorted(ours.versions.keys() | theirs.versions.keys()):
        here, there = ours.versions.get(name, "none"), theirs.versions.get(name, "none")
        if here != there:
            yield f"has {name} {there}, the controller {here}; install the same on both"
    if theirs.items != ours.items:
        yield (
            "has collected other load tests than the controller; collection must not depend on"
            " time, chance or the process"
        )
    elif theirs.options != ours.options:
        yield (
            "has planned the load tests with other options than the controller; options must not"
            " depend on time, chance or the process"
        )
