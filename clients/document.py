"""The OpenAPI document that both clients are compared with, and what of it they leave out.

``python -m clients.document`` prints what they have: the covered operations, and the models of their success.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.api import Api
from tests.support.clock import FakeClock

PENDING = Path(__file__).parent / "pending.txt"
LEFT_OUT = {
    "health_root": "says only that a service is there; health() says how it is",
    "health_metrics": "text for Prometheus",
}
"""Operations of the service's own that no client has, and why.  Routes kept from earlier systems are left out too: what
they do, /v1 does."""
REF = "#/components/schemas/"
OWN = ("/v1/", "/health")
"""Where the paths of the service's own operations begin."""


def document() -> dict[str, Any]:
    """The document of a service without a token and without job handlers, whose clock tests may move."""
    whole: dict[str, Any] = Api(FakeClock(), {"test": {"clock": True}}).get("/openapi.json").json
    for schema in whole["components"]["schemas"].values():
        _forget_handlers(schema)
    return whole


def _forget_handlers(schema: Any) -> None:
    """Remove the names of the handlers that one process knows: types of a client are for every service."""
    if isinstance(schema, list):
        for item in schema:
            _forget_handlers(item)
    elif isinstance(schema, dict):
        if schema.get("title") == "Type" and schema.get("type") == "string":
            schema.pop("enum", None)
            schema.pop("example", None)
        for value in schema.values():
            _forget_handlers(value)


def pending() -> set[str]:
    """operationIds that are new in the service and not yet in the clients."""
    lines = PENDING.read_text().splitlines() if PENDING.exists() else []
    return {line for line in lines if line and not line.startswith("#")}


def is_covered(path: str, name: str) -> bool:
    """Return whether the clients have this operation."""
    return path.startswith(OWN) and name not in LEFT_OUT and name not in pending()


def covered() -> dict[str, Any]:
    """The document with nothing in it but the operations that the clients have."""
    whole = document()
    paths: dict[str, Any] = {}
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            if is_covered(path, operation["operationId"]):
                # What is refused is an exception, of one shape for all operations.
                successes = {code: answer for code, answer in operation["responses"].items() if code[0] == "2"}
                paths.setdefault(path, {})[method] = {**operation, "responses": successes}
    found: dict[str, Any] = {}
    _find(paths, whole["components"]["schemas"], found)
    return {**whole, "paths": paths, "components": {"schemas": dict(sorted(found.items()))}}


def _find(value: Any, schemas: dict[str, Any], found: dict[str, Any]) -> None:
    """Collect the schemas that something refers to, and those that they refer to."""
    if isinstance(value, list):
        for item in value:
            _find(item, schemas, found)
    elif isinstance(value, dict):
        name = str(value.get("$ref", "")).removeprefix(REF)
        if name and name not in found:
            found[name] = schemas[name]
            _find(schemas[name], schemas, found)
        for item in value.values():
            _find(item, schemas, found)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(covered(), indent=2) + "\n")
