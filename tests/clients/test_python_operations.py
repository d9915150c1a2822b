"""The Python client has every operation of the document, with its method, path and models."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from message_scheduler_client import AsyncClient, Client, calls

from clients import document, python_models

DOCUMENT = document.document()


def own() -> dict[str, tuple[str, str]]:
    """operationId → (method, path) of the service's own operations."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if path.startswith(document.OWN) or operation["operationId"] in document.LEFT_OUT
    }


def test_every_operation_is_covered_or_explained() -> None:
    missing = own().keys() - calls.OPERATIONS.keys() - document.LEFT_OUT.keys() - document.pending()
    assert not missing, "add them to calls.py and clients.py of the Python client, or to clients/pending.txt"


def test_what_is_left_out_or_pending_is_there() -> None:
    assert document.LEFT_OUT.keys() <= own().keys()
    assert document.pending() <= own().keys() - calls.OPERATIONS.keys()


@pytest.mark.parametrize("name", calls.OPERATIONS)
def test_is_the_operation_of_the_document(name: str) -> None:
    described = calls.OPERATIONS[name]
    assert (described.method, described.path) == own()[name]
    operation = DOCUMENT["paths"][described.path][described.method.lower()]
    assert described.keyed == ("Idempotency-Key" in [p["name"] for p in operation.get("parameters", ())])


def builders() -> dict[str, Any]:
    """The functions of ``calls`` that describe an operation, by name."""
    return {
        name: found
        for name, found in vars(calls).items()
        if inspect.isfunction(found) and str(found.__annotations__.get("return")).startswith("Call[m.")
    }


def test_each_operation_is_described_by_a_function() -> None:
    described = {build(*["id"] * _positional(build)).operation.name for build in builders().values()}
    assert described == set(calls.OPERATIONS)


def _positional(build: Any) -> int:
    parameters = inspect.signature(build).parameters.values()
    return sum(parameter.kind is inspect.Parameter.POSITIONAL_ONLY for parameter in parameters)


def test_both_clients_have_each_of_them() -> None:
    for client in (Client, AsyncClient):
        made = {name: inspect.unwrap(found) for name, found in vars(client).items() if callable(found)}
        for name, build in builders().items():
            assert made[name] is inspect.unwrap(build), f"{client.__name__}.{name}"
    assert _public(Client) == _public(AsyncClient)


def _public(client: type) -> set[str]:
    return {name for name in vars(client) if not name.startswith("_")}


def test_the_models_are_those_of_the_document() -> None:
    assert python_models.TARGET.read_text() == python_models.generated(), "run: make clients"
