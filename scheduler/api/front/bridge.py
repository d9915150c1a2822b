"""Hand one request, its body already read, to Flask: as WSGI, in a thread."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Scope = dict[str, Any]
HeaderList = list[tuple[bytes, bytes]]


class WsgiAnswer(NamedTuple):
    """The answer of a WSGI application."""

    status: int
    headers: HeaderList
    body: bytes
    rest: Generator[bytes] | None = None
    """What follows the body, made as it is taken; its ``close`` is to be called.  None: nothing follows."""


def call(application: WSGIApplication, scope: Scope, fields: Mapping[str, str], body: bytes) -> WsgiAnswer:
    """Run the application on one request of ASGI with these header ``fields``."""
    begun: list[tuple[int, HeaderList]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        begun.append((int(status[:3]), fields))

    chunks: Iterable[bytes] = application(environ_of(scope, fields, body), start_response)
    head = begun[-1] if begun else (HTTPStatus.INTERNAL_SERVER_ERROR, [])
    # An answer that is in memory is a list (``ApiResponse``), and needs no close.
    return WsgiAnswer(*head, b"".join(chunks)) if isinstance(chunks, list) else WsgiAnswer(*head, b"", _rest(chunks))


def _rest(chunks: Iterable[bytes]) -> Generator[bytes]:
    try:
        yield from chunks
    finally:
        if hasattr(chunks, "close"):
            chunks.close()


def environ_of(scope: Scope, fields: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the WSGI environment (PEP 3333)."""
    server, client = scope["server"] or ("", 0), scope["client"] or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in fields.items():
        environ[_key(name)] = value
    return environ


@lru_cache(maxsize=256)
def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


_FIRST_COUNTS = (b"content-type", b"content-length")


def fields_of(headers: HeaderList) -> dict[str, str]:
    """Header fields by name, as WSGI shows them: Latin-1, values of one name joined by a comma, of type and length the
    first one.
    """
    fields = dict(headers)
    if len(fields) < len(headers):
        for name in fields:
            values = [value for other, value in headers if other == name]
            fields[name] = values[0] if name in _FIRST_COUNTS else b",".join(values)
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items()}
