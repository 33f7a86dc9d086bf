"""A gRPC client of a virtual user, and what it records, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from pytest_k6api.protocols.grpc import GrpcClient
from pytest_k6api.protocols.grpc.rows import GRPC_CALL_ROWS
from tests.protocols.http.serving import Harness, a_tester


class Caller(NamedTuple):
    tester: Harness
    client: GrpcClient

    def rows(self, kind: Any = GRPC_CALL_ROWS) -> list[Any]:
        return self.tester.recorder.buffer.rows[kind]

    def tags(self, index: int = -1) -> dict[str, str]:
        tags = dict(self.tester.table[self.rows()[index][0]])
        del tags["scenario"], tags["group"]
        return tags


@asynccontextmanager
async def calling(**options: Any) -> AsyncIterator[Caller]:
    async with a_tester(**options) as tester:
        client = GrpcClient(tester.client, tester.recorder)
        yield Caller(tester, client)
        client.close()
