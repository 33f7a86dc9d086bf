"""Several exchanges of one connection that one task waits for: a batch without a task for each."""

from collections.abc import Iterable
from time import perf_counter_ns

from pytest_k6api.protocols.http.h2.exchange import Http2Carrier, Http2Exchange
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.multiplexed import RequestBlock, Waiter

_FIRST_REDIRECT = 300


class Http2Together(Waiter):
    """Requests that were sent in one piece, and whose responses are waited for at once.

    Attributes:
        exchanges: In the order of the requests.
    """

    __slots__ = ("_carrier", "exchanges")

    def __init__(self, connection: Http2Carrier) -> None:
        super().__init__(connection)
        self._carrier = connection
        self.exchanges: list[Http2Exchange] = []

    def __repr__(self) -> str:
        return f"<Http2Together {self.exchanges!r}>"

    def begin(
        self, requests: Iterable[tuple[PreparedRequest, RequestBlock]], deadline: int
    ) -> None:
        """Send requests without bodies, each with its header block; the connection takes them."""
        carrier, wires = self._carrier, []
        for request, block in requests:
            exchange = carrier.spare.pop() if carrier.spare else Http2Exchange(carrier)
            wires.append(exchange.begin(request, block, deadline))
            exchange.group = self
            self.exchanges.append(exchange)
        carrier.send_soon(b"".join(wires))

    async def wait_for_all(self) -> bool:
        """Wait for the responses; return whether all have come and none is more than one.

        A redirect, a failure, one that is overdue: each ends the wait, so that what follows
        from it need not wait for the others. Each exchange can be waited for by itself then.
        """
        try:
            while (is_over := self._is_over()) is None:
                await self.wait()
        finally:
            for exchange in self.exchanges:
                exchange.group = None
        return is_over

    def _is_over(self) -> bool | None:
        """Return whether all is well at the end; None before."""
        now, is_over = perf_counter_ns(), True
        for exchange in self.exchanges:
            block = exchange.block
            if not exchange.is_complete:
                if exchange.error is not None or exchange.deadline <= now:
                    return False
                is_over = False
            elif block is None or block.status >= _FIRST_REDIRECT:
                return False
        return is_over or None
