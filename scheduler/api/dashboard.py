"""Serve the dashboard: the page that a browser gets at ``/``, and the files that it loads.

``static/`` is the committed output of ``dashboard/`` (docs/dashboard.md), so that serving it needs no Node.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from scheduler.api.http.respond import ApiResponse

ASSETS = "/assets"
"""Open without a token, as the page is: nothing in the folder is secret."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Nothing inline, and only files of this service.  Live events have a port, and maybe a host, of their own."""

_STATIC = Path(__file__).parent / "static"
_YEAR_SECONDS = 31_536_000
_HOUR_SECONDS = 3_600
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

blueprint = Blueprint("dashboard", __name__)


class _File(NamedTuple):
    plain: bytes
    gzipped: bytes
    content_type: str
    cache_control: str


@blueprint.get(f"{ASSETS}/<name>")
def asset(name: str) -> Response:
    """A file that the page loads."""
    file = _assets().get(name)
    if file is None:
        raise NotFound
    return _response(file)


def page() -> Response | None:
    """The page, when a browser asks; None for everything else.

    ``*/*`` is not enough: that is what curl and HTTP libraries send, and they get the JSON they always got.
    """
    if "text/html" not in request.headers.get("Accept", ""):
        return None
    response = _response(_page())
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.vary.add("Accept")
    return response


def _response(file: _File) -> Response:
    packed = request.accept_encodings["gzip"] > 0
    response = ApiResponse(file.gzipped if packed else file.plain, content_type=file.content_type)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = file.cache_control
    response.vary.add("Accept-Encoding")
    return response


@cache
def _page() -> _File:
    # The page names the files of its build: an old page would ask a new server for files that are gone.
    return _read(_STATIC / "index.html", "no-cache")


@cache
def _assets() -> dict[str, _File]:
    """Return the files by name, read and compressed once.  No other name is served, so no path leaves the folder."""
    return {path.name: _read(path, _lifetime(path)) for path in (_STATIC / "assets").iterdir()}


def _lifetime(path: Path) -> str:
    # ``index-<hash>.js``: another content has another name.
    if path.stem.startswith("index-"):
        return f"public, max-age={_YEAR_SECONDS}, immutable"
    return f"public, max-age={_HOUR_SECONDS}"


def _read(path: Path, cache_control: str) -> _File:
    plain = path.read_bytes()
    return _File(plain, gzip.compress(plain, mtime=0), _TYPES[path.suffix], cache_control)
