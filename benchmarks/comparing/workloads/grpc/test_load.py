"""Unary calls by a generated stub, one in each iteration."""

import os

import grpc
import pytest

TARGET = os.environ["BASE_URL"].removeprefix("http://")

messages, services = grpc.protos_and_services("echo.proto")  # compiled when it is imported
NOTE = messages.Note(text="x" * 30)


@pytest.mark.scenario
async def test_echo(vu):
    """Have one message sent back."""
    stub = services.EchoStub(vu.grpc.channel(TARGET))
    with vu.group("echo"):
        call = stub.Unary(NOTE)
        vu.check(await call.code(), {"is ok": lambda code: code == 0})
