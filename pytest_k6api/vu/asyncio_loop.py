"""The asyncio loop of a load test, for scenarios that use libraries of asyncio.

It is trio-asyncio's, and runs inside of Trio: `trio_asyncio.aio_as_trio` calls into it.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def asyncio_loop() -> AsyncIterator[None]:
    """Run an asyncio loop beside the block if the suite has imported trio-asyncio.

    Other suites do not have it, or do not use it, and pay nothing.
    """
    trio_asyncio = sys.modules.get("trio_asyncio")
    if trio_asyncio is None:
        yield
    else:
        async with trio_asyncio.open_loop():
            yield
