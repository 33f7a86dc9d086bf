"""Every sample that k6 writes with ``--out json`` is found here under the same tags, as often."""

import json
import re
import socket
from collections import Counter
from http import HTTPStatus
from threading import Thread

import pytest

from tests.oracle.programs import free_port, run_k6, run_plugin, running_nginx

pytestmark = [pytest.mark.sockets, pytest.mark.k6_binary]

# Written by the clock, not by the script: how many there are depends on how long it took.
BY_THE_CLOCK = {"vus", "vus_max"}


def samples_of_k6(file):
    """Return how often k6 wrote each pair of a metric and its tags."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return Counter(
        (line["metric"], frozenset(line["data"]["tags"].items()))
        for line in lines
        if line["type"] == "Point" and line["metric"] not in BY_THE_CLOCK
    )


def by_key(samples):
    """Return for each of them the id of its sub-metric, and how many samples that has.

    The group of what is in no group is an empty text, which k6 lets nobody ask
    for: the sub-metric without that tag has these samples, and others, too.
    """
    found = {}
    for metric, tags in samples:
        asked = frozenset(tag for tag in tags if tag[1])
        key = f"{metric}{{{','.join(f'{name}:{value}' for name, value in sorted(asked))}}}"
        found[key if asked else metric] = sum(
            number
            for (other, others), number in samples.items()
            if other == metric and others >= asked
        )
    return found


def totals(samples):
    found: Counter[str] = Counter()
    for (metric, _), number in samples.items():
        found[metric] += number
    return found


def both(script, folder, told):
    """Return how many samples k6 has in each sub-metric and metric, and how many the plugin."""
    output = folder / "k6.json"
    run_k6(script, folder, told, "--out", f"json={output}")
    samples = samples_of_k6(output)
    expected = by_key(samples) | totals(samples)
    asked, answers = folder / "asked.json", folder / "answers.json"
    asked.write_text(json.dumps([*expected]))
    outcome = run_plugin(script, folder, {**told, "ASKED": str(asked), "ANSWERS": str(answers)})
    assert answers.exists(), outcome.printed
    return expected, json.loads(answers.read_text())


@pytest.fixture
def silent_url():
    # The kernel accepts connections into the backlog; nobody ever answers them.
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def test_a_shop_with_groups_checks_custom_metrics_and_setup(nginx, tmp_path):
    told = {"BASE_URL": nginx, "K6_BASE_URL": nginx, "EXECUTOR": "per-vu-iterations"}

    k6, plugin = both("shop", tmp_path, {**told, "VUS": "2", "ITERATIONS": "4"})

    assert plugin == k6
    assert len(k6) > 80


def test_a_shop_over_http2(tmp_path):
    with running_nginx(tmp_path, speaks_http2=True) as url:
        trusted = str(tmp_path / "authority.pem")
        told = {"BASE_URL": url, "K6_BASE_URL": url, "SSL_CERT_FILE": trusted}
        told |= {"K6_CA_FILE": trusted, "EXECUTOR": "per-vu-iterations"}

        k6, plugin = both("shop", tmp_path, {**told, "VUS": "2", "ITERATIONS": "4"})

    assert plugin == k6
    assert {proto for key in k6 for proto in re.findall(r"proto:([^,}]+)", key)} == {"HTTP/2.0"}


def test_requests_that_are_refused_late_missing_broken_or_moved(nginx, silent_url, tmp_path):
    closed = f"http://127.0.0.1:{free_port()}"
    told = {"BASE_URL": nginx, "K6_BASE_URL": nginx, "CLOSED_URL": closed, "SILENT_URL": silent_url}

    k6, plugin = both("trouble", tmp_path, told)

    assert plugin == k6
    codes = {code for key in k6 for code in re.findall(r"error_code:(\d+)", key)}
    assert codes == {"1212", "1050", "1404", "1500"}


@pytest.fixture
def chat_url():
    """A WebSocket server of the library `websockets`: it echoes, refuses, and leaves."""
    server = pytest.importorskip("websockets.sync.server")

    def talk(connection):
        if connection.request.path == "/leave":
            return
        for message in connection:
            connection.send(message)

    def refuse(connection, request):
        if request.path == "/refused":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no")
        return None

    chat = server.serve(talk, "127.0.0.1", 0, subprotocols=["chat"], process_request=refuse)
    with chat:
        Thread(target=chat.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{chat.socket.getsockname()[1]}"


def test_chats_over_websocket_as_k6_ws_counts_them(chat_url, tmp_path):
    k6, plugin = both("chat", tmp_path, {"WS_URL": chat_url})

    assert plugin == k6
    assert {key for key in k6 if "{" not in key and key.startswith("ws_")} == {
        "ws_sessions",
        "ws_connecting",
        "ws_session_duration",
        "ws_msgs_sent",
        "ws_msgs_received",
        "ws_ping",
    }


def test_chats_over_websocket_as_k6s_events_count_them(chat_url, tmp_path):
    closed = f"ws://127.0.0.1:{free_port()}"

    k6, plugin = both("chat_events", tmp_path, {"WS_URL": chat_url, "CLOSED_URL": closed})

    # There a close frame is a message, and the plugin's sessions that failed have no duration.
    for key in [key for key in k6 if key.startswith("ws_msgs_sent")]:
        assert (k6.pop(key), plugin.pop(key)) == (12, 8)
    assert plugin == k6
    assert sum(key.startswith("ws_sessions{") for key in k6) == 3
