"""Calls of all kinds against grpcio's server, and against servers that break the rules."""

import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import trio
import trio.lowlevel
import trio.testing

from pytest_k6api.model import OptionError, Tracer
from pytest_k6api.protocols import advice_on
from pytest_k6api.protocols.grpc import (
    Channel,
    GrpcError,
    StatusCode,
)
from pytest_k6api.protocols.grpc.rows import (
    GRPC_CALL_ROWS,
    GRPC_RECEIVED_ROWS,
    GRPC_SENT_ROWS,
    GRPC_STREAM_ROWS,
)
from tests.protocols.grpc.calling import calling
from tests.protocols.grpc.greeting import PROTO, running_greeter
from tests.protocols.http.h2.speaking import (
    Speaker,
    Speech,
    data,
    goaway,
    head,
    literal,
    reset,
    speaking,
)
from tests.virtual_time import in_real_time

pytest.importorskip("jh2")
pytest.importorskip("grpc_tools")
pytest.importorskip("grpc_reflection")

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]


class Greeter(NamedTuple):
    """A server, and the code that protoc has made for it."""

    target: str
    pb2: ModuleType
    stub: Any


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Greeter]:
    folder = tmp_path_factory.mktemp("greeter")
    with running_greeter(folder) as target, pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import greeter_pb2  # type: ignore[import-not-found]
        import greeter_pb2_grpc  # type: ignore[import-not-found]

        yield Greeter(target, greeter_pb2, greeter_pb2_grpc.GreeterStub)


@in_real_time
async def test_a_generated_stub_makes_unary_calls(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))

        reply = await stub.Greet(greeter.pb2.Greeting(name="Ann"))

    assert reply.text == "Hello Ann"
    assert caller.tags() == {
        "url": f"{greeter.target}/shop.Greeter/Greet",
        "name": "/shop.Greeter/Greet",
        "service": "shop.Greeter",
        "method": "Greet",
        "status": "0",
    }
    ((_, failed, duration, _),) = caller.rows()
    assert failed == 0
    assert duration > 0
    assert caller.rows(GRPC_STREAM_ROWS) == []
    assert caller.tester.recorder.bytes_sent > 50
    assert caller.tester.recorder.bytes_received > 50


@in_real_time
async def test_metadata_goes_both_ways(greeter: Greeter) -> None:
    async with calling() as caller:
        channel = caller.client.channel(greeter.target, metadata={"tenant": "7"})
        call = greeter.stub(channel).Greet(
            greeter.pb2.Greeting(name="Ann"), metadata=(("raw-bin", b"\x01"),)
        )
        reply = await call

        assert reply.metadata["tenant"] == "7"
        assert reply.metadata["raw-bin"] == "b'\\x01'"
        assert await call.initial_metadata() == (("greeted", "yes"),)
        assert await call.trailing_metadata() == (("raw-bin", b"\x00\xff"),)


@in_real_time
async def test_each_call_has_a_trace_unless_its_metadata_has_one(greeter: Greeter) -> None:
    hers = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with calling(tracer=Tracer()) as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        replies = [await stub.Greet(greeter.pb2.Greeting(name="Ann")) for _ in range(2)]
        await stub.Greet(greeter.pb2.Greeting(name="Ann"), metadata={"traceparent": hers})
        with pytest.raises(GrpcError):
            await stub.Greet(greeter.pb2.Greeting(name="nobody"))

    first, second, third, fourth = (row[0].metadata["trace_id"] for row in caller.rows())
    assert [each.metadata["traceparent"][3:35] for each in replies] == [first, second]
    assert len({first, second, fourth}) == 3
    assert third == hers[3:35]
    (describe,) = caller.tester.recorder.buffer.exchanges.values()
    assert f"\n> traceparent: 00-{fourth}-" in describe()


@in_real_time
async def test_another_status_is_an_exception_or_a_value_and_a_failed_call(
    greeter: Greeter,
) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        with pytest.raises(GrpcError) as caught:
            await stub.Greet(greeter.pb2.Greeting(name="nobody"))
        call = stub.Greet(greeter.pb2.Greeting(name="nobody"))

        assert await call.code() is StatusCode.NOT_FOUND
        assert await call.details() == "no such person: 100 % «nobody»"

    assert caught.value.code is StatusCode.NOT_FOUND
    assert caught.value.trailers == (("reason", "none"), ("raw-bin", b"\x00\xff"))
    assert [row[1] for row in caller.rows()] == [1, 1]
    assert (caller.tags()["status"], caller.tags()["error"]) == ("5", "NOT_FOUND")
    (describe,) = caller.tester.recorder.buffer.exchanges.values()
    lines = describe().splitlines()
    assert lines[0] == f"> gRPC {greeter.target}/shop.Greeter/Greet"
    assert lines[1].startswith("< NOT_FOUND (5) after ")
    assert lines[2:] == ["< reason: none", "< raw-bin: 2 bytes"]


@in_real_time
async def test_expected_codes_are_no_failure_and_none_judges_nothing(greeter: Greeter) -> None:
    async with calling() as caller:
        request = greeter.pb2.Greeting(name="nobody")
        strict = greeter.stub(caller.client.channel(greeter.target))
        lenient = greeter.stub(caller.client.channel(greeter.target, expected_codes=None))

        await strict.Greet(request, expected_codes={0, 5}).code()
        await lenient.Greet(request).code()

    assert [row[1] for row in caller.rows()] == [0, None]


@in_real_time
async def test_a_deadline_ends_a_call(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))

        code = await stub.Greet(greeter.pb2.Greeting(name="slow"), timeout=0.2).code()
        again = await stub.Greet(greeter.pb2.Greeting(name="Ann"))

    assert code is StatusCode.DEADLINE_EXCEEDED
    assert again.text == "Hello Ann"
    assert caller.rows()[0][2] >= 190_000


@in_real_time
async def test_a_call_that_another_task_cancels_ends_and_has_not_failed(greeter: Greeter) -> None:
    async with calling() as caller, trio.open_nursery() as nursery:
        stub = greeter.stub(caller.client.channel(greeter.target))
        await stub.Greet(greeter.pb2.Greeting(name="Ann"))
        call = stub.Greet(greeter.pb2.Greeting(name="slow"))
        nursery.start_soon(call.code)
        await trio.testing.wait_all_tasks_blocked(0.01)

        assert call.cancel()
        with trio.fail_after(2):
            assert await call.code() is StatusCode.CANCELLED
        assert not call.cancel()
        assert [row[1] for row in caller.rows()] == [0, None]


@in_real_time
async def test_a_stream_of_responses_is_iterated_over(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))

        texts = [
            reply.text async for reply in stub.GreetOften(greeter.pb2.Greeting(name="Ann", times=3))
        ]

    assert texts == ["Hello Ann 0", "Hello Ann 1", "Hello Ann 2"]
    counts = [
        len(caller.rows(kind))
        for kind in (GRPC_CALL_ROWS, GRPC_STREAM_ROWS, GRPC_SENT_ROWS, GRPC_RECEIVED_ROWS)
    ]
    assert counts == [1, 1, 1, 3]


@in_real_time
async def test_an_error_behind_responses_is_raised_behind_them(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        call = stub.GreetOften(greeter.pb2.Greeting(name="nobody", times=2))
        texts = [(await call.read()).text for _ in range(2)]
        with pytest.raises(GrpcError, match="ABORTED: enough"):
            await call.read()

    assert texts == ["Hello nobody 0", "Hello nobody 1"]
    assert [row[1] for row in caller.rows()] == [1]


@in_real_time
async def test_a_loop_that_is_left_cancels_its_call_which_has_not_failed(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))

        async for _ in stub.GreetOften(greeter.pb2.Greeting(name="Ann", times=100_000)):
            break
        async with stub.GreetOften(greeter.pb2.Greeting(name="Ann", times=100_000)) as call:
            await call.read()
        reply = await stub.Greet(greeter.pb2.Greeting(name="Ann"))

    assert reply.text == "Hello Ann"
    assert [row[1] for row in caller.rows()] == [None, None, 0]
    assert caller.tags(0)["status"] == "1"


@pytest.mark.parametrize("is_async", [True, False])
@in_real_time
async def test_many_requests_have_one_response(greeter: Greeter, is_async: bool) -> None:
    names = ("Ann", "Bob")

    async def requests() -> AsyncIterator[Any]:
        for name in names:
            await trio.lowlevel.checkpoint()
            yield greeter.pb2.Greeting(name=name)

    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        plain = (greeter.pb2.Greeting(name=name) for name in names)

        reply = await stub.GreetAll(requests() if is_async else plain)

    assert reply.text == "Hello Ann, Bob"
    assert len(caller.rows(GRPC_SENT_ROWS)) == 2
    assert len(caller.rows(GRPC_RECEIVED_ROWS)) == 1


@in_real_time
async def test_a_chat_is_written_and_read_in_turn_or_from_an_iterator(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        async with stub.Chat() as chat:
            await chat.write(greeter.pb2.Greeting(name="Ann"))
            first = await chat.read()
            await chat.write(greeter.pb2.Greeting(name="Bob"))
            second = await chat.read()
            await chat.done_writing()
            end, code = await chat.read(), await chat.code()
        requests = (greeter.pb2.Greeting(name=str(number)) for number in range(50))
        async with stub.Chat(requests) as chat:
            texts = [reply.text async for reply in chat]

    assert (first.text, second.text, end, code) == ("Hello Ann", "Hello Bob", None, StatusCode.OK)
    assert texts == [f"Hello {number}" for number in range(50)]


@in_real_time
async def test_an_iterator_of_requests_beside_responses_is_entered(greeter: Greeter) -> None:
    async with calling() as caller:
        call = greeter.stub(caller.client.channel(greeter.target)).Chat(iter(()))
        with pytest.raises(RuntimeError, match="async with stub.Chat"):
            await call.read()


@pytest.mark.parametrize("is_in_block", [True, False])
@in_real_time
async def test_an_error_beside_a_chat_is_raised_as_it_is(
    greeter: Greeter, is_in_block: bool
) -> None:
    def requests() -> Iterator[Any]:
        yield greeter.pb2.Greeting(name="Ann")
        if not is_in_block:
            raise KeyError("Bob")

    async def chat_with(stub: Any) -> None:
        async with stub.Chat(requests()) as chat:
            await chat.read()
            if is_in_block:
                raise KeyError("Bob")
            await chat.read()

    async with calling() as caller:
        with pytest.raises(KeyError):
            await chat_with(greeter.stub(caller.client.channel(greeter.target)))


@pytest.mark.parametrize("compression", ["gzip", "deflate", 2])
@in_real_time
async def test_messages_are_compressed(greeter: Greeter, compression: object) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        await stub.Greet(greeter.pb2.Greeting(name="Ann"))
        before = caller.tester.recorder.bytes_sent

        reply = await stub.Greet(greeter.pb2.Greeting(name=10_000 * "x"), compression=compression)

    assert len(reply.text) == 10_006
    assert caller.tester.recorder.bytes_sent - before < 1_000


@in_real_time
async def test_a_message_that_is_too_large_is_refused(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target, max_message_size=1000))

        code = await stub.Greet(greeter.pb2.Greeting(name="x", times=2000)).code()

    assert code is StatusCode.RESOURCE_EXHAUSTED


@in_real_time
async def test_health_is_asked_of_the_server_and_of_a_service(greeter: Greeter) -> None:
    async with calling() as caller:
        channel = caller.client.channel(greeter.target)

        assert await channel.health() == "SERVING"
        assert await channel.health("shop.Greeter") == "NOT_SERVING"
        with pytest.raises(GrpcError, match="NOT_FOUND"):
            await channel.health("shop.Other")


@in_real_time
async def test_a_server_that_is_away_is_a_status_and_may_be_waited_for() -> None:
    async with calling() as caller:
        channel = caller.client.channel("127.0.0.1:1")
        call = channel.unary_unary("/shop.Greeter/Greet")

        away = call(b"")
        assert await away.code() is StatusCode.UNAVAILABLE
        assert await away.details() == "dial: connection refused"
        late = call(b"", timeout=0.2, wait_for_ready=True)
        assert await late.code() in {StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED}

    assert caller.tags(0)["error_code"] == "1212"
    assert caller.tester.recorder.got_no_response


KINDS: list[tuple[str, Any, Any]] = [
    ("Greet", {"name": "Ann"}, {"text": "Hello Ann"}),
    ("GreetOften", {"name": "Ann", "times": 2}, [{"text": f"Hello Ann {n}"} for n in (0, 1)]),
    ("GreetAll", [{"name": "Ann"}, {"name": "Bob"}], {"text": "Hello Ann, Bob"}),
    ("Chat", [{"name": "Ann"}, {"name": "Bob"}], [{"text": "Hello Ann"}, {"text": "Hello Bob"}]),
]


@pytest.mark.parametrize("source", ["reflection", "file"])
@in_real_time
async def test_all_kinds_are_invoked_without_stubs(greeter: Greeter, source: str) -> None:
    async with calling() as caller:
        if source == "file":
            caller.client.load(str(PROTO))
        for method, request, expected in KINDS:
            response = await caller.client.invoke(
                f"shop.Greeter/{method}", request, target=greeter.target
            )
            message = response.message
            if isinstance(message, dict):
                message.pop("metadata", None)

            assert response.status is StatusCode.OK
            assert message == expected

    # One row of each call, and none of what was asked of the reflection.
    assert {caller.tester.table[number]["service"] for number, *_ in caller.rows()} == {
        "shop.Greeter"
    }
    assert len(caller.rows()) == len(KINDS)


@in_real_time
async def test_a_status_of_invoke_is_a_value(greeter: Greeter) -> None:
    async with calling(base_url=f"http://{greeter.target}/path") as caller:
        response = await caller.client.invoke("shop.Greeter/Greet", {"name": "nobody"})

    assert response.status is StatusCode.NOT_FOUND
    assert response.message is None
    assert response.details == "no such person: 100 % «nobody»"
    assert response.trailers[0] == ("reason", "none")


@pytest.mark.parametrize(
    ("method", "request_", "message"),
    [
        ("Greet", {}, "a method of gRPC is named 'package.Service/Method', got 'Greet'"),
        ("shop.Greeter/Nope", {}, "has no method 'Nope'; it has Greet, GreetOften, GreetAll, Chat"),
        ("shop.Greeter/Greet", {"nam": 1}, 'has no field named "nam"'),
        ("shop.Greeter/Greet", [{}, {}], "takes one request, got 2"),
    ],
)
@in_real_time
async def test_what_cannot_be_invoked_is_told(
    greeter: Greeter, method: str, request_: Any, message: str
) -> None:
    async with calling() as caller:
        with pytest.raises(OptionError) as caught:
            await caller.client.invoke(method, request_, target=greeter.target)

    assert message in str(caught.value)


@in_real_time
async def test_arguments_that_cannot_be_used_are_refused() -> None:
    async with calling() as caller:
        client = caller.client
        with pytest.raises(OptionError, match="a target of gRPC is 'host:port'"):
            client.channel("http://127.0.0.1:1")
        with pytest.raises(
            TypeError, match=r"a channel takes no time_out \(did you mean timeout\?\)"
        ):
            client.channel("127.0.0.1:1", time_out=1)  # type: ignore[call-arg]
        with pytest.raises(OptionError, match="expected_codes takes a status code"):
            client.channel("127.0.0.1:1", expected_codes=99)
        with pytest.raises(TypeError, match=r"stub.b\(\) takes the message .* got the dict"):
            await client.channel("127.0.0.1:1").unary_unary("/a/b", _serialize)({"id": 1})
        with pytest.raises(OptionError, match="compression takes one of identity"):
            client.channel("127.0.0.1:1").unary_unary("/a/b")(b"", compression="br")
        with pytest.raises(TypeError, match=r"a channel takes no credentials \(write tls=True\)"):
            client.channel("127.0.0.1:1", credentials=None)  # type: ignore[call-arg]
        with pytest.raises(OptionError, match="credentials of a call are not taken"):
            client.channel("127.0.0.1:1").unary_unary("/a/b")(b"", credentials=object())
        with pytest.raises(OptionError, match="takes target='host:port'"):
            await client.invoke("a/b", {})
        with pytest.raises(OptionError, match=r"cannot compile no_such.proto, in /.*: Could not"):
            client.load("no_such.proto")


def _serialize(message: Any) -> bytes:
    raise TypeError(type(message))


@in_real_time
async def test_a_server_that_speaks_no_http2_is_told_as_such() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.end()

    async with speaking(speech) as server, calling() as caller:
        call = caller.client.channel(f"127.0.0.1:{server.port}").unary_unary("/a.B/C")(b"")

        assert await call.code() is StatusCode.UNAVAILABLE
        assert (await call.details()).endswith(
            "before the server said anything in HTTP/2; if it speaks TLS, write channel(..., tls=True)"
        )


TYPE = literal(b"content-type", b"application/grpc")
GRPC_OK = b"\x88" + TYPE
DONE = literal(b"grpc-status", b"0")
MESSAGE = b"\0\0\0\0\x02ok"


def saying(*frames: Any) -> Speech:
    """Return a speech that answers each request with `frames`, made of its stream's number."""

    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        while True:
            number = await speaker.request()
            await speaker.send(*(each(number) for each in frames))

    return speech


@pytest.mark.parametrize(
    ("frames", "code", "details"),
    [
        (
            [lambda n: head(n, GRPC_OK), lambda n: data(n, MESSAGE, ends=False),
             lambda n: head(n, DONE, ends=True)],
            StatusCode.OK, "",
        ),
        (
            [lambda n: head(n, GRPC_OK + literal(b"grpc-status", b"8"), ends=True)],
            StatusCode.RESOURCE_EXHAUSTED, "",
        ),
        (
            [lambda n: head(n, GRPC_OK + literal(b"grpc-status", b"99"), ends=True)],
            StatusCode.UNKNOWN, "",
        ),
        (
            [lambda n: head(n, b"\x8d", ends=True)],
            StatusCode.UNIMPLEMENTED, "the server answered with the HTTP status 404",
        ),
        (
            [lambda n: head(n, b"\x88"), lambda n: data(n, b"<html>")],
            StatusCode.UNKNOWN, "the server's answer is not of gRPC",
        ),
        (
            [lambda n: head(n, GRPC_OK), lambda n: data(n, MESSAGE)],
            StatusCode.INTERNAL, "the server's answer has no grpc-status",
        ),
        (
            [lambda n: head(n, GRPC_OK), lambda n: head(n, DONE, ends=True)],
            StatusCode.INTERNAL, "0 messages where one is due",
        ),
        (
            [lambda n: head(n, GRPC_OK), lambda n: data(n, MESSAGE * 2, ends=False),
             lambda n: head(n, DONE, ends=True)],
            StatusCode.INTERNAL, "2 messages where one is due",
        ),
        (
            [lambda n: head(n, GRPC_OK), lambda n: data(n, MESSAGE[:-1], ends=False),
             lambda n: head(n, DONE, ends=True)],
            StatusCode.INTERNAL, "0 messages where one is due",
        ),
        (
            [lambda n: head(n, GRPC_OK), lambda n: data(n, b"\x01" + MESSAGE[1:], ends=False),
             lambda n: head(n, DONE, ends=True)],
            StatusCode.INTERNAL, "compressed message without an encoding ('identity')",
        ),
        (
            [lambda n: reset(n, 8)],
            StatusCode.CANCELLED, "http2: stream error with http2 ErrCode CANCEL",
        ),
        (
            [lambda n: reset(n, 11)],
            StatusCode.RESOURCE_EXHAUSTED,
            "http2: stream error with http2 ErrCode ENHANCE_YOUR_CALM",
        ),
        (
            [lambda n: reset(n, 7)],  # each time: the call is made again, but not for ever
            StatusCode.UNAVAILABLE, "http2: stream error with http2 ErrCode REFUSED_STREAM",
        ),
    ],
)  # fmt: skip
@in_real_time
async def test_an_answer_of_any_kind_is_a_status(
    frames: Any, code: StatusCode, details: str
) -> None:
    async with speaking(saying(*frames)) as server, calling() as caller:
        call = caller.client.channel(f"127.0.0.1:{server.port}").unary_unary("/a.B/C")(b"")

        assert (await call.code(), await call.details()) == (code, details)

    assert len(caller.rows()) == 1
    assert caller.rows()[0][1] == (0 if code is StatusCode.OK else 1)


@in_real_time
async def test_a_connection_that_goes_away_is_replaced_without_a_failed_call() -> None:
    connections = []

    async def speech(speaker: Speaker) -> None:
        connections.append(speaker)
        await speaker.greet()
        number = await speaker.request()
        if len(connections) == 1:
            await speaker.send(goaway(0))
            return
        await speaker.send(
            head(number, GRPC_OK), data(number, MESSAGE, ends=False), head(number, DONE, ends=True)
        )
        await speaker.request()

    async with speaking(speech) as server, calling() as caller:
        channel: Channel = caller.client.channel(f"127.0.0.1:{server.port}")

        assert await channel.unary_unary("/a.B/C")(b"") == b"ok"

    assert len(connections) == 2
    assert [row[1] for row in caller.rows()] == [0]


@in_real_time
async def test_a_call_that_is_cut_off_leaves_no_row_and_resets_its_stream() -> None:
    async def speech(speaker: Speaker) -> None:
        await speaker.greet()
        await speaker.request()
        await speaker.until(3)  # RST_STREAM
        seen.set()

    seen = trio.Event()
    async with speaking(speech) as server, calling() as caller:
        channel = caller.client.channel(f"127.0.0.1:{server.port}")
        with trio.move_on_after(0.1):
            await channel.unary_unary("/a.B/C")(b"")
        with trio.fail_after(5):
            await seen.wait()

    assert caller.rows() == []


@in_real_time
async def test_code_that_catches_errors_of_grpcio_catches_those_of_a_stub(greeter: Greeter) -> None:
    import grpc

    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        with pytest.raises(grpc.RpcError) as caught:
            await stub.Greet(greeter.pb2.Greeting(name="nobody"))

    error = caught.value
    assert isinstance(error, GrpcError)
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.code() is error.code is StatusCode.NOT_FOUND
    assert error.code not in (grpc.StatusCode.OK, None, 4)
    assert error.details() == error.details == "no such person: 100 % «nobody»"


@in_real_time
async def test_status_codes_of_grpcio_are_expected_codes_too(greeter: Greeter) -> None:
    import grpc

    async with calling() as caller:
        expected = [grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND]
        stub = greeter.stub(caller.client.channel(greeter.target, expected_codes=expected))
        with pytest.raises(GrpcError):
            await stub.Greet(greeter.pb2.Greeting(name="nobody"))

    ((_, failed, _, _),) = caller.rows()
    assert failed == 0


@in_real_time
async def test_a_call_that_is_taken_for_its_response_tells_what_to_write(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        reply = stub.Greet(greeter.pb2.Greeting(name="Ann"))

        # `name` and `text` are fields that messages have.
        with pytest.raises(AttributeError) as caught:
            assert reply.text == "Hello Ann"
        with pytest.raises(AttributeError) as caught_of_stream:
            assert stub.GreetOften(greeter.pb2.Greeting()).name

    assert advice_on(caught_of_stream.value).endswith(
        "write: async for response in stub.GreetOften(...):"
    )
    assert advice_on(caught.value) == (
        "stub.Greet(...) is a call, and has no 'text'; for its response write:"
        " response = await stub.Greet(...)"
    )
    assert reply.cancelled()
    assert caller.rows() == []


@in_real_time
async def test_a_loop_that_reads_until_grpcios_eof_is_ended(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        call = stub.GreetOften(greeter.pb2.Greeting(name="Ann", times=1))

        read = [(await call.read()).text, await call.read()]
        with pytest.raises(RuntimeError, match="which read.. told by None; write: async for"):
            await call.read()

    assert read == ["Hello Ann 0", None]
    assert not call.cancelled()


@in_real_time
async def test_a_stream_of_requests_that_is_one_message_is_refused(greeter: Greeter) -> None:
    async with calling() as caller:
        stub = greeter.stub(caller.client.channel(greeter.target))
        with pytest.raises(TypeError, match="a stream of requests is an iterator of messages"):
            await stub.GreetAll(greeter.pb2.Greeting(name="Ann"))


@in_real_time
async def test_the_block_of_a_channel_closes_its_connections(greeter: Greeter) -> None:
    async with calling() as caller:
        opened = []
        for _ in range(2):
            async with caller.client.channel(greeter.target) as channel:
                await greeter.stub(channel).Greet(greeter.pb2.Greeting(name="Ann"))
                opened.append(repr(channel._link))
            opened.append(repr(channel._link))

    assert [text.rpartition(" with ")[2] for text in opened] == [
        "1 connections>",
        "0 connections>",
    ] * 2


@in_real_time
async def test_without_the_extra_proto_files_are_refused_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "google"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])

    async with calling() as caller:
        with pytest.raises(OptionError, match=r"pip install 'pytest-k6api\[grpc\]'"):
            caller.client.load("shop.proto")


@in_real_time
async def test_a_service_that_the_reflection_does_not_know_is_named(greeter: Greeter) -> None:
    async with calling() as caller:
        with pytest.raises(GrpcError, match=r"NOT_FOUND: .* knows no service 'shop.Greter'"):
            await caller.client.invoke("shop.Greter/Greet", {}, target=greeter.target)
