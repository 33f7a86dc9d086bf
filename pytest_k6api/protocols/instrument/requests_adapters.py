"""Adapters of requests whose connections are measured; requests is not imported.

The class of an adapter becomes one derived from it, so that its retries, its pool and
what a subclass does stay as they were.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from pytest_k6api.protocols.instrument.foreign_exchange import Instrumentation
from pytest_k6api.protocols.instrument.urllib3_pools import exchange_of, measure_pools


def measure_session(session: Any, instrumentation: Instrumentation) -> None:
    """Measure the requests of `session`, a ``Session`` of requests, from now on.

    Raises:
        TypeError: One of its adapters does not send with urllib3.
    """
    for prefix, adapter in session.adapters.items():
        if not hasattr(adapter, "poolmanager") or not hasattr(adapter, "build_response"):
            raise TypeError(
                f"instrument() measures a session by the connections of its adapters, but"
                f" {adapter!r}, mounted at {prefix!r}, has no urllib3.PoolManager; mount a"
                " requests.adapters.HTTPAdapter, or measure its calls with vu.measure()"
            )
    for adapter in session.adapters.values():
        kind: Any = type(adapter)
        adapter.__class__ = _adapter_class(kind)
        adapter.instrumentation = instrumentation
        measure_pools(adapter.poolmanager, instrumentation)
        for manager in adapter.proxy_manager.values():
            measure_pools(manager, instrumentation)


@cache
def _adapter_class(kind: Any) -> type:
    if issubclass(kind, _MeasuredAdapter):
        return kind  # type: ignore[no-any-return]  # it is a class
    return type(f"Measured{kind.__name__}", (_MeasuredAdapter, kind), {})


class _MeasuredAdapter:
    """Measures proxies too, and tells exchanges their response; a mixin to ``HTTPAdapter``."""

    instrumentation: Instrumentation
    proxy_manager: dict[str, Any]

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        base: Callable[..., Any] = super().proxy_manager_for  # type: ignore[misc]
        is_new = proxy not in self.proxy_manager
        manager = base(proxy, **options)
        if is_new:
            measure_pools(manager, self.instrumentation)
        return manager

    def build_response(self, request: Any, response: Any) -> Any:
        base: Callable[..., Any] = super().build_response  # type: ignore[misc]
        built = base(request, response)
        exchange = exchange_of(response)
        if exchange is not None:
            exchange.witness = built
        return built
