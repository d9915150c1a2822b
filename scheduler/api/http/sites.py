"""Refuses what a page of another site makes its visitor's browser send: before the token is looked at."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Response, request

from scheduler.access import Sites
from scheduler.api.http.problems import error_response

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing.  Browsers keep what they answer from pages of other origins (cors.py)."""


def site_check(sites: Sites) -> Callable[[], Response | None]:
    """A ``before_request`` function that answers 403 unless the request may come from where it says it comes from."""

    def check() -> Response | None:
        environ = request.environ
        host = environ.get("HTTP_HOST", "")
        reason = sites.host_refusal(host) if sites.checks_hosts else None
        if reason is None and ("HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ):
            if request.method in READING:
                return None
            origins = [environ["HTTP_ORIGIN"]] if "HTTP_ORIGIN" in environ else []
            reason = sites.refusal(host, origins, environ.get("HTTP_SEC_FETCH_SITE", ""))
        return error_response(HTTPStatus.FORBIDDEN, reason) if reason is not None else None

    return check
