"""Every recorded exchange with k6 v1.1.0, replayed against real load tests in the same phase.

The twins of k6's scripts run in threads, several at a time, behind real control
APIs. What is compared, and what is not, ``comparing.py`` says. What differs on
purpose is listed here with its reason, and the list is exact: an entry that
agrees with k6 fails as well.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.api.deviations import CUT_OFF, DEVIATIONS, NO_REPLY, reasons
from tests.api.recorded import Exchange, load_exchanges
from tests.run.comparing import differences
from tests.run.live import Answer, shop
from tests.run.playing import Player

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

RACY = "a race in k6 itself: it may be there already"
MORE_DEVIATIONS: dict[str, str] = {
    RACY: "method_GET_/v1/metrics/vus path_metrics_query",
    "samples are seen at once; k6's take up to 100 ms": "longiter_done",
    "any sub-metric can be asked for, in any spelling": "mall_sub_space_variation",
    "a threshold without samples fails": """
        mall_metric_my_unused_trend mall_metric_my_unused_rate mall_metric_my_unused_gauge""",
    "metrics are always collected": "nosum_no-summary_no-thresholds_metric_http_reqs",
    "an infinity is refused, not counted": "weird_metric_wr",
    "Python has one None where JavaScript has undefined and null": """
        setup_mode_null_post setup_mode_null_get""",
    "the texts of exceptions are Python's": """
        setup_mode_nan_post setup_mode_func_post setup_mode_throw_post""",
    "virtual users are initialised in no time: nobody sees the status 1": "init_status_1b",
    "an ended load test takes no commands": """
        resume_after_stop_while_paused status_after_resume_after_stop""",
}
# Where the API agrees with k6 if the load test does, and real load tests do.
ONLY_THE_FAKE = {"two_vus2"}

REASONS = {
    name: reason
    for name, reason in reasons(DEVIATIONS | MORE_DEVIATIONS).items()
    if name not in ONLY_THE_FAKE
}

# Workers tell within a second what they have measured, and how many virtual users they run.
TOLD_LATER = {"longiter_done", "stopped_false"}

UNSURE = {name for name, reason in REASONS.items() if reason in (RACY, CUT_OFF, NO_REPLY)}

EXCHANGES = load_exchanges()
AT_A_TIME = 6

Life = tuple[str, str, str]
Replies = dict[str, Answer | None]


def life_of(exchange: Exchange) -> Life:
    return exchange.script, " ".join(exchange.args), str(exchange.env)


def at(exchange: Exchange, address: str) -> Exchange:
    """Return `exchange` with the address of our server in place of the recorded one."""
    ours = address.replace(":", "%3A")
    request, response = (
        {
            name: value.replace("127.0.0.1%3A18081", ours).replace("127.0.0.1:18081", address)
            if isinstance(value, str)
            else value
            for name, value in part.items()
        }
        for part in (exchange.request, exchange.response)
    )
    return replace(exchange, request=request, response=response)


class Theatre:
    """All lives, played beside each other."""

    def __init__(self, address: str, pool: ThreadPoolExecutor, workers: int) -> None:
        lives: dict[Life, list[Exchange]] = {}
        self.unsure = UNSURE | TOLD_LATER if workers else UNSURE
        self.exchanges = {each.name: at(each, address) for each in EXCHANGES}
        for exchange in self.exchanges.values():
            lives.setdefault(life_of(exchange), []).append(exchange)
        self._plays: dict[Life, Future[Replies]] = {
            # The long ones first.
            life: pool.submit(
                Player(
                    some,
                    address,
                    deviating=set(REASONS) - self.unsure,
                    unsure=self.unsure,
                    workers=workers,
                ).play
            )
            for life, some in sorted(lives.items(), key=lambda item: -len(item[1]))
        }

    def reply(self, exchange: Exchange) -> Answer | None:
        return self._plays[life_of(exchange)].result(60)[exchange.name]


@pytest.fixture(scope="module", params=[0, 2], ids=["one process", "two workers"])
def theatre(request: pytest.FixtureRequest) -> Iterator[Theatre]:
    with shop() as address, ThreadPoolExecutor(AT_A_TIME) as pool:
        yield Theatre(address, pool, request.param)


@pytest.mark.parametrize("name", [exchange.name for exchange in EXCHANGES])
def test_a_real_load_test_answers_as_k6_did(name: str, theatre: Theatre) -> None:
    exchange = theatre.exchanges[name]
    reason = REASONS.get(name)

    reply = theatre.reply(exchange)

    if reason == NO_REPLY or reply is None:
        assert reason == NO_REPLY
        return
    if reason == CUT_OFF:
        assert (reply.status, reply.type) == (200, "application/json")
    elif reason == RACY or name in theatre.unsure:
        assert reply.status in (200, 404)
    elif reason is not None:
        assert differences(exchange, reply), f"it agrees with k6: {reason}"
    else:
        assert differences(exchange, reply) == []
