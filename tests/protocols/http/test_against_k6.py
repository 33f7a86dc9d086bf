"""The real k6 binary and our client, at the same servers: the same tags come out."""

import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from tests.protocols.http.serving import OK, Peer, a_tester, replying, serving
from tests.protocols.http.test_failures import MISBEHAVIOUR
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.k6_binary]

# Where we say it in other words than k6: see tests/protocols/http/test_failures.py.
_OTHER_WORDS = {
    "closes in the head",
    "speaks in bytes",
}
_SAME = {kind: case[0] for kind, case in MISBEHAVIOUR.items() if kind not in _OTHER_WORDS}

_STATUSES = {
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "old": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "found": b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
    "no location": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "informed": b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
    "unknown encoding": b"HTTP/1.1 200 OK\r\nContent-Encoding: x\r\nContent-Length: 1\r\n\r\n?",
}

_SCRIPT = """
import http from 'k6/http';
const urls = JSON.parse(open('./urls.json'));
export const options = { vus: 1, iterations: 1, maxRedirects: 2 };
export default function () {
  for (const name in urls) http.get(urls[name], { timeout: '300ms', tags: { case: name } });
}
"""

Tags = Mapping[str, str]


def k6() -> str:
    beside = Path(sys.executable).with_name("k6")
    binary = str(beside) if beside.exists() else shutil.which("k6")
    if binary is None:
        pytest.skip("there is no k6 binary")
    return binary


async def tags_of_k6(
    urls: Mapping[str, str], folder: Path, *, overdue_after: str = "300ms"
) -> list[Tags]:
    (folder / "urls.json").write_text(json.dumps(urls))
    (folder / "script.js").write_text(_SCRIPT.replace("300ms", overdue_after))
    output = folder / "samples.json"
    command = [k6(), "run", "--quiet", "--no-summary", "--address", "", "--out", f"json={output}"]
    await trio.run_process(
        [*command, "script.js"], cwd=folder, capture_stdout=True, capture_stderr=True
    )
    samples = [json.loads(line) for line in output.read_text().splitlines()]
    return [
        {key: text for key, text in sample["data"]["tags"].items() if key not in _PLACE}
        for sample in samples
        if sample["type"] == "Point" and sample["metric"] == "http_reqs"
    ]


_PLACE = ("group", "scenario")


async def tags_of_ours(urls: Mapping[str, str]) -> list[Tags]:
    async with a_tester(timeout=0.3, max_redirects=2) as tester:
        for name, url in urls.items():
            await tester.client.get(url, tags={"case": name})
        return [tester.tags(index) for index in range(len(tester.rows))]


@in_real_time
async def test_every_outcome_has_k6s_tags(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        urls = {}
        for name, handler in _SAME.items():
            urls[name] = (await stack.enter_async_context(serving(handler))).url + "/x"
        for name, reply in _STATUSES.items():
            server = await stack.enter_async_context(replying(reply, close=name == "old"))
            urls[name] = f"{server.url}/{name.replace(' ', '-')}?a=b&c=d"
        gone = await stack.enter_async_context(replying(OK))
        urls["with credentials"] = f"http://user:password@127.0.0.1:{gone.port}/"
        urls["port is closed"] = "http://127.0.0.1:1/"
        urls["other scheme"] = "ftp://127.0.0.1/"

        theirs = await tags_of_k6(urls, tmp_path)
        ours = await tags_of_ours(urls)

    assert ours == theirs
    assert len(ours) == len(urls) + 2  # two redirects


@in_real_time
async def test_bytes_are_counted_as_k6_counts_them(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def answer(peer: Peer) -> None:
        while head := await peer.head():
            heads.append(head)
            await peer.send(OK)

    async with serving(answer) as server:
        (tmp_path / "script.js").write_text(
            "import http from 'k6/http';\n"
            "export default function () {\n"
            f"  for (let i = 0; i < 3; i++) http.get('{server.url}/');\n"
            "}\n"
        )
        summary = tmp_path / "summary.json"
        command = [k6(), "run", "--quiet", "--address", "", "--summary-export", str(summary)]
        await trio.run_process(
            [*command, "script.js"], cwd=tmp_path, capture_stdout=True, capture_stderr=True
        )
        metrics = json.loads(summary.read_text())["metrics"]
        agent = next(line[12:] for line in heads[0].decode().split("\r\n") if "User-Agent" in line)
        async with a_tester(user_agent=agent) as tester:
            for _ in range(3):
                await tester.client.get(f"{server.url}/")

    assert heads[3:] == heads[:3]
    assert tester.recorder.bytes_sent == metrics["data_sent"]["count"]
    assert tester.recorder.bytes_received == metrics["data_received"]["count"]


_OUTCOMES = """
import http from 'k6/http';
const cases = JSON.parse(open('./cases.json'));
export const options = { vus: 1, iterations: 1 };
export default function () {
  for (const [method, url] of cases) {
    const response = http.request(method, url, method === 'GET' ? null : 'x');
    console.log([response.status, response.error_code].join(' '));
  }
}
"""

_URLS = (
    "http://HOST", "http://HOST?", "http://HOST/?", "http://HOST/a?", "http://HOST?a=1",
    "http://HOST/?#", "http://HOST/a#b?c", "http://HOST/a b", "http://HOST/ä", "http://HOST/a/../b",
    "http://HOST//x//y", 'http://HOST/"<>\\^`{|}', "http://HOST/[x]?y[z]=1", "http://HOST/a\tb",
    "http://HOST/a\x7fb", "HTTP://HOST/", "http://HOST/http://h/", "http://u:p@HOST/",
    "http://u:p@q@HOST/", "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:-1/",
    "http://127.0.0.1:a/", "http://127.0.0.1: 80/", "http://[::1", "http://[]/", "http://[zz]/",
    "http://[::1]x/", "http://.a.invalid/", "http://a..b/", f"http://{'a' * 64}.invalid/",
    "http://a b/", "http://{host}/", "http://a|b/", "http://", "http:///x", "http:/x", "http:x",
    "ftp://127.0.0.1/", "http+unix://x/", "http://u:p/q@HOST/", "http://127.0.0.1\\@x/",
)  # fmt: skip

_LOCATIONS = (
    "", "/end", "end", "?x=1", "./end", "../../end", "  /end  ", "//HOST/x", "///x", "http://HOST/x",
    "HTTP://HOST/x", "/x?", "/x#y", "/a b", "/ä", "/http://h/", "mailto:a@b.c", "a.b:/c?code=d",
    "myapp://x", "javascript:x", "http://", "http:/x", "http:x", "http://[::bad/", "http://a b/",
    "http://127.0.0.1:99999/", "http://127.0.0.1:x/", "/a\tb", "://x", ":", "1.2.3.4:5/x",
    "<http://x/>", "http://a..b/", "http://127.0.0.1:0/",
)  # fmt: skip

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "M-SEARCH")
_REDIRECTS = (300, 301, 302, 303, 304, 307, 308)


def _reply(line: str, host: str) -> bytes:
    """Return the redirect of the case in a request's first line, or a plain answer."""
    method, path = line.split(" ", 1)
    case = path.removeprefix("/case/")
    if not case.isdigit():
        return OK.removesuffix(b"ok") if method == "HEAD" else OK
    status, location = 302, "/end"
    if int(case) < len(_LOCATIONS):
        location = _LOCATIONS[int(case)].replace("HOST", host)
    else:
        status = _REDIRECTS[(int(case) - len(_LOCATIONS)) % len(_REDIRECTS)]
    head = f"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


async def _outcomes_of_k6(cases: list[tuple[str, str]], folder: Path) -> list[str]:
    (folder / "cases.json").write_text(json.dumps(cases))
    (folder / "script.js").write_text(_OUTCOMES)
    command = [k6(), "run", "--quiet", "--no-summary", "--address", "", "--log-format=raw"]
    result = await trio.run_process(
        [*command, "script.js"], cwd=folder, capture_stdout=True, capture_stderr=True
    )
    lines = result.stderr.decode().splitlines()
    return [line for line in lines if line.replace(" ", "").isdigit()]


async def _outcomes_of_ours(cases: list[tuple[str, str]]) -> list[str]:
    outcomes = []
    async with a_tester() as tester:
        for method, url in cases:
            content = None if method == "GET" else "x"
            response = await tester.client.request(method, url, content=content)
            outcomes.append(f"{response.status_code} {response.error_code}")
    return outcomes


@in_real_time
async def test_urls_methods_and_redirects_come_out_as_in_k6(tmp_path: Path) -> None:
    lines: list[str] = []

    async def answer(peer: Peer) -> None:
        while head := await peer.head():
            if b"content-length: 1" in head.lower():
                await peer.exactly(1)
            lines.append(head.decode().partition(" HTTP/1.1")[0])
            await peer.send(_reply(lines[-1], host))

    async with serving(answer) as server:
        host = server.url.removeprefix("http://")
        cases = [("GET", url.replace("HOST", host)) for url in _URLS]
        cases += [("GET", f"{server.url}/case/{number}") for number in range(len(_LOCATIONS))]
        cases += [
            (method, f"{server.url}/case/{len(_LOCATIONS) + number}")
            for method in _METHODS
            for number in range(len(_REDIRECTS))
        ]
        theirs = await _outcomes_of_k6(cases, tmp_path)
        their_lines, lines[:] = lines[:], []
        ours = await _outcomes_of_ours(cases)

    assert list(zip(cases, ours, strict=True)) == list(zip(cases, theirs, strict=True))
    assert lines == their_lines
