"""The markers as typed decorators, so that editors complete their options.

``@scenario(vus=10)`` is ``@pytest.mark.scenario(vus=10)``, and ``@load_test``
likewise; ``@vu_fixture`` makes a fixture with a value for each virtual user.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

import pytest

from pytest_k6api.model import Stage

Marked = TypeVar("Marked", bound=Callable[..., object])
PerVU = TypeVar("PerVU", bound=Callable[..., object])
Duration = float | str
ThresholdEntry = str | Mapping[str, object]
Thresholds = Mapping[str, Sequence[ThresholdEntry]]

Executor = Literal[
    "shared-iterations",
    "per-vu-iterations",
    "constant-vus",
    "ramping-vus",
    "constant-arrival-rate",
    "ramping-arrival-rate",
    "externally-controlled",
]

_PER_VU = "_k6api_per_vu"


class LoadTestKeywords(TypedDict, total=False):
    """Options of a load test as a whole; see the reference of options."""

    thresholds: Thresholds
    setup: Callable[..., object]
    teardown: Callable[..., object]
    setup_timeout: Duration
    teardown_timeout: Duration
    base_url: str
    http_versions: Literal["auto", "1.1", "2", "2-prior-knowledge", "3"]
    discard_response_bodies: bool
    no_connection_reuse: bool
    no_vu_connection_reuse: bool
    checks: Literal["fail", "record"]
    requests: Literal["fail", "record"]
    fail_fast: bool
    worker_fixtures: Sequence[str]


class ScenarioKeywords(LoadTestKeywords, total=False):
    """Options of a scenario; outside a class it is a load test of its own."""

    executor: Executor
    vus: int
    duration: Duration
    iterations: int
    stages: Sequence[tuple[Duration, int] | Mapping[str, Duration | int] | Stage]
    start_vus: int
    rate: float
    start_rate: float
    time_unit: Duration
    pre_allocated_vus: int
    max_vus: int
    max_duration: Duration
    start_time: Duration
    after: str
    graceful_stop: Duration
    graceful_ramp_down: Duration
    min_iteration_duration: Duration
    tags: Mapping[str, str | int | float]
    env: Mapping[str, str | int | float]


@overload
def scenario(function: Marked, /) -> Marked: ...
@overload
def scenario(**options: Unpack[ScenarioKeywords]) -> Callable[[Marked], Marked]: ...
def scenario(
    function: Marked | None = None, /, **options: Unpack[ScenarioKeywords]
) -> Marked | Callable[[Marked], Marked]:
    """Mark a test function as a scenario that virtual users run.

    Without options one VU runs it once, so that the same file is a functional
    test. The reference of options lists the options of each executor. Durations are
    seconds, or text with units such as ``"1m30s"``. An option that cannot be used is
    an error of the test, reported at collection, before the first request.

    Returns:
        `function`, marked; without it a decorator that marks.
    """
    mark = pytest.mark.scenario(**options)
    return mark(function) if function is not None else mark


@overload
def load_test(cls: Marked, /) -> Marked: ...
@overload
def load_test(**options: Unpack[LoadTestKeywords]) -> Callable[[Marked], Marked]: ...
def load_test(
    cls: Marked | None = None, /, **options: Unpack[LoadTestKeywords]
) -> Marked | Callable[[Marked], Marked]:
    """Mark a class whose scenarios run together, as one load test.

    Its methods that are marked ``scenario`` share one clock, one set of metrics,
    thresholds, setup and teardown, and an instance of the class. A class without
    any, like an option that cannot be used, is an error of the test.

    Returns:
        `cls`, marked; without it a decorator that marks.
    """
    mark = pytest.mark.load_test(**options)
    return mark(cls) if cls is not None else mark


@overload
def vu_fixture(function: PerVU, /) -> PerVU: ...
@overload
def vu_fixture() -> Callable[[PerVU], PerVU]: ...
def vu_fixture(
    function: Callable[..., Any] | None = None, /
) -> Any:  # a fixture definition, of a type that is private to pytest
    """Make `function` a fixture with a value for each virtual user.

    The function is async or not, and returns its value or yields it once; the code
    after the yield runs when the VU ends. It runs on the VU's first iteration. It may ask for ``vu``, for ordinary fixtures (one value for all
    VUs), and for other VU fixtures. One that raises fails the iteration, and the
    next iteration tries again.

    To pytest it is an ordinary fixture, so it is found and overridden as
    fixtures are: in the module, its class, a conftest.py or a plugin. An ordinary
    test that asks for it fails, because it has no virtual user.

    Raises:
        TypeError: `function` is not a function.
    """
    if function is None:
        return vu_fixture
    if not inspect.isroutine(function):
        raise TypeError(f"@vu_fixture decorates a function, got {function!r}")

    @functools.wraps(function)
    def per_vu(*bound: object, request: pytest.FixtureRequest, **values: object) -> object:
        from pytest_k6api.plugin.collection.per_vu import refuse_ordinary_test
        from pytest_k6api.vu import VUFixture

        refuse_ordinary_test(request)
        if "request" in signature.parameters:
            values["request"] = request
        # `bound` is the instance, for a fixture in a class.
        return VUFixture(functools.partial(function, *bound) if bound else function, values)

    # pytest takes the arguments from the signature. With `__wrapped__` it would find
    # the async function and run it by itself.
    signature = inspect.signature(function)
    vars(per_vu).update({"__signature__": _with_request(signature), _PER_VU: True})
    del per_vu.__wrapped__
    return pytest.fixture(per_vu)


def is_vu_fixture(function: object) -> bool:
    """Return whether `function` was made by `vu_fixture`."""
    return hasattr(function, _PER_VU)


def _with_request(signature: inspect.Signature) -> inspect.Signature:
    parameters = dict(signature.parameters)
    if "request" not in parameters:
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters["request"] = inspect.Parameter("request", kind)
    return signature.replace(parameters=list(parameters.values()))
