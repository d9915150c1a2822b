"""The Flask application.  Creating one starts no thread and makes no call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, Rule

from scheduler.api import dashboard
from scheduler.api.http import docs, threads
from scheduler.api.http.problems import answer_to
from scheduler.api.http.respond import ApiResponse
from scheduler.api.http.rules import Rules
from scheduler.api.http.services import Services
from scheduler.api.http.threads import current, respond, run
from scheduler.api.kept import echo, jobs
from scheduler.api.kept import schedule as tasks
from scheduler.api.ops import health, metrics, stats
from scheduler.api.v1 import (
    clock,
    dead_letters,
    destinations,
    flows,
    history,
    messages,
    pause,
    preview,
    schedule_preview,
    schedules,
)
from scheduler.errors import ServiceError

_BLUEPRINTS = (
    echo.blueprint,
    messages.blueprint,
    history.blueprint,
    dead_letters.blueprint,
    pause.blueprint,
    preview.blueprint,
    flows.blueprint,
    destinations.blueprint,
    schedule_preview.blueprint,
    schedules.blueprint,
    stats.blueprint,
    health.blueprint,
    metrics.blueprint,
    tasks.blueprint,
    jobs.blueprint,
    dashboard.blueprint,
)


class _Rule(Rule):
    """A rule whose functions that build an address are compiled when one is built, which the page of /docs does.

    For all rules this took three quarters of ``create_app``.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(super()._compile_builder)
        return lambda rule, /, **values: compiled(append_unknown)(rule, **values)


class _App(Flask):
    """Flask without features that this service does not use and that cost time in each request, or at the start."""

    response_class = ApiResponse
    url_rule_class = _Rule

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view as it is: none is a coroutine, and Flask's check takes as long as parsing a body."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the view of a request: by its path alone, whichever host name it was sent to."""
        if request is None:
            return None
        path = request.environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        return MapAdapter(self.url_map, "", "/", "", request.scheme, path, request.method)


def create_app(services: Services, rules: Rules | None = None) -> Flask:
    """Return the WSGI application.  ``rules``: shared with the front before it; None: rules of its own."""
    app = _App("scheduler.api", static_folder=None)
    # OPTIONS is answered like any other method that a route does not have.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # A redirect would be an HTML page, and would lose the body of a POST.
    app.url_map.merge_slashes = False
    services.attach(app)
    rules = rules or Rules(services)
    threads.attach(app, rules)
    app.before_request(_admit(rules))
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    if services.settings.test.clock:
        app.register_blueprint(clock.blueprint)
    docs.register(app, with_token=bool(rules.tokens))
    for kind in (ServiceError, HTTPException, Exception):
        app.register_error_handler(kind, _answer_to)
    app.after_request(_finish(rules))
    return app


def _admit(rules: Rules) -> Callable[[], Response | None]:
    def admit() -> Response | None:
        refusal = run(rules.admit(current()))
        return respond(refusal) if refusal is not None else None

    return admit


def _answer_to(error: Exception) -> Response:
    return respond(answer_to(current(), error))


def _finish(rules: Rules) -> Callable[[Response], Response]:
    def finish(response: Response) -> Response:
        rule = request.url_rule
        route = rule.rule if rule is not None else "none"
        rules.finish(current(), response.status_code, response.headers, route)
        return response

    return finish
