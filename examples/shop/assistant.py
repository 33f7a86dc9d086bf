"""The shop's assistant: answers in the manner of OpenAI's API, token by token.

``/news`` tells what is new, and begins again where a reader stopped.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import trio
from quart import Response, request
from quart_trio import QuartTrio

ANSWER = (
    "A green tea wants water that does not boil any more, and two minutes. "
    "A black one takes boiling water, and four."
)
SECONDS_TO_THINK = 0.02
SECONDS_FOR_A_TOKEN = 0.002
NEWS = ("Sencha is back", "Assam is cheaper", "We close at six", "Free cups today")


def add_assistant(app: QuartTrio) -> None:
    """Add the routes to `app`."""

    @app.post("/v1/chat/completions")
    async def complete() -> Any:  # JSON, or Quart's own response
        body = await request.get_json()
        tokens = [f"{word} " for word in ANSWER.split()][: body.get("max_tokens", 1000)]
        if not body.get("stream"):
            await trio.sleep(SECONDS_TO_THINK + SECONDS_FOR_A_TOKEN * len(tokens))
            message = {"role": "assistant", "content": "".join(tokens)}
            return {"choices": [{"message": message, "finish_reason": "stop"}]}
        return _events(_complete(tokens))

    @app.get("/news")
    async def news() -> Any:  # Quart's own response
        return _events(_news(int(request.headers.get("Last-Event-ID", -1)) + 1))


def _events(stream: AsyncIterator[bytes]) -> Response:
    response = Response(stream, content_type="text/event-stream")
    response.timeout = None
    return response


async def _complete(tokens: list[str]) -> AsyncIterator[bytes]:
    await trio.sleep(SECONDS_TO_THINK)
    for token in tokens:
        yield _chunk({"index": 0, "delta": {"content": token}, "finish_reason": None})
        await trio.sleep(SECONDS_FOR_A_TOKEN)
    yield _chunk({"index": 0, "delta": {}, "finish_reason": "stop"})
    yield b"data: [DONE]\n\n"


def _chunk(choice: dict[str, object]) -> bytes:
    chunk = {"object": "chat.completion.chunk", "model": "tea-1", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


async def _news(start: int) -> AsyncIterator[bytes]:
    # Two at a time: a reader comes again for the others.
    yield b"retry: 10\n\n"
    for number, text in list(enumerate(NEWS))[start : start + 2]:
        yield f"id: {number}\nevent: news\ndata: {text}\n\n".encode()
        await trio.sleep(SECONDS_FOR_A_TOKEN)
