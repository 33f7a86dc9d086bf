import gzip
import random
import zlib
from time import perf_counter_ns

import brotli
import pytest
import trio
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.protocols.http.message import DecodingError, decoding

ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
}


def decode(body: bytes, encodings: str, limit: int | None) -> bytes:
    async def run() -> bytes:
        deadline = perf_counter_ns() + 10_000_000_000
        return await decoding.decode(body, encodings, limit=limit, deadline=deadline)

    return trio.run(run)


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize("encoding", ENCODERS)
@given(data=st.binary(max_size=300))
def test_what_was_encoded_is_decoded(encoding: str, data: bytes) -> None:
    assert decode(ENCODERS[encoding](data), encoding.upper(), None) == data


@given(data=st.binary(min_size=1, max_size=300))
def test_deflate_without_zlibs_frame_is_understood(data: bytes) -> None:
    assert decode(bare_deflate(data), "deflate", None) == data


def test_encodings_are_undone_in_reverse() -> None:
    data = brotli.compress(gzip.compress(b"twice"))

    assert decode(data, "gzip, br", None) == b"twice"


def test_a_zstd_body_may_have_several_frames() -> None:
    frames = [bytes([n]) * 50_000 for n in range(40)]
    compress = zstandard.ZstdCompressor(level=-50).compress

    body = b"".join(compress(bytes(random.Random(0).randbytes(5000)) + frame) for frame in frames)

    assert len(decode(body, "zstd", None)) == 40 * 55_000


def test_an_unknown_encoding_and_an_empty_body_stay_as_they_are() -> None:
    assert decode(b"hello", "foo", None) == b"hello"
    assert decode(b"", "gzip", None) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_broken_body_has_k6s_error_code(encoding: str) -> None:
    with pytest.raises(DecodingError, match="error decompressing response body") as caught:
        decode(b"hello, this is no such thing", encoding, None)

    assert caught.value.failure.code == 1701


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_ends_too_early_is_an_unexpected_eof_as_in_k6(encoding: str) -> None:
    data = ENCODERS[encoding](bytes(range(256)) * 9)

    with pytest.raises(DecodingError, match="^unexpected EOF$") as caught:
        decode(data[:-20], encoding, None)

    assert caught.value.failure.code == 1000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_small_body_does_not_grow_beyond_the_limit(encoding: str) -> None:
    data = ENCODERS[encoding](bytes(1_000_000))

    assert len(decode(data, encoding, 1_000_000)) == 1_000_000
    with pytest.raises(DecodingError, match="response body exceeded 999999 bytes"):
        decode(data, encoding, 999_999)
