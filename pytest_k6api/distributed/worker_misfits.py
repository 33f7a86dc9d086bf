"""What keeps a worker from running a load test: another version, other load tests, other options."""

from collections.abc import Iterable, Iterator, Sequence

from pytest_k6api.distributed.messages import PROTOCOL, Fingerprint
from pytest_k6api.distributed.worker_states import Worker

_NAMED = 3  # workers in a text
_SERVER = (
    "; a server that the suite starts itself begins in a session fixture, whose address the fixture"
    " k6_base_url returns"
)


def misfits_of(workers: Iterable[Worker], ours: Fingerprint, patience: float) -> str:
    """Return why workers cannot run the load test; empty if all can that are not lost.

    Args:
        workers: The workers, after they were waited for.
        ours: What they have to have in common with the controller.
        patience: Seconds that they had to say hello.
    """
    misfits: dict[str, list[str]] = {}
    for worker in workers:
        if problem := _problem_of(worker, ours, patience):
            misfits.setdefault(problem, []).append(str(worker))
    return "; ".join(f"{_some(names)}: {problem}" for problem, names in misfits.items())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _problem_of(worker: Worker, ours: Fingerprint, patience: float) -> str:
    hello = worker.hello
    if worker.refusal:
        return worker.refusal
    if worker.is_lost:
        return ""
    if hello is None:
        return f"it has not started within {patience:g} s"
    if hello.protocol != PROTOCOL or hello.fingerprint is None:
        return f"it speaks version {hello.protocol} of the protocol, the controller {PROTOCOL}"
    return "; ".join(_differences(hello.fingerprint, ours))


def _differences(theirs: Fingerprint, ours: Fingerprint) -> Iterator[str]:
    for name in sorted(ours.versions.keys() | theirs.versions.keys()):
        here, there = ours.versions.get(name, "none"), theirs.versions.get(name, "none")
        if here != there:
            yield f"it has {name} {there}, the controller {here}; install the same on both"
    if theirs.items != ours.items:
        yield (
            "it has collected other load tests than the controller; collection must not depend on"
            " time, chance or the process"
        )
    elif theirs.options != ours.options:
        told = theirs.by_option
        differ = sorted(name for name, digest in ours.by_option.items() if told.get(name) != digest)
        yield (
            f"it has planned the load tests with another {', '.join(differ)} than the controller;"
            " options must not depend on time, chance or the process"
            f"{_SERVER if 'base_url' in differ else ''}"
        )
