"""The OpenAPI description of the API, made from its routes and the types of its documents."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from pytest_k6api.api.document_types import ErrorDocument
from pytest_k6api.api.json_schema import Schema, SchemaBook
from pytest_k6api.api.reply import Call, Reply, Route, json_reply

_PARAMETER: Final = re.compile(r"\{(\w+)(?:\.\.\.)?\}")
_ABOUT: Final = {
    "id": "The id, percent-encoded.",
    "name": "The scenario's name.",
    "test": "A load test's id, from /v1/tests.",
}
_WORDS: Final = {
    200: "As asked.",
    202: "Accepted: the load generator takes it as soon as it moves.",
    400: "The request cannot be read, or asks for what makes no sense.",
    401: "The token is missing or wrong.",
    403: "Another site's page sent it, or it is addressed to another host.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "No load test of the session has started yet.",
    413: "The body is too large.",
    500: "It could not be carried out, as k6 says it.",
}
_JSON_LIKE: Final = re.compile(r"application/json\b")


async def show_openapi(call: Call) -> Reply:
    """Show the OpenAPI description of all this."""
    return json_reply(describe(call.api.routes, asks_token=call.api.asks_token))


def describe(routes: Sequence[Route], *, asks_token: bool) -> Schema:
    """Return the OpenAPI 3.1 document of `routes`."""
    book = SchemaBook()
    paths: dict[str, dict[str, Schema]] = {}
    for route in routes:
        operation = _operation(route, book, asks_token=asks_token)
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = operation
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "pytest-k6api: control of running load tests",
            "version": version("pytest-k6api"),
            "description": "k6's REST API v1, and what goes beyond it.",
        },
        "paths": paths,
        "components": {"schemas": book.components},
    }
    if asks_token:
        document["components"] = {
            "schemas": book.components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        }
        document["security"] = [{"token": []}]
    return document


def _operation(route: Route, book: SchemaBook, *, asks_token: bool) -> Schema:
    operation: Schema = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "tags": ["one load test" if "{test}" in route.path else "session"],
        "responses": _responses(route, book, asks_token=asks_token),
    }
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        content = {"application/json": {"schema": route.body}}
        operation["requestBody"] = {"required": route.body_required, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    name = route.handler.__name__
    return f"{name}_of_test" if route.path.startswith("/v1/tests/{test}/") else name


def _parameters(route: Route) -> list[Schema]:
    in_path: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _ABOUT[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in _PARAMETER.findall(route.path)
    ]
    in_query: list[Schema] = [
        {
            "name": query.name,
            "in": "query",
            "required": False,
            "description": query.description,
            "schema": {"type": "string"},
            "example": query.example,
        }
        for query in route.queries
    ]
    return in_path + in_query


def _responses(route: Route, book: SchemaBook, *, asks_token: bool) -> dict[str, Schema]:
    good = {200: _content(route, book)}
    if route.method == "PATCH":
        good[202] = good[200]
    statuses = {403, 413, 408, *route.errors, *({401} if asks_token else ())}
    error: Schema = {"schema": book.schema(ErrorDocument)}
    bad = {
        status: _media("application/json" if status in _GATE else route.error_media, error)
        for status in statuses
    }
    return {
        str(status): {"description": _WORDS[status], **content}
        for status, content in sorted((good | bad).items())
    }


_GATE: Final = frozenset({401, 403, 408, 413})
"""Statuses that are answered before the route is known."""


def _content(route: Route, book: SchemaBook) -> Schema:
    if route.answers is not None:
        return _media(route.media, {"schema": book.schema(route.answers)})
    if _JSON_LIKE.match(route.media):
        return {}  # an empty body
    return _media(route.media, {"schema": {"type": "string"}})


def _media(media: str, content: Schema) -> Schema:
    return {"content": {media: content}}
