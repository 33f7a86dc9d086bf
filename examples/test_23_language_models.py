"""A service that answers token by token, in the manner of OpenAI's API.

The time to the first token and the gaps between tokens are measured as they arrive; how
many tokens a second an answer has is a metric of this suite.
"""

import pytest

from pytest_k6api import Counter, Trend

tokens = Counter("llm_tokens")
tokens_per_second = Trend("llm_tokens_per_second")


@pytest.mark.scenario(
    vus=5,
    iterations=30,
    thresholds={
        "sse_time_to_first_event": ["p(95)<3000"],  # time to first token
        "sse_event_gap": ["p(95)<500"],  # inter-token latency
        "llm_tokens_per_second": ["p(10)>2"],  # nine answers of ten are quicker than that
        "http_req_duration{name:chat}": ["p(95)<10000"],  # the whole answer
        "sse_failed": ["rate<0.01"],
    },
)
async def test_questions(vu):
    question = {
        "model": "tea-1",
        "stream": True,
        "messages": [{"role": "user", "content": "How long does tea take?"}],
    }
    answer, first = [], 0.0
    async with vu.http.sse(
        "/v1/chat/completions", method="POST", json=question, name="chat", total_timeout=60
    ) as events:
        async for event in events:
            if event.data == "[DONE]":
                continue  # the end of the body follows, and the connection can be used again
            delta = event.json()["choices"][0]["delta"]
            if "content" in delta:
                first = first or events.elapsed
                answer.append(delta["content"])
                last = events.elapsed

    vu.check(answer, {"says how long": lambda answer: "minutes" in "".join(answer)})
    tokens.add(len(answer))
    if len(answer) > 1 and last > first:
        tokens_per_second.add((len(answer) - 1) / (last - first))
