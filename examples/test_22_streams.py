"""Responses that are read as they come, and server-sent events.

Both are requests like all others, with names, tags, checks and thresholds. A loop over
them may be left at any time.
"""

import pytest


@pytest.mark.scenario(vus=2, iterations=20)
async def test_a_download(vu):
    async with vu.http.stream("GET", "/products", timeout=5, total_timeout=30) as response:
        vu.check(response, {"status is 200": lambda r: r.status_code == 200})
        size = 0
        async for piece in response.aiter_bytes():
            size += len(piece)
    vu.check(
        size, {"came as a whole": lambda size: size == int(response.headers["content-length"])}
    )


@pytest.mark.scenario(
    vus=2,
    iterations=20,
    thresholds={"sse_time_to_first_event": ["p(95)<2000"], "sse_failed": ["rate==0"]},
)
async def test_a_feed(vu):
    news = []
    # The service ends each connection after two events; where it goes on it learns from the id.
    async with vu.http.sse("/news", reconnections=3) as events:
        async for event in events:
            news.append(event.data)
            if len(news) == 4:
                break
    vu.check(events.last_event_id, {"nothing was missed": lambda last_id: last_id == "3"})


@pytest.mark.scenario(vus=2, iterations=20)
def test_a_feed_in_an_ordinary_function(vu):
    with vu.http.sse("/news", last_event_id="1", reconnections=0) as events:
        news = [event.data for event in events]
    vu.check(news, {"the rest of it": lambda news: news == ["We close at six", "Free cups today"]})
