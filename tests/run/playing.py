"""Brings real load tests into the phases in which k6 was asked, and asks them the same.

One life is a script as k6 ran it; its exchanges are played in the order of the
recording, and a new load test begins where the one before is past the phase.
"""

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pytest_k6api.run import LoadTest
from tests.api.recorded import Exchange
from tests.run.comparing import differences
from tests.run.in_loop_workers import workforce
from tests.run.live import Answer, Client, Live, Running, live, wait_until
from tests.run.twins import Twin, make_twin

LIFE = {
    "init-vus": 0,
    "paused-before-run": 1,
    "setup": 2,
    "running": 3,
    "paused-mid-run": 3,
    "stopping": 4,
    "ended-linger": 5,
    "interrupted-linger": 5,
}

# What was sent to k6 before without being recorded: a PUT, or a POST.
_BEFORE = {
    "setup_get_after_put_invalid": b'{"x":1}',
    "no_setup_fn_post_after_put": b"[1]",
    "setup_mode_false_get": None,
}

_ATTEMPTS = 5

# k6 was asked so early that its setup had hardly begun.
_IN_SETUP = {"mall_metrics_early", "mall_metric_unused_thr_empty"}


@dataclass
class _Now:
    """The load test that is on, and how far in its life it was brought."""

    twin: Twin
    load_test: LoadTest
    running: Running | None = None
    at: int = 0
    played: list[Exchange] = field(default_factory=list)


class Player:
    """Plays the exchanges of one life.

    Args:
        exchanges: All of them have the same script, arguments and environment.
        shop: Where HTTP requests go.
        deviating: Names of exchanges whose replies differ on purpose.
        unsure: Names of those that may differ, or not.
        workers: How many workers share each load test; 0 for none.
    """

    def __init__(
        self,
        exchanges: list[Exchange],
        shop: str,
        *,
        deviating: AbstractSet[str],
        unsure: AbstractSet[str],
        workers: int = 0,
    ) -> None:
        self._exchanges = exchanges
        self._shop = shop
        self._deviating = deviating
        self._unsure = unsure
        self._workers = workers
        self._now: _Now | None = None

    def play(self) -> dict[str, Answer | None]:
        """Return the replies by name; None where nobody waited for one."""
        with live() as stage:
            replies = {each.name: self._play(stage, each) for each in self._exchanges}
            self._leave(stage.client)
        return replies

    def _play(self, stage: Live, exchange: Exchange) -> Answer | None:
        answer = self._play_once(stage, exchange)
        for _ in range(_ATTEMPTS - 1):
            if self._is_as_expected(exchange, answer):
                break
            self._start_over(stage)
            answer = self._play_once(stage, exchange)
        if self._now is not None:
            self._now.played.append(exchange)
        return answer

    def _play_once(self, stage: Live, exchange: Exchange) -> Answer | None:
        phase = "setup" if exchange.name in _IN_SETUP else exchange.phase
        self._bring_to(stage, phase, exchange)
        if exchange.name in _BEFORE:
            data = _BEFORE[exchange.name]
            stage.client.send("POST" if data is None else "PUT", "/v1/setup", data)
        if exchange.response["status"] is None:
            with suppress(TimeoutError):
                self._ask(stage.client, exchange, timeout=0.3)
            return None
        answer = self._ask(stage.client, exchange)
        # Samples, thresholds and VUs come when they come; reading changes nothing.
        until = time.monotonic() + (4.0 if exchange.request["method"] == "GET" else 0.0)
        while not self._is_as_expected(exchange, answer) and time.monotonic() < until:
            time.sleep(0.02)
            answer = self._ask(stage.client, exchange)
        return answer

    def _is_as_expected(self, exchange: Exchange, answer: Answer | None) -> bool:
        if answer is None or exchange.name in self._unsure:
            return True
        return bool(differences(exchange, answer)) == (exchange.name in self._deviating)

    def _start_over(self, stage: Live) -> None:
        """Come to where we are with a new load test: a busy machine may have missed the moment."""
        played = self._now.played if self._now is not None else []
        self._leave(stage.client)
        for exchange in played:
            self._play_once(stage, exchange)
            if self._now is not None:
                self._now.played.append(exchange)

    def _ask(self, client: Client, exchange: Exchange, timeout: float = 20.0) -> Answer:
        request = exchange.request
        body = request.get("body")
        return client.send(
            request["method"],
            request["path"],
            None if body is None else body.encode(),
            request.get("headers", {}),
            timeout=timeout,
        )

    def _bring_to(self, stage: Live, phase: str, exchange: Exchange) -> None:
        now, client = self._now, stage.client
        if now is None or now.at > LIFE[phase]:
            self._leave(client)
            now = self._now = self._begin(stage, exchange)
        if LIFE[phase] > 0 and now.running is None:
            now.running = Running(now.load_test)
        if now.at < LIFE[phase] or LIFE[phase] == 3:
            _STEPS[LIFE[phase]](client, now, exchange)
        now.at = max(now.at, LIFE[phase])
        if _stops(exchange):
            now.at = 4

    def _begin(self, stage: Live, exchange: Exchange) -> _Now:
        twin = make_twin(exchange.script, exchange.args, exchange.env, self._shop)
        settings = twin.settings
        if self._workers:
            force, _ = workforce(self._workers, twin.plan, twin.code, settings)
            settings = replace(settings, workforce=force)
        return _Now(twin, stage.session.prepare(twin.plan, twin.code, settings))

    def _leave(self, client: Client) -> None:
        now, self._now = self._now, None
        if now is not None and now.running is not None:
            client.patch(stopped=True)
            now.twin.setup_gate.open()
            now.twin.teardown_gate.open()
            now.running.wait()


def _stops(exchange: Exchange) -> bool:
    body = exchange.request.get("body") or ""
    return exchange.request["method"] == "PATCH" and '"stopped": true' in body


def _pause_before_run(client: Client, _: _Now, __: Exchange) -> None:
    assert wait_until(lambda: client.status()["status"] == 4)


def _set_up(client: Client, now: _Now, _: Exchange) -> None:
    _resume_before_run(client, now)
    assert wait_until(lambda: client.status()["status"] == 6)


def _run(client: Client, now: _Now, exchange: Exchange) -> None:
    _resume_before_run(client, now)
    now.twin.setup_gate.open()
    # More than 7: a machine that is very slow; then only what is compared next differs.
    assert wait_until(lambda: client.status()["status"] >= 7)
    is_paused = exchange.phase == "paused-mid-run"
    if client.status()["paused"] != is_paused:
        client.patch(paused=is_paused)
    if exchange.script == "extctl" and not is_paused:
        vus, vus_max = (exchange.before.get(name, default) for name, default in _EXTCTL)
        status = client.status()
        if (status["vus"], status["vus-max"]) != (vus, vus_max):
            client.patch(vus=vus, vus_max=vus_max)
            assert wait_until(lambda: client.status()["vus"] == vus)


_EXTCTL = (("vus", 2), ("vus_max", 5))


def _stop(client: Client, now: _Now, _: Exchange) -> None:
    if not client.status()["stopped"]:
        client.patch(stopped=True)
    assert wait_until(lambda: client.status()["status"] >= 8)


def _end(client: Client, now: _Now, _: Exchange) -> None:
    if now.at < 4:
        _resume_before_run(client, now)
    now.twin.setup_gate.open()
    now.twin.teardown_gate.open()
    assert now.running is not None
    now.running.wait()


def _resume_before_run(client: Client, now: _Now) -> None:
    if now.at < 2 and now.twin.settings.paused:
        assert wait_until(lambda: client.status()["status"] >= 4)
        if client.status()["paused"]:
            client.patch(paused=False)


_STEPS: dict[int, Callable[[Client, _Now, Exchange], None]] = {
    1: _pause_before_run,
    2: _set_up,
    3: _run,
    4: _stop,
    5: _end,
}
