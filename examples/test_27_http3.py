"""HTTP/3 and HTTP/2: the same page over each, and what each may take.

The extras `http2` and `http3` are needed; the service of these examples speaks HTTP/3 by
`aioquic`. Each virtual user has one connection, over TCP or over UDP.
"""

import pytest

for module in ("aioquic", "jh2", "qh3", "trustme"):
    pytest.importorskip(module)


@pytest.fixture(scope="module")
def k6_base_url(shop_over_tls):
    return shop_over_tls


async def load_page(vu, version):
    page = await vu.http.get("/", name="page")
    parts = await vu.http.batch([("GET", f"/products/{n}", {"name": "part"}) for n in (1, 2, 3)])
    vu.check(page, {f"over {version}": lambda r: r.http_version == version})
    vu.check(parts, {"all there": lambda all_of_them: all(part.is_success for part in all_of_them)})


@pytest.mark.scenario(
    vus=2,
    iterations=6,
    http_versions="2",
    thresholds={"http_req_duration{proto:HTTP/2.0}": ["p(95)<2000"]},
)
async def test_a_page_over_http2(vu):
    await load_page(vu, "HTTP/2.0")


@pytest.mark.scenario(
    vus=2,
    iterations=6,
    http_versions="3",
    thresholds={"http_req_duration{proto:HTTP/3.0}": ["p(95)<2000"]},
)
async def test_a_page_over_http3(vu):
    await load_page(vu, "HTTP/3.0")
