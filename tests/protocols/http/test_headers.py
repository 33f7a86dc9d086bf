import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.http import Headers

names = st.text("abcXYZ-0", min_size=1, max_size=5)
values = st.text("abc 1,;=", max_size=8).map(str.strip)


def test_names_are_found_in_any_case() -> None:
    headers = Headers({"Content-Type": "text/html"})

    assert headers["content-type"] == "text/html"
    assert "CONTENT-TYPE" in headers
    assert "accept" not in headers
    assert 1 not in headers
    assert list(headers) == ["content-type"]
    assert headers == {"content-type": "text/html"}
    assert headers != 1


def test_repeated_fields_are_joined_or_listed() -> None:
    headers = Headers([("A", "1"), ("b", "2"), ("a", "3")])

    assert headers["a"] == "1, 3"
    assert headers.get_list("A") == ["1", "3"]
    assert headers.multi_items() == [("a", "1"), ("b", "2"), ("a", "3")]
    assert len(headers) == 2


def test_setting_replaces_all_fields_of_a_name_in_place() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])

    headers["a"] = "4"
    headers["C"] = "5"
    del headers["b"]

    assert headers.fields == (("a", "4"), ("C", "5"))
    assert headers.block == b"a: 4\r\nC: 5\r\n"


def test_a_missing_field_is_a_key_error() -> None:
    headers = Headers()

    with pytest.raises(KeyError):
        headers["a"]
    with pytest.raises(KeyError):
        del headers["a"]
    assert headers.get("a") is None


@given(st.lists(st.tuples(names, values)))
def test_the_wire_form_reads_back_as_the_same_fields(fields: list[tuple[str, str]]) -> None:
    headers = Headers(fields)

    again = Headers.from_head(b"HTTP/1.1 200 OK\r\n" + headers.block + b"\r\n")

    assert again.fields == headers.fields


@given(st.lists(st.tuples(names, values)), names, values)
def test_the_wire_form_follows_every_change(
    fields: list[tuple[str, str]], name: str, value: str
) -> None:
    headers = Headers(fields)
    headers.seal()

    headers.add(name, value)

    assert not headers.is_sealed
    assert headers.seal() == headers.block
    assert headers.is_sealed
    assert headers.block.endswith(f"{name}: {value}\r\n".encode())
    assert headers.names == {key.lower() for key, _ in headers.fields}


def test_folded_and_broken_lines_of_a_head_are_read_as_well_as_they_can_be() -> None:
    headers = Headers.from_head(b"HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\nbroken\r\nB:\t3 \r\n\r\n")

    assert headers.fields == (("A", "1 2"), ("B", "3"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "X\r\nY",
            "1",
            "cannot send a header named 'X\\r\\nY'; use letters, digits and any of !#$%&'*+-.^_`|~",
        ),
        (
            "Authorization",
            "Bearer secret\n",
            "the header 'Authorization' may not contain line ends or NUL, got '\\n' at character 14 of"
            " 14; use strip() on what was read",
        ),
        ("X", None, "the header 'X' takes text, got NoneType"),
    ],
)
def test_what_would_break_the_head_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        Headers({name: value})

    assert str(caught.value) == message


def test_what_latin_1_lacks_is_refused_when_it_is_sent() -> None:
    with pytest.raises(OptionError, match="a header takes latin-1 characters, got '€'"):
        _ = Headers({"X": "1 €"}).block


def test_numbers_become_text() -> None:
    assert Headers([("X", 1)])["x"] == "1"  # type: ignore[list-item]


def test_a_copy_is_independent() -> None:
    headers = Headers({"A": "1"})

    twin = headers.copy()
    twin["B"] = "2"

    assert "B" not in headers
    assert repr(twin) == "Headers([('A', '1'), ('B', '2')])"
