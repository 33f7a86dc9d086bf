"""A load test of one scenario without executors, network and report: what VU code writes into."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import trio

from pytest_k6api.model import (
    CHECK_ROWS,
    GROUP_ROWS,
    ITERATION_ROWS,
    IterationRow,
    Recorder,
    SampleBuffer,
    ScenarioOptions,
    TagContext,
    TagTable,
)
from pytest_k6api.protocols.http import Client
from pytest_k6api.vu import (
    ExceptionRules,
    Failure,
    FailureLog,
    LoadContext,
    RowClaims,
    ScenarioContext,
    SetupTeardown,
    UserFunction,
    VirtualUser,
)


class Skipped(BaseException):
    """Stands for pytest's outcome of that name, which is no Exception either."""


class Failed(BaseException):
    """Stands for pytest's outcome of that name, which is no Exception either."""


class Exit(Exception):
    """Stands for pytest's, which is an Exception."""


class FakeClient:
    """Stands for the HTTP client: `load` counts bytes as a request would."""

    no_vu_connection_reuse = False

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.last_response = None
        self.is_closed = False

    async def load(self, seconds: float = 0.0) -> int:
        self.recorder.bytes_sent += 100
        await trio.sleep(seconds)
        self.recorder.bytes_received += 900
        return 200

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeLoadTest:
    """One load test; make it inside of a Trio run."""

    options: ScenarioOptions = field(default_factory=lambda: ScenarioOptions(name="test_buy"))
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clients: list[FakeClient] = []
        self.stops: list[str] = []
        self.finishes: list[str] = []
        self.claims: dict[str, int] = {}
        self.table = TagTable()
        self.failures = FailureLog(trio.lowlevel.current_clock().current_time)
        self.context = LoadContext(
            buffer=SampleBuffer(),
            tag_context=TagContext(self.table, self.tags),
            make_client=self._make_client,
            failures=self.failures,
            stop=self.stops.append,
            finish=self.finishes.append,
            rows=RowClaims(self.claims.__setitem__),
            seed=7,
            exceptions=ExceptionRules(skips=(Skipped,), failures=(Failed,), exits=(Exit,)),
        )
        self.setup_data: str | None = None

    def scenario(self, function: Callable[..., object], **values: object) -> ScenarioContext:
        return ScenarioContext(
            load=self.context,
            options=self.options,
            function=UserFunction(function=function, values=values),
            setup_data=lambda: self.setup_data,
        )

    def user(self, function: Callable[..., object], **values: object) -> VirtualUser:
        return VirtualUser(1, self.scenario(function, **values))

    def setup_teardown(
        self,
        setup: Callable[..., object] | None = None,
        teardown: Callable[..., object] | None = None,
        *,
        setup_timeout: float = 60.0,
        teardown_timeout: float = 60.0,
    ) -> SetupTeardown:
        return SetupTeardown(
            load=self.context,
            setup=UserFunction(function=setup) if setup else None,
            teardown=UserFunction(function=teardown) if teardown else None,
            setup_timeout=setup_timeout,
            teardown_timeout=teardown_timeout,
        )

    def samples(self, metric: str, *tags: str) -> list[Any]:
        """Return the values written to `metric`, with those tags where some are named."""
        found: list[Any] = []
        buffer = self.context.buffer
        rows = [(kind.name, tags_id, value) for kind, tags_id, value in buffer.samples]
        rows += [("group_duration", tags_id, value) for tags_id, value in buffer.rows[GROUP_ROWS]]
        rows += [("checks", tags_id, value) for tags_id, value in buffer.rows[CHECK_ROWS]]
        for name, tags_id, value in rows:
            if name == metric:
                named = [self.table[tags_id].get(tag) for tag in tags]
                found.append((value, *named) if named else value)
        return found

    def iterations(self) -> list[IterationRow]:
        return self.context.buffer.rows[ITERATION_ROWS]

    def the_failure(self) -> Failure:
        (failure,) = self.failures.snapshot()
        return failure

    def _make_client(self, recorder: Recorder, _number: int) -> Client:
        self.clients.append(FakeClient(recorder))
        return cast("Client", self.clients[-1])  # the part of it that is used here
