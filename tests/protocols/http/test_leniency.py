"""Which irregular responses are taken, and which are refused: as k6, curl, httpx and requests do.

Every response says ``hello`` where its sender means a body. The last test asks the
four clients of the field for the same bytes: nothing is taken here that fewer than
two of them take, and nothing is refused that all of them take.
"""

import gzip
import json
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from socket import SHUT_WR, create_server, socket

import httpx
import pytest
import requests

from tests.protocols.http.serving import Harness, a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

LENGTH = b"Content-Length: 5\r\n"
GZIP = gzip.compress(b"hello", mtime=0)
TWO_MEMBERS = gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)


def ok(fields: bytes, body: bytes = b"hello") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    return ok(b"Transfer-Encoding: chunked\r\n", body)


def encoded(encoding: bytes, body: bytes) -> bytes:
    fields = b"Content-Encoding: %b\r\nContent-Length: %d\r\n" % (encoding, len(body))
    return ok(fields, body)


TAKEN = {
    "bare LF everywhere": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "bare LF before the body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n\nhello",
    "bare LF behind one header": ok(b"X: a\nContent-Length: 5\r\n"),
    "bare LF behind the status": b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello",
    "bare LF in 100 Continue": b"HTTP/1.1 100 Continue\n\n" + ok(LENGTH),
    "bare LF in both": b"HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "bare LF and chunks": b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n",
    "bare LF and gzip": b"HTTP/1.1 200 OK\nContent-Encoding: gzip\n\n" + GZIP,
    "folded header": ok(b"X: a\r\n b\r\n" + LENGTH),
    "header folded by a tab": ok(b"X: a\r\n\tb\r\n" + LENGTH),
    "folded header with bare LF": ok(b"X: a\n b\n" + LENGTH),
    "folded length": ok(b"Content-Length:\r\n 5\r\n"),
    "continuation of nothing but a space": ok(LENGTH + b" \r\n"),
    "space before a colon": ok(b"X : a\r\n" + LENGTH),
    "space before the length's colon": ok(b"Content-Length : 5\r\n"),
    "tab before the length's colon": ok(b"Content-Length\t: 5\r\n"),
    "space in a name": ok(b"X Y: a\r\n" + LENGTH),
    "header without value": ok(b"X:\r\n" + LENGTH),
    "control character in a value": ok(b"X: a\x01b\r\n" + LENGTH),
    "byte beyond ASCII in a value": ok(b"X: a\xffb\r\n" + LENGTH),
    "the same length twice": ok(LENGTH * 2),
    "the same length thrice": ok(LENGTH * 3),
    "the same length in a list": ok(b"Content-Length: 5, 5\r\n"),
    "length with zeros before it": ok(b"Content-Length: 0005\r\n"),
    "length with space around it": ok(b"Content-Length:  \t 5 \t\r\n"),
    "length before chunks": ok(
        LENGTH + b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "length behind chunks": ok(
        b"Transfer-Encoding: chunked\r\nContent-Length: 15\r\n", b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "chunked twice": ok(b"Transfer-Encoding: chunked\r\n" * 2, b"5\r\nhello\r\n0\r\n\r\n"),
    "chunked in capitals": ok(b"TRANSFER-ENCODING: CHUNKED\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "identity": ok(b"Transfer-Encoding: identity\r\n" + LENGTH),
    "identity until the end": ok(b"Transfer-Encoding: identity\r\n"),
    "chunk extension": chunked(b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    "quoted chunk extension": chunked(b'5;a="b;c"\r\nhello\r\n0\r\n\r\n'),
    "empty chunk extension": chunked(b"5;\r\nhello\r\n0;\r\n\r\n"),
    "odd chunk extension": chunked(b"5;\x01@(\r\nhello\r\n0\r\n\r\n"),
    "space before a chunk extension": chunked(b"5 ; a = b\r\nhello\r\n0\r\n\r\n"),
    "spaces behind chunk sizes": chunked(b"5  \r\nhello\r\n0   \r\n\r\n"),
    "tab behind chunk sizes": chunked(b"5\t\r\nhello\r\n0\t\r\n\r\n"),
    "zeros before chunk sizes": chunked(b"00005\r\nhello\r\n000\r\n\r\n"),
    "many chunks": chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in b"hello") + b"0\r\n\r\n"),
    "trailers": chunked(b"5\r\nhello\r\n0\r\nX: a\r\nY: b\r\n\r\n"),
    "trailers that end with bare LF": chunked(b"5\r\nhello\r\n0\r\n\n"),
    "two gzip members": encoded(b"gzip", TWO_MEMBERS),
    "padded gzip": encoded(b"gzip", GZIP + bytes(16)),
    "gzip in an empty list": encoded(b", ,gzip,,", GZIP),
    "gzip before nothing": encoded(b"gzip, ", GZIP),
    "gzip and identity": encoded(b"gzip, identity", GZIP),
    "gzip in capitals": encoded(b"GZIP", GZIP),
    "gzip twice": encoded(b"gzip, gzip", gzip.compress(GZIP)),
    "deflate": encoded(b"deflate", zlib.compress(b"hello")),
    "deflate without zlib's frame": encoded(b"deflate", zlib.compress(b"hello", wbits=-15)),
    "unknown content encoding": encoded(b"none", b"hello"),
    "no reason phrase": b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
    "no length": ok(b""),
    "two spaces before the status": b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a later minor version": b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "version 2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "nine times 100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + ok(LENGTH),
    "other informational responses": b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\n"
    + ok(LENGTH),
    "100 Continue of HTTP/1.0": b"HTTP/1.0 100 Continue\r\n\r\n" + ok(LENGTH),
    "more than was promised": ok(LENGTH, b"helloHTTP/1.1 500 No\r\n\r\n"),
    "a head of 60 KB": ok(b"X: " + b"a" * 60_000 + b"\r\n" + LENGTH),
}

MALFORMED_CHUNKS = "malformed chunked encoding"
NO_CHUNK_SIZE = "invalid byte in chunk length"
TWO_LENGTHS = "http: message cannot contain multiple Content-Length headers"

REFUSED = {
    "different lengths": (ok(LENGTH + b"Content-Length: 4\r\n"), TWO_LENGTHS),
    "different lengths in a list": (ok(b"Content-Length: 5, 4\r\n"), TWO_LENGTHS),
    "negative length": (ok(b"Content-Length: -5\r\n"), 'bad Content-Length "-5"'),
    "signed length": (ok(b"Content-Length: +5\r\n"), 'bad Content-Length "+5"'),
    "empty length": (ok(b"Content-Length: \r\n"), 'bad Content-Length ""'),
    "length that is no number": (ok(b"Content-Length: 5a\r\n"), 'bad Content-Length "5a"'),
    "length in hex": (ok(b"Content-Length: 0x5\r\n"), 'bad Content-Length "0x5"'),
    "length of 5,000 digits": (
        ok(b"Content-Length: " + b"9" * 5000 + b"\r\n"),
        'bad Content-Length "' + "9" * 80 + '"',
    ),
    "bad length before chunks": (
        ok(b"Content-Length: x\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        'bad Content-Length "x"',
    ),
    "body that ends too early": (ok(b"Content-Length: 9\r\n"), "unexpected EOF"),
    "unknown transfer encoding": (
        ok(b"Transfer-Encoding: abc\r\n"),
        'unsupported transfer encoding: "abc"',
    ),
    "compressed chunks": (
        ok(b"Transfer-Encoding: gzip, chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        'unsupported transfer encoding: "gzip, chunked"',
    ),
    "NUL in a value": (ok(b"X-Bad: a\0b\r\n" + LENGTH), "malformed MIME header line: X-Bad"),
    "CR in a value": (ok(b"X-Bad: a\rb\r\n" + LENGTH), "malformed MIME header line: X-Bad"),
    "byte beyond ASCII in a name": (
        ok(b"X\xff: a\r\n" + LENGTH),
        "malformed MIME header line: X\\xff",
    ),
    "empty name": (ok(b": a\r\n" + LENGTH), "malformed MIME header line: "),
    "parenthesis in a name": (ok(b"X(: a\r\n" + LENGTH), "malformed MIME header line: X("),
    "no colon": (ok(b"bad\r\n" + LENGTH), 'malformed MIME header: missing colon: "bad"'),
    "head that begins folded": (ok(b" X: a\r\n" + LENGTH), "malformed MIME header initial line"),
    "no chunk size": (chunked(b"zz\r\nhello\r\n0\r\n\r\n"), NO_CHUNK_SIZE),
    "negative chunk size": (chunked(b"-5\r\nhello\r\n0\r\n\r\n"), NO_CHUNK_SIZE),
    "signed chunk size": (chunked(b"+5\r\nhello\r\n0\r\n\r\n"), NO_CHUNK_SIZE),
    "chunk size with a prefix": (chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), NO_CHUNK_SIZE),
    "space before a chunk size": (chunked(b" 5\r\nhello\r\n0\r\n\r\n"), NO_CHUNK_SIZE),
    "word behind a chunk size": (chunked(b"5 a=b\r\nhello\r\n0\r\n\r\n"), NO_CHUNK_SIZE),
    "CR in a chunk size": (chunked(b"5\rx\nhello\r\n0\r\n\r\n"), NO_CHUNK_SIZE),
    "empty chunk size": (
        chunked(b"\r\nhello\r\n0\r\n\r\n"),
        "empty hex number for chunk length",
    ),
    "chunk size of 17 digits": (
        chunked(b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n"),
        "http chunk length too large",
    ),
    "bare LF behind a chunk size": (
        chunked(b"5\nhello\r\n0\r\n\r\n"),
        "chunked line ends with bare LF",
    ),
    "bare LF behind a chunk": (chunked(b"5\r\nhello\n0\r\n\r\n"), MALFORMED_CHUNKS),
    "nothing behind a chunk": (chunked(b"5\r\nhello0\r\n\r\n"), MALFORMED_CHUNKS),
    "chunk that is too short": (chunked(b"3\r\nhello\r\n0\r\n\r\n"), MALFORMED_CHUNKS),
    "chunk that ends too early": (chunked(b"9\r\nhello"), "unexpected EOF"),
    "no last chunk": (chunked(b"5\r\nhello\r\n"), "unexpected EOF"),
    "no end of the trailers": (chunked(b"5\r\nhello\r\n0\r\n"), "unexpected EOF"),
    "trailer without colon": (
        chunked(b"5\r\nhello\r\n0\r\nabc\r\n\r\n"),
        "malformed MIME header: missing colon in the trailer",
    ),
    "chunk extension without end": (
        chunked(b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
        "header line too long",
    ),
    "gzip without its end": (encoded(b"gzip", GZIP[:-4]), "unexpected EOF"),
    "second gzip member without its end": (encoded(b"gzip", TWO_MEMBERS[:-4]), "unexpected EOF"),
    "status of two digits": (
        b"HTTP/1.1 20 OK\r\n" + LENGTH + b"\r\nhello",
        'malformed HTTP status code "20"',
    ),
    "status of four digits": (
        b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\nhello",
        'malformed HTTP status code "2000"',
    ),
    "status below 100": (
        b"HTTP/1.1 099 OK\r\n" + LENGTH + b"\r\nhello",
        'malformed HTTP status code "099"',
    ),
    "version without minor": (
        b"HTTP/2 200 OK\r\n" + LENGTH + b"\r\nhello",
        'malformed HTTP version "HTTP/2"',
    ),
    "version in small letters": (
        b"http/1.1 200 OK\r\n" + LENGTH + b"\r\nhello",
        'malformed HTTP version "http/1.1"',
    ),
    "another protocol": (
        b"ICY 200 OK\r\n" + LENGTH + b"\r\nhello",
        'malformed HTTP version "ICY"',
    ),
    "line end before the status": (b"\r\n" + ok(LENGTH), 'malformed HTTP response ""'),
    "space before the status": (b" " + ok(LENGTH), 'malformed HTTP status code "HTTP/1.1"'),
    "only 100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n", "unexpected EOF"),
    "nothing": (b"", "EOF"),
}

REPLIES = {**TAKEN, **{name: reply for name, (reply, _) in REFUSED.items()}}
NAMES = list(REPLIES)


@contextmanager
def raw_server(replies: Mapping[str, bytes] = REPLIES) -> Iterator[str]:
    """Answer ``GET /<number>`` with the bytes of that number, and end the connection."""
    left = list(replies.values())

    def answer(client: socket) -> None:
        with client, suppress(OSError):
            client.settimeout(5)
            request = client.recv(65536)
            client.sendall(left[int(request.split()[1][1:])])
            client.shutdown(SHUT_WR)
            while client.recv(65536):
                pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with create_server(("127.0.0.1", 0), backlog=100) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(2)


@asynccontextmanager
async def asking(replies: Mapping[str, bytes]) -> AsyncIterator[tuple[Harness, Mapping[str, str]]]:
    with raw_server(replies) as url:
        async with a_tester(timeout=5.0) as tester:
            yield tester, {name: f"{url}/{number}" for number, name in enumerate(replies)}


@in_real_time
async def test_irregular_responses_are_taken_where_their_meaning_is_plain() -> None:
    async with asking(TAKEN) as (tester, urls):
        responses = {name: await tester.client.get(url) for name, url in urls.items()}

    assert {
        name: (response.error, response.status_code, response.text)
        for name, response in responses.items()
    } == dict.fromkeys(TAKEN, ("", 200, "hello"))
    assert responses["folded header"].headers["X"] == "a b"
    assert responses["bare LF everywhere"].headers["Content-Length"] == "5"
    assert responses["space before a colon"].headers["X"] == "a"
    assert responses["two spaces before the status"].reason_phrase == "OK"


@pytest.mark.parametrize("body", ["hello", "pa\nss"])
@in_real_time
async def test_what_could_mean_something_else_is_refused_in_words_about_the_head(
    body: str,
) -> None:
    replies = {name: reply.replace(b"hello", body.encode()) for name, (reply, _) in REFUSED.items()}
    async with asking(replies) as (tester, urls):
        responses = {name: await tester.client.get(url) for name, url in urls.items()}

    assert {name: response.error for name, response in responses.items()} == {
        name: text for name, (_, text) in REFUSED.items()
    }
    assert {response.status_code for response in responses.values()} == {0}


@in_real_time
async def test_pieces_of_one_byte_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_k6api.protocols.http.net.batched_io.FIRST_SIZE", 1)
    monkeypatch.setattr("pytest_k6api.protocols.http.h1.line._MORE_SIZE", 1)
    few = {name: reply for name, reply in REPLIES.items() if len(reply) < 1000}
    async with asking(few) as (tester, urls):
        responses = {name: await tester.client.get(url) for name, url in urls.items()}

    assert {name: response.error for name, response in responses.items()} == {
        name: REFUSED[name][1] if name in REFUSED else "" for name in few
    }
    assert {responses[name].text for name in few if name in TAKEN} == {"hello"}


def ask_httpx(url: str) -> bool:
    try:
        response = httpx.get(url, timeout=5)
    except httpx.HTTPError:
        return False
    return (response.status_code, response.text) == (200, "hello")


def ask_requests(url: str) -> bool:
    try:
        response = requests.get(url, timeout=5)
    except (requests.RequestException, ValueError):
        return False
    return (response.status_code, response.text) == (200, "hello")


def ask_curl(url: str) -> bool:
    command = ["curl", "-s", "--compressed", "-m", "5", url]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0 and done.stdout == b"hello"


def ask_k6(url: str, folder: Path) -> dict[str, bool]:
    beside = Path(sys.executable).with_name("k6")
    binary = str(beside) if beside.exists() else shutil.which("k6")
    if binary is None:
        pytest.skip("there is no k6 binary")
    (folder / "script.js").write_text(f"""
import http from 'k6/http';
export const options = {{ vus: 1, iterations: {len(NAMES)} }};
export default function () {{
  const response = http.get('{url}/' + __ITER, {{ timeout: '5s' }});
  console.log(JSON.stringify([response.status, response.body, response.error]));
}}
""")
    command = [binary, "run", "--quiet", "--no-summary", "--log-format=json", "--address=", "."]
    command[-1] = "script.js"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    records = [json.loads(line) for line in done.stderr.splitlines()]
    answers = [json.loads(record["msg"]) for record in records if record.get("source") == "console"]
    return {name: answer == [200, "hello", ""] for name, answer in zip(NAMES, answers, strict=True)}


@pytest.mark.k6_binary
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_clients_of_the_field_draw_the_line_at_the_same_places(tmp_path: Path) -> None:
    with raw_server() as url:
        took = ask_k6(url, tmp_path)
        votes = {
            name: sum(
                [
                    took[name],
                    *(ask(f"{url}/{number}") for ask in (ask_httpx, ask_requests, ask_curl)),
                ]
            )
            for number, name in enumerate(NAMES)
        }

    assert {name: votes[name] for name in TAKEN if votes[name] < 2} == {}
    assert {name: votes[name] for name in REFUSED if votes[name] == 4} == {}
