"""``/openapi.json``: OpenAPI 3.0.3, generated from the routes and the models that validate them.

3.0 and not 3.1, because that is what most generators of clients read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from scheduler.api.http.auth import is_open
from scheduler.api.http.idempotency import HEADER, LONGEST
from scheduler.api.kept.job_models import JobError
from scheduler.api.v1.answers import MessageError, PlainError, Problem, Unauthorized
from scheduler.api.v1.models import TASK_KEY_PATTERN
from scheduler.destination import DESTINATION_PATTERN
from scheduler.message import ID_PATTERN
from scheduler.schedule import SCHEDULE_ID_PATTERN

Schema = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

_REF = "#/components/schemas/"
_IGNORED_METHODS = {"HEAD", "OPTIONS"}
_WITH_BODY_ERRORS = (408, 413, 415)
_TEXT = "text/plain"
_TAGS = {
    "messages": "Schedule messages, read, list, change and cancel them.",
    "schedules": "Plans that make a message at each of their moments.",
    "flow control": "Limits that messages share: how many at once, how many a minute, one after the other.",
    "destinations": "Where webhooks fail: circuit breakers, the same for all servers.",
    "history": "Finished messages, after Redis has deleted them.",
    "dead letters": "Messages that were given up: schedule them again.",
    "control": "The service as a whole.",
    "health": "For machines that watch the service.",
    "echo": "A line on the server's console, in the words of an earlier system.",
    "tasks": "Webhook tasks, in the words of an earlier system.",
    "jobs": "Jobs, in the words of an earlier system.",
}
"""In the order of the page: the service's own routes first, the kept ones of earlier systems last."""
_FORM = "application/x-www-form-urlencoded"
_PATTERNS = {
    "id": ID_PATTERN,
    "schedule": SCHEDULE_ID_PATTERN,
    "flow_key": ID_PATTERN,
    "destination": DESTINATION_PATTERN,
    "key": TASK_KEY_PATTERN,
}
"""Of the parameters in paths."""
_DESCRIPTION = (
    "Accepts a message now and delivers it at its moment. Errors under /v1 are application/problem+json (RFC 9457)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the document says about one route and method."""

    summary: str
    tag: str
    name: str | None
    """The operationId; None: it follows from the names of the module and of the view."""
    answer: type[BaseModel] | None
    status: int
    errors: tuple[int, ...]
    request: type[BaseModel] | None
    body_optional: bool
    form: type[BaseModel] | None
    """The body as the fields of a form, where that is accepted beside JSON."""
    query: type[BaseModel] | None
    plain_text: bool
    streams: tuple[str, ...]
    """Media types of the same as a stream, by Accept."""
    idempotent: bool
    links: tuple[str, ...]
    """operationIds of what can be asked about what was made."""
    link: tuple[str, str]
    """The parameter of their paths, and the field of this answer that it is."""


OPERATIONS: dict[Callable[..., Any], Operation] = {}


def operation(
    summary: str,
    *,
    tag: str,
    name: str | None = None,
    answer: type[BaseModel] | None,
    status: int = 200,
    errors: Sequence[int] = (),
    request: type[BaseModel] | None = None,
    form: type[BaseModel] | None = None,
    body_optional: bool = False,
    query: type[BaseModel] | None = None,
    plain_text: bool = False,
    streams: Sequence[str] = (),
    idempotent: bool = False,
    links: Sequence[str] = (),
    link: tuple[str, str] = ("id", "id"),
) -> Callable[[View], View]:
    """Document a view.  ``answer`` None: plain text only.  ``errors``: statuses beside those that all may give.

    ``name``: the operationId of a view that has moved: generated clients name their methods after it.
    """

    def remember(view: View) -> View:
        OPERATIONS[view] = Operation(
            summary=summary,
            tag=tag,
            name=name,
            answer=answer,
            status=status,
            errors=tuple(errors),
            request=request,
            form=form,
            body_optional=body_optional,
            query=query,
            plain_text=plain_text or answer is None,
            streams=tuple(streams),
            idempotent=idempotent,
            links=tuple(links),
            link=link,
        )
        return view

    return remember


def build(app: Flask, *, with_token: bool) -> Schema:
    """The document of all documented routes of ``app``.  ``with_token``: whether requests need one."""
    paths: dict[str, Schema] = {}
    models: set[type[BaseModel]] = set()
    for rule, method, view in sorted(documented(app), key=_place):
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        operation = _operation(rule, method, view, models, with_token=with_token)
        paths.setdefault(path, {})[method.lower()] = operation
    document: Schema = {
        "openapi": "3.0.3",
        "info": {
            "title": "Message Scheduling Service",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "MIT licence"},
        },
        # Relative to where the document was found, so also behind a proxy that adds a path in front.
        "servers": [{"url": "./"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": _schemas(models)},
    }
    if with_token:
        document["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "Api.AuthToken of this service."}
        }
        document["security"] = [{"token": []}]
    return document


def _place(route: tuple[Rule, str, Callable[..., Any]]) -> tuple[int, str, str]:
    rule, method, view = route
    return [*_TAGS].index(OPERATIONS[view].tag), rule.rule, method


def documented(app: Flask) -> list[tuple[Rule, str, Callable[..., Any]]]:
    """(rule, method, view) of every documented route."""
    return [
        (rule, method, app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - _IGNORED_METHODS)
        if app.view_functions[rule.endpoint] in OPERATIONS
    ]


def _operation(
    rule: Rule, method: str, view: Callable[..., Any], models: set[type[BaseModel]], *, with_token: bool
) -> Schema:
    described = OPERATIONS[view]
    name = described.name or rule.endpoint.replace(".", "_")
    operation: Schema = {
        "operationId": name,
        "summary": described.summary,
        "description": view.__doc__ or "",
        "tags": [described.tag],
        "responses": _responses(rule.rule, method, described, models, with_token=with_token),
    }
    if parameters := _parameters(rule, described):
        operation["parameters"] = parameters
    if described.request is not None:
        models.add(described.request)
        operation["requestBody"] = {
            "required": not described.body_optional,
            "content": {"application/json": {"schema": _ref(described.request)}},
        }
        if described.form is not None:
            models.add(described.form)
            operation["requestBody"]["content"][_FORM] = {"schema": _ref(described.form)}
    if with_token and is_open(rule.rule):
        operation["security"] = []
    return operation


def _parameters(rule: Rule, described: Operation) -> list[Schema]:
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": _PATTERNS[name]}}
        for name in sorted(rule.arguments)
    ]
    if described.query is not None:
        schema = _as_openapi_30(described.query.model_json_schema(), {})
        for name, of_parameter in schema["properties"].items():
            # A parameter that is there has a value; "not given" is its absence, and no null.
            of_parameter.pop("nullable", None)
            parameters.append({"name": name, "in": "query", "schema": of_parameter})
    if described.idempotent:
        parameters.append(
            {
                "name": HEADER,
                "in": "header",
                "description": "A repeat of the request with the same key stores nothing more.",
                "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[ -~]+$"},
            }
        )
    return parameters


def _responses(
    path: str, method: str, described: Operation, models: set[type[BaseModel]], *, with_token: bool
) -> Schema:
    content: Schema = {}
    if described.answer is not None:
        models.add(described.answer)
        content["application/json"] = {"schema": _ref(described.answer)}
    content.update({media_type: {"schema": {"type": "string"}} for media_type in described.streams})
    if described.plain_text:
        content[_TEXT] = {"schema": {"type": "string"}}
    success: Schema = {"description": _described(described), "content": content}
    if described.links:
        parameter, field = described.link
        success["links"] = {
            name: {"operationId": name, "parameters": {parameter: f"$response.body#/{field}"}}
            for name in described.links
        }
    responses: Schema = {str(described.status): success}
    for status in sorted({*described.errors, *_common_errors(path, method, described, with_token=with_token)}):
        model, media_type = _error_model(path, status)
        models.add(model)
        content = {media_type: {"schema": _ref(model)}}
        if described.plain_text and described.answer is not None:
            content[_TEXT] = {"schema": {"type": "string"}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return responses


def _described(described: Operation) -> str:
    return (described.answer.__doc__ if described.answer is not None else None) or described.summary


def _common_errors(path: str, method: str, described: Operation, *, with_token: bool) -> set[int]:
    common = {403, 500, 503}
    if method != "GET":
        common.add(429)
    if with_token and not is_open(path):
        common.add(401)
    if described.request is not None:
        common.update(_WITH_BODY_ERRORS)
    return common


def _error_model(path: str, status: int) -> tuple[type[BaseModel], str]:
    if path.startswith("/v1/"):
        return Problem, "application/problem+json"
    if path in ("/echoAtTime", "/health"):
        return MessageError, "application/json"
    if path.startswith("/api/"):
        return JobError, "application/json"
    return (Unauthorized if status == HTTPStatus.UNAUTHORIZED else PlainError), "application/json"


def _ref(model: type[BaseModel]) -> Schema:
    return {"$ref": _REF + model.__name__}


def _schemas(models: set[type[BaseModel]]) -> Schema:
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schema = models_json_schema([(model, "validation") for model in ordered], ref_template=_REF + "{model}")
    definitions = schema["$defs"]
    return {name: _as_openapi_30(definition, definitions) for name, definition in sorted(definitions.items())}


def _as_openapi_30(schema: Any, definitions: Mapping[str, Schema]) -> Any:
    """JSON Schema 2020-12 as pydantic writes it in the words of OpenAPI 3.0, which has no ``null`` and no ``const``."""
    if isinstance(schema, list):
        return [_as_openapi_30(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = dict(schema)
    choices = schema.get("anyOf", [])
    if {"type": "null"} in choices:
        (other,) = (choice for choice in choices if choice != {"type": "null"})
        # "nullable" beside a $ref means nothing in OpenAPI 3.0: what is referred to moves in.
        other = definitions[other["$ref"].removeprefix(_REF)] if "$ref" in other else other
        del schema["anyOf"]
        schema = {**other, **schema, "nullable": True}
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
        if schema.get("default", 0) is None:
            del schema["default"]
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    return {name: _as_openapi_30(value, definitions) for name, value in schema.items()}
