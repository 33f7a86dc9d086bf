"""HTTP/2: a page and its parts over one connection, as a browser loads them.

The extra `http2` is needed; the service of these examples has no TLS, so it is told that
HTTP/2 is spoken there: over TLS the server would be asked.
"""

import pytest

pytest.importorskip("jh2")


@pytest.mark.scenario(vus=2, iterations=3, http_versions="2-prior-knowledge")
async def test_a_page_with_its_parts(vu):
    page = await vu.http.get("/")
    vu.check(page, {"over HTTP/2": lambda r: r.http_version == "HTTP/2.0"})
    parts = await vu.http.batch(["/products", ("GET", "/products/1", {"name": "/products/{id}"})])
    vu.check(parts, {"all there": lambda all_of_them: all(part.is_success for part in all_of_them)})
