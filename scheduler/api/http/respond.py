"""Build responses at little cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class ApiResponse(Response):
    """A response that leaves as one list of bytes where it can.

    Granian writes a list in one call and steps through any other iterable, which costs a third of a small request.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self.status_code == HTTPStatus.OK and self.is_sequence and environ["REQUEST_METHOD"] != "HEAD":
            # What werkzeug completes only other answers need, and it takes a twentieth of a small request.
            start_response(self.status, self.headers.to_wsgi_list())
            chunks: Iterable[bytes] = self.iter_encoded()
        else:
            chunks, status, headers = self.get_wsgi_response(environ)
            start_response(status, headers)
        if not self.is_sequence:
            return chunks
        # It is all in memory: nothing is left to be closed after the last byte was sent.
        self.close()
        return list(chunks)


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with ``body`` as JSON."""
    return json_bytes(orjson.dumps(body), status, headers)


def json_bytes(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON text as it is."""
    return ApiResponse(body, status, headers, content_type="application/json")


def text(body: str, status: int = 200) -> Response:
    """Return a response with ``body`` as plain text."""
    return ApiResponse(body, status, content_type="text/plain; charset=utf-8")
