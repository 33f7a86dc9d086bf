"""A Dask cluster as the machines of workers: the same messages, carried by an agent on each.

Dask deploys, discovers, secures and restarts; here bytes go through its actors. It has an
asyncio loop in a thread of its own for as long as the session; `distributed`, which the
extra `cluster` brings, is imported when a cluster is asked for.
"""

import asyncio
import re
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import trio

from pytest_k6api.distributed.carriers import AgentGoneError, CarrierError
from pytest_k6api.distributed.cluster_agent import ClusterAgent
from pytest_k6api.model import OptionError

T = TypeVar("T")

_ADDRESS = re.compile(r"(?:tcp|tls|ucx|ws|wss)://[^/\s]+:\d{1,5}/?")
_CONNECT_TIME = 15.0
_CALL_TIME = 30.0


class DaskCluster:
    """The workers of a Dask cluster, as places for ours.

    Args:
        address: ``tcp://host:port``, ``tls://host:port``, or the path of a scheduler file.

    Raises:
        OptionError: The extra is not installed, there is no scheduler, or it has no workers.
    """

    def __init__(self, address: str) -> None:
        if find_spec("distributed") is None:
            raise OptionError(
                f"--k6-workers={address} needs the extra `cluster`: pip install"
                " 'pytest-k6api[cluster]'"
            )
        is_file = "://" not in address
        if is_file and not Path(address).is_file():
            raise OptionError(f"--k6-workers: there is no scheduler file {address!r}")
        if not is_file and not _ADDRESS.fullmatch(address):
            raise OptionError(
                f"--k6-workers: the scheduler of a Dask cluster is tcp://host:port or"
                f" tls://host:port, got {address!r}"
            )
        self._address = address
        self._loop = asyncio.SelectorEventLoop()  # not what a policy gives, such as trio-asyncio's
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="k6-cluster", daemon=True
        )
        self._thread.start()
        self._agents: list[Any] = []  # actors, which have no types
        self._doubtful: set[Any] = set()
        self._client: Any = None  # Dask's, whose types are few
        try:
            self.call(self._connect(), _CONNECT_TIME + _CALL_TIME)
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """How many workers it has: one of ours on each."""
        return len(self._agents)

    def machines(self, first: int) -> list[int]:
        """Return all machines by their numbers, from `first` on; last those that may be gone."""
        order = [*range(first, self.count), *range(first)]
        return sorted(order, key=lambda machine: self._agents[machine] in self._doubtful)

    def doubt(self, agent: Any) -> None:
        """Note that the machine of `agent` may be gone."""
        self._doubtful.add(agent)

    def ship(self, archive: bytes) -> list[str]:
        """Unpack a suite on each worker; return where."""
        return self.call(self._on_all("unpack", archive), 10 * _CALL_TIME)

    def start(
        self,
        machine: int,
        number: int,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        line_variable: str,
        folder: str,
        keeps_output: bool,
    ) -> "ClusterProcess":
        """Start the worker `number` on the machine that is the `machine`-th, from 0.

        Raises:
            AgentGoneError: The machine is not there any more.
            CarrierError: It cannot be started.
        """
        agent = self._agents[machine]
        starting = ask(
            agent, "start", number, [*arguments], {**environment}, line_variable, folder,
            keeps_output=keeps_output,
        )  # fmt: skip
        return ClusterProcess(self, agent, number, self.call(starting, _CALL_TIME))

    def call(self, coroutine: Coroutine[Any, Any, T], patience: float) -> T:
        """Run `coroutine` in the loop of Dask's client; for threads other than that.

        Raises:
            AgentGoneError: It took longer than `patience`.
            CarrierError: The cluster cannot be reached.
        """
        future = self.soon(coroutine)
        try:
            return future.result(patience)
        except TimeoutError:
            future.cancel()
            raise AgentGoneError(f"the cluster {self._address} does not answer") from None

    def soon(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run `coroutine` in the loop of Dask's client, without waiting."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Let go of the agents, and of the cluster; harmless when repeated."""
        if not self._thread.is_alive():
            return
        with suppress(Exception):
            self.call(self._leave(), _CALL_TIME)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_TIME)
        self._loop.close()

    async def _connect(self) -> None:
        from distributed import Client  # of Dask; it has hardly any types

        make: Any = Client
        is_connected = False
        place = "address" if "://" in self._address else "scheduler_file"
        try:
            self._client = client = make(
                **{place: self._address},
                asynchronous=True,
                direct_to_workers=True,
                set_as_default=False,
                timeout=_CONNECT_TIME,
                name="pytest-k6api",
            )
            await client
            is_connected = True
            await client.wait_for_workers(1, timeout=_CONNECT_TIME)
        except (OSError, TypeError, ValueError) as error:  # the second is TLS without certificates
            what = "has no workers" if is_connected else "cannot be reached"
            raise OptionError(
                f"--k6-workers: the scheduler {self._address} {what}: {error}"
            ) from None
        addresses = sorted((await client.scheduler.identity())["workers"])
        placing = [
            client.submit(
                ClusterAgent,
                actor=True,
                workers=[address],
                allow_other_workers=False,
                pure=False,
            )
            for address in addresses
        ]
        with client.as_current():  # an actor is bound to it
            self._agents = [await each for each in placing]

    async def _on_all(self, method: str, *args: Any) -> list[Any]:
        return [*await asyncio.gather(*(ask(agent, method, *args) for agent in self._agents))]

    async def _leave(self) -> None:
        self._agents.clear()
        if self._client is not None:
            await self._client.close()


async def ask(agent: Any, method: str, *args: Any, **options: Any) -> Any:
    """Return what an actor answers; in the loop of Dask's client.

    Raises:
        AgentGoneError: It is gone.
        CarrierError: It has refused.
    """
    try:
        return await getattr(agent, method)(*args, **options)
    except (CarrierError, asyncio.CancelledError):
        raise
    except Exception as error:
        raise AgentGoneError(
            f"the cluster's worker is gone: {type(error).__name__}: {error}"
        ) from error


class ClusterProcess:
    """A worker on a machine of the cluster: a `WorkerCarrier`."""

    def __init__(self, cluster: DaskCluster, agent: Any, number: int, name: str) -> None:
        self._cluster = cluster
        self._agent = agent
        self._number = number
        self.name = name
        self._lock = threading.Lock()
        self._received: deque[bytes] = deque()
        self._end: str | None = None
        self._wake: Callable[[], object] | None = None
        cluster.soon(self._keep_reading())

    async def send(self, frame: bytes) -> None:
        """Send a whole frame."""
        token, is_done = trio.lowlevel.current_trio_token(), trio.Event()

        def tell(_: object) -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(is_done.set)

        sending = self._cluster.soon(ask(self._agent, "write", self._number, frame))
        sending.add_done_callback(tell)
        await is_done.wait()
        if not sending.result():
            raise CarrierError(self._end or "it closed its line")

    async def receive(self) -> bytes:
        """Return the next bytes from the worker."""
        token = trio.lowlevel.current_trio_token()
        while True:
            is_there = trio.Event()
            with self._lock:
                if self._received:
                    return self._received.popleft()
                if self._end is not None:
                    raise CarrierError(self._end)
                self._wake = lambda event=is_there: token.run_sync_soon(event.set)
            await is_there.wait()

    def kill(self) -> None:
        """End the worker's process and all that it has started, at once."""
        if self._end is None:  # it has fallen silent, perhaps with its machine
            self._cluster.doubt(self._agent)
        self._cluster.soon(self._ignoring("kill"))

    def close(self, farewell: bytes) -> None:
        """Send the frame `farewell`, if it can be sent, and then no more."""
        self._cluster.soon(self._ignoring("end", farewell))

    def wait(self, patience: float) -> bool:
        """Wait until the process has ended, for `patience` seconds at most."""
        if self._end is not None:
            return True
        try:
            asking = ask(self._agent, "wait", self._number, patience)
            return bool(self._cluster.call(asking, patience + _CALL_TIME))
        except CarrierError:
            return True  # with its machine

    async def _ignoring(self, method: str, *args: Any) -> None:
        with suppress(CarrierError):
            await ask(self._agent, method, self._number, *args)

    async def _keep_reading(self) -> None:
        end: str | None = None
        while end is None:
            try:
                data, end = await ask(self._agent, "read", self._number)
            except CarrierError as error:
                self._cluster.doubt(self._agent)
                data, end = b"", str(error)
            if data or end is not None:
                self._keep(data, end)

    def _keep(self, data: bytes, end: str | None) -> None:
        with self._lock:
            if data:
                self._received.append(data)
            self._end = end
            wake, self._wake = self._wake, None
        if wake is not None:
            with suppress(trio.RunFinishedError):
                wake()
