"""The parts of Hypercorn that are used beside its public interface are those that were read."""

import hashlib
import inspect
from importlib.metadata import version

import pytest
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

# A difference means: read the new source, mend hypercorn_server.py, then change the digest.
READ: dict[type, str] = {
    TCPServer: "5593e38b83d3e22e",
    H11Protocol: "b32a61e0a8ca2127",
    TaskGroup: "8467a3a16a7e8763",
    WorkerContext: "45885f0c0bd5bc9d",
}


@pytest.mark.parametrize("part", READ, ids=lambda part: part.__name__)
def test_the_inside_of_hypercorn_is_as_it_was_read(part: type) -> None:
    digest = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:16]

    assert digest == READ[part], f"Hypercorn {version('hypercorn')} has changed it"
