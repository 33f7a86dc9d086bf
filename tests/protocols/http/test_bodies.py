import io
import re
from typing import Any

import pytest

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http.message import Body, encode_body


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, Body()),
        ({"json": {"a": [1, "ü"]}}, Body("application/json", '{"a":[1,"ü"]}'.encode())),
        ({"json": None}, Body("application/json", b"null")),
        ({"data": {"a": 1, "b": ["x", "y"]}},
         Body("application/x-www-form-urlencoded", b"a=1&b=x&b=y")),
        ({"data": "raw"}, Body("text/plain; charset=utf-8", b"raw")),
        ({"content": b"raw"}, Body(None, b"raw")),
        ({"content": "ü"}, Body("text/plain; charset=utf-8", "ü".encode())),
        ({"content": bytearray(b"x")}, Body(None, b"x")),
    ],
)  # fmt: skip
def test_a_body_is_encoded_with_its_type(options: Any, body: Body) -> None:
    assert encode_body(options) == body


def test_an_iterator_is_kept_for_later() -> None:
    chunks = iter([b"a"])

    assert encode_body({"content": chunks}) == Body(None, None, chunks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"json": 1, "data": {}}, "a request has one body, got json and data; keep one of them"),
        ({"json": float("nan")}, "json= cannot be encoded: Out of range float values"),
        ({"json": {1, 2}}, "json= cannot be encoded: Object of type set"),
        ({"content": 5}, "a body is bytes, text, an iterator of them or a mapping, got int"),
        ({"files": {"f": 5}}, "cannot upload int as the file 'f'"),
        ({"files": {"f": b""}, "data": b"x"}, "data= beside files= is a mapping of form fields"),
    ],
)
def test_what_is_no_body_is_refused(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        encode_body(options)


def multipart(options: Any) -> str:
    body = encode_body(options)
    assert body.content_type is not None
    assert body.content is not None
    boundary = body.content_type.removeprefix("multipart/form-data; boundary=")
    return body.content.decode().replace(boundary, "B").replace("\r\n", "\n")


def test_files_and_fields_go_as_multipart() -> None:
    file = io.BytesIO(b"from a file")

    text = multipart(
        {
            "data": {"a": 1, "b": ["x", "y"]},
            "files": [
                ("f", ('na"me.txt', "text")),
                ("g", (None, b"{}", "application/json")),
                ("h", ("h.bin", b"\x01", "x/y", {"X-Own": "1"})),
                ("i", file),
            ],
        }
    )

    assert text == (
        '--B\nContent-Disposition: form-data; name="a"\n\n1\n'
        '--B\nContent-Disposition: form-data; name="b"\n\nx\n'
        '--B\nContent-Disposition: form-data; name="b"\n\ny\n'
        '--B\nContent-Disposition: form-data; name="f"; filename="na%22me.txt"\n'
        "Content-Type: text/plain\n\ntext\n"
        '--B\nContent-Disposition: form-data; name="g"\nContent-Type: application/json\n\n{}\n'
        '--B\nContent-Disposition: form-data; name="h"; filename="h.bin"\n'
        "X-Own: 1\nContent-Type: x/y\n\n\x01\n"
        '--B\nContent-Disposition: form-data; name="i"; filename="upload"\n'
        "Content-Type: application/octet-stream\n\nfrom a file\n"
        "--B--\n"
    )


def test_an_open_file_can_be_uploaded_again() -> None:
    file = io.BytesIO(b"again")

    first = multipart({"files": {"f": file}})

    assert multipart({"files": {"f": file}}) == first
