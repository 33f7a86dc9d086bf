"""The client speaks as httpx does, and adds what load tests need.

A request that fails does not raise: it is counted, it has a status code of 0
without a response, and `response.error` says why.
"""

import pytest


@pytest.mark.scenario(vus=2, iterations=50)
async def test_ways_of_sending(vu):
    query = await vu.http.get("/echo", params={"page": 2})
    form = await vu.http.post("/echo", data={"colour": "green"})
    upload = await vu.http.put("/echo", files={"leaf": ("leaf.txt", b"green")})
    json = await vu.http.patch("/echo", json={"sugar": False}, headers={"X-Table": "7"})

    with vu.checked("everything arrives"):
        assert query.json()["query"] == {"page": "2"}
        assert form.json()["form"] == {"colour": "green"}
        assert upload.json()["files"] == {"leaf": "leaf.txt"}
        assert json.json()["json"] == {"sugar": False}
        assert json.json()["headers"]["X-Table"] == "7"


@pytest.mark.scenario(vus=2, iterations=50)
async def test_ways_of_answering(vu):
    moved = await vu.http.get("/home")  # is followed to /
    not_followed = await vu.http.get("/home", follow_redirects=False)
    missing = await vu.http.get("/products/99", expected_statuses={404}, name="/products/{id}")

    with vu.checked("the response tells all"):
        assert moved.status_code == 200
        assert moved.url.endswith("/")
        assert not_followed.headers["location"] == "/"
        assert missing.json() == {"error": "Not Found"}
        assert missing.timings.waiting > 0


@pytest.mark.scenario(vus=2, iterations=50, thresholds={"http_req_failed": ["rate==1"]})
async def test_no_answer_in_time(vu):
    response = await vu.http.get("/slow", params={"seconds": 1}, timeout=0.05, name="/slow")

    with vu.checked("the client gave up"):
        assert response.status_code == 0
        assert "timeout" in response.error
