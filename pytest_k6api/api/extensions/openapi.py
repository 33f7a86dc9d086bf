"""The OpenAPI description of the API, made of its endpoints and the types of their documents."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from pytest_k6api.api.documents import ErrorDocument, JsonObject
from pytest_k6api.api.messages import JSON, Call, Endpoint, Reply, Stream

Schema = dict[str, Any]

_PARAMETER: Final = re.compile(r"\{(\w+)(?:\.\.\.)?\}")
_ABOUT: Final = {
    "id": "The id, percent-encoded.",
    "name": "The scenario's name.",
    "test": "A load test's id, from /v1/tests.",
}
_WORDS: Final = {
    200: "OK.",
    202: "Accepted: the change is made when the blocked event loop of the load test goes on.",
    400: "The request cannot be read, or its values contradict each other.",
    401: "The token is missing or wrong.",
    403: "A page of another site sent the request, or it is addressed to another host.",
    404: "There is no such metric, group, scenario or load test.",
    408: "The body took too long.",
    409: "No load test of the session has started yet.",
    413: "The body is too large.",
    503: "The event loop of the load test is blocked, and no earlier answer is kept.",
    500: "The command cannot be carried out now, in k6's words.",
}
_NO_JSON: Final = (None, type(None), bytes, Stream)
_BEFORE_ROUTING: Final = frozenset({401, 403, 408, 413})
"""Statuses of errors that any request can get."""


@Endpoint("GET", "/v1/openapi.json")
async def show_openapi(call: Call) -> Reply[JsonObject]:
    """Show the OpenAPI description of all this."""
    return Reply(describe(call.api.endpoints, asks_token=call.api.asks_token))


def describe(endpoints: Sequence[Endpoint], *, asks_token: bool) -> Schema:
    """Return the OpenAPI 3.1 document of `endpoints`."""
    schemas = _Schemas(endpoints)
    paths: dict[str, dict[str, Schema]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schemas, asks_token=asks_token)
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = operation
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "pytest-k6api: control of running load tests",
            "version": version("pytest-k6api"),
            "description": "k6's REST API v1, and what goes beyond it.",
        },
        "paths": paths,
        "components": {"schemas": schemas.components},
    }
    if asks_token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


class _Schemas:
    """The schemas of all documents, each once, by msgspec."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        pairs = [(endpoint.answers, endpoint.takes) for endpoint in endpoints]
        kinds = [kind for pair in pairs for kind in pair if kind not in _NO_JSON]
        self._kinds = [*kinds, ErrorDocument]
        self._schemas, self.components = msgspec.json.schema_components(
            self._kinds,
            schema_hook=lambda _: {},  # setup data
            ref_template="#/components/schemas/{name}",
        )

    def of(self, kind: object) -> Schema:
        """Return the schema of `kind`, which refers to `components`."""
        return self._schemas[self._kinds.index(kind)]


def _operation(endpoint: Endpoint, schemas: _Schemas, *, asks_token: bool) -> Schema:
    operation: Schema = {
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint),
        "tags": ["one load test" if "{test}" in endpoint.path else "session"],
        "responses": _responses(endpoint, schemas, asks_token=asks_token),
    }
    parameters = _parameters(endpoint)
    if parameters:
        operation["parameters"] = parameters
    if endpoint.takes is not None:
        content = {JSON: {"schema": schemas.of(endpoint.takes)}}
        operation["requestBody"] = {"required": endpoint.body_required, "content": content}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    name = endpoint.handler.__name__
    return f"{name}_of_test" if endpoint.path.startswith("/v1/tests/{test}/") else name


def _parameters(endpoint: Endpoint) -> list[Schema]:
    in_path: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _ABOUT[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in _PARAMETER.findall(endpoint.path)
    ]
    in_query: list[Schema] = [
        {
            "name": query.name,
            "in": "query",
            "required": False,
            "description": query.description,
            "schema": {"type": "integer", "minimum": 1, "maximum": query.most}
            if query.most
            else {"type": "string"},
            "example": int(query.example) if query.most else query.example,
        }
        for query in endpoint.queries
    ]
    return in_path + in_query


def _responses(endpoint: Endpoint, schemas: _Schemas, *, asks_token: bool) -> Schema:
    good = _content(endpoint, schemas)
    contents = {200: good, 202: good} if endpoint.method == "PATCH" else {200: good}
    error = {"schema": schemas.of(ErrorDocument)}
    for status in {*_BEFORE_ROUTING, *endpoint.errors} - ({401} if not asks_token else set()):
        media = JSON if status in _BEFORE_ROUTING else endpoint.error_media
        contents[status] = {"content": {media: error}}
    return {
        str(status): {"description": _WORDS[status], **content}
        for status, content in sorted(contents.items())
    }


def _content(endpoint: Endpoint, schemas: _Schemas) -> Schema:
    kind = endpoint.answers
    if kind is type(None):
        return {}
    schema = {"type": "string"} if kind in _NO_JSON else schemas.of(kind)
    return {"content": {endpoint.media: {"schema": schema}}}
