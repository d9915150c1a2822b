"""``/docs`` and ``/openapi.json``: Flasgger serves the document and the page.

The page's files are Swagger UI 5 from the wheel ``flask-swagger-ui``; those inside Flasgger are of 2020.  The page
names everything by relative addresses, so that it works behind a proxy that adds a path in front.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import orjson
from flasgger.base import APIDocsView, Swagger
from flask import Blueprint, Flask, Response

from scheduler.api.http import openapi
from scheduler.api.http.respond import ApiResponse, json_bytes

ROUTE = "/docs"
DOCUMENT_ROUTE = "/openapi.json"
_ASSETS = "/docs/assets"
_SWAGGER_UI = str(files("flask_swagger_ui") / "dist")
_DAY_SECONDS = 86_400

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Only files of this service.  Swagger UI sets style attributes, hence ``unsafe-inline`` for styles alone."""


_PAGE_SCRIPT = b"""\
SwaggerUIBundle({
  url: document.currentScript.dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null
});
"""


class Docs(Swagger):  # type: ignore[misc] # Flasgger has no types
    """Flasgger with our own document, page template (its own loads fonts from elsewhere) and routes, and no others."""

    def register_views(self, app: Flask) -> None:
        """Register the page, its assets and the document."""
        blueprint = Blueprint("flasgger", __name__, static_folder=_SWAGGER_UI, static_url_path=_ASSETS)
        page = APIDocsView.as_view("apidocs", view_args={"config": self.config})
        blueprint.add_url_rule(ROUTE, "apidocs", view_func=page)
        blueprint.add_url_rule(f"{ROUTE}/page.js", "page_script", view_func=_page_script)
        blueprint.add_url_rule(
            DOCUMENT_ROUTE, "openapi", view_func=_document_view(app, with_token=self.config["with_token"])
        )
        blueprint.after_request(_allow_the_page)
        app.register_blueprint(blueprint)


def _page_script() -> Response:
    return ApiResponse(_PAGE_SCRIPT, content_type="text/javascript; charset=utf-8")


def _allow_the_page(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    if response.mimetype not in {"text/html", "application/json"}:
        response.headers["Cache-Control"] = f"public, max-age={_DAY_SECONDS}"
    return response


def _document_view(app: Flask, *, with_token: bool) -> Callable[[], Response]:
    # Built at the first request: it takes longer than the rest of starting a process.
    @cache
    def document() -> bytes:
        return orjson.dumps(openapi.build(app, with_token=with_token))

    def view() -> Response:
        return json_bytes(document())

    return view


def register(app: Flask, *, with_token: bool) -> None:
    """Add the docs to ``app``.  ``with_token``: whether requests need one."""
    config = {
        "title": "Message Scheduling Service",
        "specs": [{"endpoint": "openapi", "route": DOCUMENT_ROUTE}],
        "headers": [],
        "with_token": with_token,
    }
    Docs(app, config=config)
