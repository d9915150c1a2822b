"""Refuse requests that a page of another site makes its visitor's browser send.  Checked before the token."""

from __future__ import annotations

from http import HTTPStatus

from scheduler.access import Sites
from scheduler.api.http.exchange import Answer, Exchange
from scheduler.api.http.problems import error_answer

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing.  Browsers hide their answers from pages of other origins (cors.py)."""


def refusal(sites: Sites, x: Exchange) -> Answer | None:
    """Return a 403 unless the site that sent the request, by its own headers, may use the API."""
    headers = x.headers
    host = headers.get("host", "")
    reason = sites.host_refusal(host) if sites.checks_hosts else None
    if reason is None and ("origin" in headers or "sec-fetch-site" in headers):
        if x.method in READING:
            return None
        origins = [headers.get("origin", "")] if "origin" in headers else []
        reason = sites.refusal(host, origins, headers.get("sec-fetch-site", ""))
    return error_answer(x.path, HTTPStatus.FORBIDDEN, reason) if reason is not None else None
