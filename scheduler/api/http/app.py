"""The Flask application.  Making one starts nothing and talks to nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request

from scheduler.access import Sites, Tokens
from scheduler.api import dashboard
from scheduler.api.http import auth, cors, docs, problems, rate_limits
from scheduler.api.http.respond import ApiResponse
from scheduler.api.http.services import Services
from scheduler.api.http.sites import site_check
from scheduler.api.kept import echo, jobs
from scheduler.api.kept import schedule as tasks
from scheduler.api.ops import health, metrics, stats
from scheduler.api.v1 import dead_letters, messages, pause, preview

_BLUEPRINTS = (
    echo.blueprint,
    messages.blueprint,
    dead_letters.blueprint,
    pause.blueprint,
    preview.blueprint,
    stats.blueprint,
    health.blueprint,
    metrics.blueprint,
    tasks.blueprint,
    jobs.blueprint,
    dashboard.blueprint,
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _App(Flask):
    """Flask without what nobody here uses and each request would pay for."""

    response_class = ApiResponse

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine; to find that out anew takes as long as to parse a body."""
        return func


def create_app(services: Services) -> Flask:
    """The WSGI application over these services."""
    app = _App("scheduler.api", static_folder=None)
    # OPTIONS is answered like any other method that a route does not have.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # A redirect would be an HTML page, and would lose the body of a POST.
    app.url_map.merge_slashes = False
    services.attach(app)
    # In this order: a browser's preflight has no token; a page of another site is not told whether its token was right;
    # and only requests with a right token are counted.
    cors.register(app, services.settings.api.cors_origins)
    settings = services.settings
    app.before_request(site_check(Sites(settings, "Api.CorsOrigins", settings.api.cors_origins)))
    tokens = Tokens(settings)
    if tokens:
        app.before_request(auth.token_check(tokens))
    rate_limits.register(app, services)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    docs.register(app, with_token=bool(tokens))
    problems.register(app)
    app.after_request(_finisher(services))
    return app


def _finisher(services: Services) -> Callable[[Response], Response]:
    """What is done to every answer, errors included: security headers, and counting it."""
    count = services.telemetry.count

    def finish(response: Response) -> Response:
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        if services.stopping.is_set():
            # A connection that is kept would carry a request at the very moment in which it is closed.
            headers["Connection"] = "close"
        if "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"
        # The rule and not the path: a metric per id would fill the memory.
        rule = request.url_rule
        count(
            "scheduler_http_requests",
            route=rule.rule if rule is not None else "none",
            method=request.method if request.method in _METHODS else "other",
            status=str(response.status_code),
        )
        return response

    return finish
