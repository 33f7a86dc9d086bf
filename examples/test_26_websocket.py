"""WebSocket: a chat with the shop, one session for each customer.

The block of `async with` opens the session and closes it. What fails there (a handshake that
is refused, a server that hangs up) does not raise beyond the block: the session counts
in ``ws_failed`` and fails the load test, unless that is allowed.
"""

import json

import pytest

from pytest_k6api import vu_fixture


@vu_fixture
async def token(vu):
    credentials = {"user": f"user{vu.id}", "password": "let me in"}
    return (await vu.http.post("/login", json=credentials)).json()["token"]


@pytest.mark.scenario(
    vus=5,
    iterations=50,
    thresholds={
        "ws_connecting": ["p(95)<2000"],
        "ws_response_time{name:question}": ["p(95)<1000"],
    },
)
async def test_chat(vu, token):
    url = "/chat"  # below the base URL, or ws://… and wss://…
    async with vu.ws.connect(
        url, params={"token": token}, subprotocols=["chat.v1"], name="/chat"
    ) as ws:
        welcome = json.loads(await ws.receive())
        vu.check(welcome, {"knows me": lambda w: w["user"] == f"user{vu.id}"})

        for number in range(3):
            question = {"type": "question", "id": number, "text": "teapot"}

            def is_answer(message, number=number):
                return json.loads(message).get("id") == number

            answer = await ws.request(json.dumps(question), is_answer, name="question")
            vu.check(answer, {"is polite": lambda a: "We are looking" in a})

        await ws.send(json.dumps({"type": "bye"}))
        async for message in ws:  # what came meanwhile, until the shop closes
            vu.check(message, {"is typing": lambda m: json.loads(m) == {"type": "typing"}})


@pytest.mark.scenario(vus=2, iterations=10)
async def test_strangers_are_refused(vu):
    async with vu.ws.connect("/chat?token=stolen", expected_statuses=401, name="/chat") as ws:
        vu.check(ws.response, {"is refused": lambda r: r.status_code == 401})


@pytest.mark.scenario(vus=2, iterations=10)
def test_chat_without_async(vu):
    credentials = {"user": f"user{vu.id}", "password": "let me in"}
    token = vu.http.post("/login", json=credentials).json()["token"]
    options = {"params": {"token": token}, "subprotocols": ["chat.v1"], "name": "/chat"}
    with vu.ws.connect("/chat", **options) as ws:
        ws.receive()
        ws.send(json.dumps({"type": "question", "id": 1, "text": "cup"}))
        assert json.loads(ws.receive()) == {"type": "typing"}
        assert json.loads(ws.receive())["text"] == f"We are looking after your cup, user{vu.id}"


def test_all_chats_were_measured(k6):
    metrics = k6.metrics
    assert metrics["ws_sessions"].count == 10
    assert metrics["ws_failed"].rate == 0
    assert metrics["ws_msgs_sent"].count == 10
    assert metrics["ws_msgs_received"].count == 30
