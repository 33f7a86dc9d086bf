"""The workers of a load test: what each of them does, and how it is doing."""

from msgspec import Struct, convert

from pytest_k6api.api.documents import Document
from pytest_k6api.api.messages import Call, Endpoint, Reply
from pytest_k6api.model import WorkerState, WorkerStatus


class WorkerAttributes(Struct, frozen=True, rename="kebab"):
    """A worker at this moment; times in seconds, memory in bytes, cpu as a share of a core."""

    share: int
    place: str
    state: WorkerState
    vus: int
    rate: float | None
    cpu: float
    memory: int
    late: float
    clock_offset: float
    last_heard: float | None
    lost: str
    lost_at: float | None
    kept_until: float | None
    follows: int | None
    began_at: float | None
    limits: tuple[str, ...]


class WorkerData(Struct, frozen=True, tag_field="type", tag="workers"):
    """A worker; its id is its number, from 1."""

    id: str
    attributes: WorkerAttributes


@Endpoint("GET", "/v1/workers", each_test=True)
async def list_workers(call: Call) -> Reply[Document[list[WorkerData]]]:
    """List the workers with their states, loads and clocks; none without --k6-workers."""
    workers = await call.load_test.read(lambda now: now.workers)
    return Reply(Document([worker_data(worker) for worker in workers]))


def worker_data(worker: WorkerStatus) -> WorkerData:
    """Return `worker` as a document's data."""
    attributes = convert(worker, WorkerAttributes, from_attributes=True)
    return WorkerData(str(worker.number), attributes)
