"""The virtual user that scenarios get, with and without ``await``.

Everything here is on the hot path of some scenario: a check or a group costs well
under a microsecond (``benchmarks/bench_iteration.py``). The code around an iteration
is in `runner`.
"""

import inspect
import math
import random
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeVar

import trio

from pytest_k6api.model import CHECK_ROWS, current_recorder
from pytest_k6api.protocols import Advised
from pytest_k6api.protocols.http import Client, SyncClient, describe_exchange
from pytest_k6api.vu.context import VU_ADVICE, LoadContext, Ruling
from pytest_k6api.vu.steps import (
    CheckedBlock,
    Group,
    GroupStack,
    MeasuredBlock,
    VUTags,
    calling_line,
)
from pytest_k6api.vu.thread import VUThread

if TYPE_CHECKING:
    from pytest_k6api.protocols.grpc import GrpcClient, SyncGrpcClient
    from pytest_k6api.protocols.websocket import SyncWebSocketClient, WebSocketClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class VUContext:
    """Parts of a virtual user.

    Attributes:
        number: The VU's number, from 1; 0 in setup and teardown.
        load: The load test.
        groups: Its recorder, stopwatch, open groups and current tag context.
        client: Its HTTP client.
        scenario: The name of its scenario; empty in setup and teardown.
        env: Values of its `env`.
    """

    number: int
    load: LoadContext
    groups: GroupStack
    client: Client
    scenario: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


class BaseVU(Advised):
    """Base of the virtual users of async and of synchronous scenarios.

    Attributes:
        id: The number of the VU in its load test, from 1; 0 in setup and teardown.
        iteration: Number of iterations that it started before this one.
        scenario: The name of its scenario; empty in setup and teardown.
        env: The scenario's `env`.
    """

    advice = VU_ADVICE

    __slots__ = (
        "_client",
        "_data",
        "_groups",
        "_grpc",
        "_load",
        "_paced_at",
        "_random",
        "_recorder",
        "_tags",
        "_web_sockets",
        "env",
        "id",
        "iteration",
        "scenario",
    )

    def __init__(self, context: VUContext) -> None:
        self.id = context.number
        self.iteration = 0
        self.scenario = context.scenario
        self.env = context.env
        self._load = context.load
        self._groups = context.groups
        self._recorder = context.groups.recorder
        self._client = context.client
        self._paced_at = 0.0
        # Made at their first use: most of the many VUs need none.
        self._data: SimpleNamespace | None = None
        self._random: random.Random | None = None
        self._tags: VUTags | None = None
        self._web_sockets: WebSocketClient | None = None
        self._grpc: GrpcClient | None = None

    @property
    def data(self) -> SimpleNamespace:
        """A namespace for values that the VU keeps from iteration to iteration."""
        if self._data is None:
            self._data = SimpleNamespace()
        return self._data

    @property
    def random(self) -> random.Random:
        """The VU's own RNG, seeded by ``--k6-seed`` and the VU's number."""
        if self._random is None:
            self._random = random.Random(f"{self._load.seed}:{self.id}")
        return self._random

    def _go_on(self, iterations: int) -> None:
        self.iteration = iterations - 1
        if iterations:
            # Not what the first iterations drew: that would make their test data once more.
            self._random = random.Random(f"{self._load.seed}:{self.id}:{iterations}")

    @property
    def tags(self) -> VUTags:
        """Tags on all later samples of this VU, over those of its scenario."""
        if self._tags is None:
            self._tags = VUTags(self._groups)
        return self._tags

    def group(self, name: str) -> Group:
        """Return a context manager for one step of the iteration.

        Samples of the step are tagged with the group, and its duration is
        recorded. Groups nest.

        Raises:
            GroupError: On entering, if `name` contains ``::``.
        """
        return Group(self._groups, name)

    def check(self, value: T, checks: Mapping[str, Callable[[T], object] | bool]) -> bool:
        """Check `value` by named predicates, and count each; exceptions are failed checks.

        Args:
            value: The argument of the predicates.
            checks: By name, a predicate or a bool. A predicate that raises is a failed
                check, and the report shows the exception.

        Returns:
            Whether all checks passed.

        Raises:
            GroupError: A name contains ``::``.
            TypeError: `checks` is no dict.

        Source: k6 v1.1.0, ``internal/js/modules/k6/k6.go``, ``Check``.
        """
        recorder = self._recorder
        context = recorder.context
        record = recorder.buffer.rows[CHECK_ROWS].append
        all_passed = True
        try:
            items = checks.items()
        except AttributeError:
            raise TypeError(
                "vu.check() takes a value and a dict of named checks, such as vu.check(response,"
                ' {"status is 200": lambda r: r.status_code == 200}); got'
                f" {type(checks).__name__} {checks!r}"
            ) from None
        for name, question in items:
            tags_id = context.checks.get(name)
            if tags_id is None:
                tags_id = context.check_id(name)
            try:
                answer = question(value) if callable(question) else question
                passed = answer is True or _is_true(name, answer)
            except self._load.exceptions.caught as error:
                passed = all_passed = False
                self._add_raised(name, error)
            else:
                if not passed:
                    all_passed = False
                    self._load.failures.add_check(name, self, location=calling_line(2))
            record((tags_id, 1.0 if passed else 0.0))
        if recorder.failed is not None and recorder.failed is value and all_passed:
            recorder.buffer.accepted[recorder.failed_tags] = None
        return all_passed

    def _add_raised(self, name: str, error: BaseException) -> None:
        if self._load.exceptions.judge(error) is not Ruling.FAILED:
            raise error  # such as pytest.exit()
        self._load.failures.add_check(name, self, error=error)

    def checked(self, name: str) -> CheckedBlock:
        """Return a context manager that counts its block as the check `name`.

        The check passes if the block raises nothing. An exception is kept for the
        report and not passed on; interruptions and skips are passed on.

        Raises:
            GroupError: On leaving, if `name` contains ``::``.
        """
        return CheckedBlock(
            name,
            witness=self,
            recorder=self._recorder,
            failures=self._load.failures,
            rules=self._load.exceptions,
        )

    def measure(self, name: str, tags: Mapping[str, object] | None = None) -> MeasuredBlock:
        """Return a context manager that measures its block: a query, a message, a call of an SDK.

        Its duration goes into the trend ``measured_duration``, and whether it raised
        into the rate ``measured_failed``, both with the tag ``name``. Exceptions are
        passed on. A block that is interrupted or skipped is not recorded.

        Args:
            name: Name of the block, such as ``"db query"``. Each name is a time series,
                so use few.
            tags: More tags for these samples; values are converted to strings.
        """
        return MeasuredBlock(name, tags, stack=self._groups, rules=self._load.exceptions)

    def describe_last_exchange(self) -> str:
        """Return the last request and its response as text; empty if there was none."""
        response = self._client.last_response
        return describe_exchange(response) if response is not None else ""

    def close(self) -> None:
        """Close its connections at once."""
        if self._web_sockets is not None:
            self._web_sockets.close()
        if self._grpc is not None:
            self._grpc.close()
        self._client.close()

    def share_memory(self, other: "BaseVU") -> None:
        """Share data, tags and RNG with `other`, which is the same virtual user."""
        self._data, self._tags, self._random = other.data, other.tags, other.random

    # What few load tests use is imported when one does.

    def _open_web_sockets(self) -> "WebSocketClient":
        if self._web_sockets is None:
            from pytest_k6api.protocols.websocket import WebSocketClient

            self._web_sockets = WebSocketClient(self._client, self._recorder)
        return self._web_sockets

    def _open_grpc(self) -> "GrpcClient":
        if self._grpc is None:
            from pytest_k6api.protocols.grpc import GrpcClient

            self._grpc = GrpcClient(self._client, self._recorder)
        return self._grpc

    def _now(self) -> float:
        return self._groups.now()

    def _left_to_pace(self, seconds: float) -> float:
        # Counted from the due time before, not from now: small delays do not add up
        # within an iteration.
        now = self._now()
        self._paced_at = due = max(self._paced_at + read_wait("pace", seconds), now)
        return due - now

    def __repr__(self) -> str:
        return f"<VU {self.id} of {self.scenario}, iteration {self.iteration}>"


class VU(BaseVU):
    """The virtual user of an async scenario.

    Attributes:
        http: The VU's HTTP client.
    """

    __slots__ = ("http",)

    def __init__(self, context: VUContext) -> None:
        super().__init__(context)
        self.http: Client = context.client

    @property
    def ws(self) -> "WebSocketClient":
        """The VU's WebSocket client."""
        return self._open_web_sockets()

    @property
    def grpc(self) -> "GrpcClient":
        """The VU's gRPC client."""
        return self._open_grpc()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`.

        Raises:
            ValueError: `seconds` is negative, not finite or no number.
        """
        await trio.sleep(read_wait("sleep", seconds))

    async def pace(self, seconds: float) -> None:
        """Wait until `seconds` after the iteration began, or after the last call in it.

        A VU that is late does not wait, and does not catch up afterwards.

        Raises:
            ValueError: `seconds` is negative, not finite or no number.
        """
        await trio.sleep(self._left_to_pace(seconds))

    def stop(self, reason: str = "") -> None:
        """End the load test, not only this VU; `reason` is shown in its report."""
        self._load.stop(reason)


class SyncVU(BaseVU):
    """The virtual user of a scenario that is an ordinary function; used in its own thread.

    Requests, database drivers and SDKs work there as they are. Neither the VU nor its
    HTTP client is used with ``await``.
    """

    __slots__ = ("_thread", "http")

    def __init__(self, context: VUContext, thread: VUThread) -> None:
        super().__init__(context)
        self._thread = thread
        self.http = SyncClient(context.client, thread.call, thread.call_soon)

    @property
    def ws(self) -> "SyncWebSocketClient":
        """The VU's WebSocket client."""
        from pytest_k6api.protocols.websocket import SyncWebSocketClient

        return SyncWebSocketClient(
            self._open_web_sockets(), self._thread.call, self._thread.call_soon
        )

    @property
    def grpc(self) -> "SyncGrpcClient":
        """The VU's gRPC client."""
        from pytest_k6api.protocols.grpc import SyncGrpcClient

        return SyncGrpcClient(self._open_grpc(), self._thread.call, self._thread.call_soon)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`.

        Raises:
            ValueError: `seconds` is negative, not finite or no number.
        """
        self._thread.call(trio.sleep, read_wait("sleep", seconds))

    def pace(self, seconds: float) -> None:
        """Wait until `seconds` after the iteration began, or after the last call in it.

        A VU that is late does not wait, and does not catch up afterwards.

        Raises:
            ValueError: `seconds` is negative, not finite or no number.
        """
        self._thread.call(trio.sleep, self._left_to_pace(seconds))

    def stop(self, reason: str = "") -> None:
        """End the load test, not only this VU; `reason` is shown in its report."""
        self._thread.call_soon(self._load.stop, reason)


current_vu: ContextVar[BaseVU] = ContextVar("pytest_k6api_vu")
"""The virtual user that runs the current task or thread."""


def become(vu: BaseVU) -> None:
    """Make `vu` and its recorder the current ones of this task or thread."""
    current_vu.set(vu)
    current_recorder.set(vu._recorder)


def read_wait(call: str, seconds: object) -> float:
    """Return `seconds` as a valid time to wait; `call` is the method for the message."""
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if is_number and 0 <= seconds < math.inf:  # type: ignore[operator]  # it is a number
        return float(seconds)  # type: ignore[arg-type]
    raise ValueError(f"vu.{call}() takes a number of seconds, 0 or more, got {seconds!r}")


def _is_true(name: str, answer: object) -> bool:
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()  # or Python warns that it was never awaited
        raise TypeError(f"the check {name!r} is async; await first, and check what that gives")
    return bool(answer)
