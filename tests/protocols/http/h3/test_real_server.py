"""Caddy answers over HTTP/3 in all ways that users ask."""

from pathlib import Path

import pytest

pytest.importorskip("qh3")

from tests.protocols.http.h2.test_real_servers import LARGE, a_program, caddy, find
from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets


@in_real_time
async def test_caddy_is_spoken_to(tmp_path: Path) -> None:
    async with (
        a_program(caddy, tmp_path) as url,
        a_tester(verify=False, timeout=20.0, http_versions="3") as tester,
    ):
        client = tester.client
        for _ in range(30):
            got = await client.get(f"{url}/")
            assert (got.status_code, got.text, got.http_version) == (200, "hello", "HTTP/3.0")
        for got in await client.batch([f"{url}/large"] * 3):
            assert len(got.content) == LARGE
        got = await client.post(f"{url}/upload", content=b"x" * LARGE)
        assert got.text == "3000000"
        for got in await client.batch([f"{url}/"] * 120, at_once=100, at_once_per_host=100):
            assert (got.text, got.error) == ("hello", "")
        assert (await client.head(f"{url}/large")).status_code == 200
        async with client.stream("GET", f"{url}/large") as response:
            assert sum([len(piece) async for piece in response.aiter_bytes()]) == LARGE
    assert {row[1] for row in tester.rows} == {0}
    assert tester.tags(0)["proto"] == "HTTP/3.0"
    assert tester.tags(0)["tls_version"] == "tls1.3"


@in_real_time
async def test_an_authority_that_is_named_is_trusted_and_no_other(tmp_path: Path) -> None:
    async with a_program(caddy, tmp_path) as url, a_tester(http_versions="3") as tester:
        refused = await tester.client.get(url)
    assert (refused.error_code, refused.error) == (1310, "x509: unknown authority")


MUTUAL = """
{{
  admin off
  auto_https off
  skip_install_trust
}}
https://127.0.0.1:{port} {{
  tls {folder}/server.pem {folder}/server.pem {{
    client_auth {{
      mode require
    }}
  }}
  respond / "hello"
}}
"""


def mutual_caddy(folder: Path, port: int) -> list[str]:
    (folder / "Caddyfile").write_text(MUTUAL.format(folder=folder, port=port))
    return [find("caddy"), "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


@in_real_time
async def test_a_server_that_asks_for_a_certificate_gets_the_clients(tmp_path: Path) -> None:
    async with (
        a_program(mutual_caddy, tmp_path) as url,
        a_tester(verify=False, http_versions="3") as tester,
    ):
        without = await tester.client.get(url)
        tester.client.cert = str(tmp_path / "server.pem")
        with_it = await tester.client.get(url)

    assert without.error_code == 1010
    assert without.error.startswith("remote error: tls: ")
    assert with_it.error == ""
    assert with_it.status_code in {200, 421}  # Caddy wants a name where it asks for certificates
