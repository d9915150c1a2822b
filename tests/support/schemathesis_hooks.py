"""What /openapi.json can name but not describe: formats of ours, one rule across header and body, what a URL may be."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import available_timezones

import hypothesis.strategies as st
import schemathesis

from scheduler.store.paging import PageCursor, Position

ENDPOINT = "https://93.184.215.14/hook"
"""Public, so that it is accepted, and no name to be looked up; nothing delivers while the API is tested."""

LONGEST_DELAY = 10**11
"""Seconds, about 3,170 years."""

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MOMENTS = st.integers(0, 253_402_300_799).map(lambda second: (EPOCH + datetime.timedelta(seconds=second)).isoformat())
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
POSITIONS = st.builds(Position, st.integers(0, 2**53), st.from_regex("[0-9A-Za-z]{16}", fullmatch=True))

schemathesis.openapi.format("date-time", MOMENTS)
schemathesis.openapi.format("iana-time-zone", st.sampled_from(ZONES))
schemathesis.openapi.format(
    "cursor", st.builds(PageCursor, st.integers(0, 3), POSITIONS | st.none()).map(PageCursor.encode)
)


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Without what OpenAPI has no words for: own ids beside an Idempotency-Key are refused, and routes that are kept
    from older systems ignore unknown parameters.
    """
    own_ids = any(message.get("id") is not None for message in _messages(case.body))
    known = {parameter.name for parameter in case.operation.query}
    ignored = not case.operation.path.startswith("/v1/") and not known.issuperset(case.query or {})
    return not ignored and not (own_ids and "Idempotency-Key" in (case.headers or {}))


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Valid requests keep the rules that a schema cannot say: what a URL may be, one channel, years to 9999."""
    if case.meta is not None and case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE:
        for message in _messages(case.body):
            _keep_the_rules(message, case.method)
            if case.operation.path.startswith("/v1/flows/"):
                _keep_the_rules_of_flows(message)
                if case.method == "PUT" and not any(message.values()):
                    message["concurrency"] = 1  # a pin says something
            if isinstance(flow := message.get("flow"), dict):
                _keep_the_rules_of_flows(flow)
            if case.operation.path in ("/v1/schedules", "/v1/schedules/{schedule}"):
                _keep_the_rules_of_plans(message, case.method)
            if case.operation.path.endswith("/backfill"):
                message.update({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})
        if case.operation.path.startswith("/v1/destinations/{"):
            # Whether a host can be one is more than a pattern says.
            case.path_parameters["destination"] = "https:api.example.com:443"
        if case.operation.path == "/v1/schedules/preview" and isinstance(case.query, dict):
            _keep_the_rules_of_plans(case.query, "POST")
            case.query = {name: value for name, value in case.query.items() if value is not None}
    return case


def _keep_the_rules_of_flows(flow: dict[str, Any]) -> None:
    """Rate and period together."""
    if "rate" in flow or "period" in flow:
        both = flow.get("rate") is not None and flow.get("period") is not None
        flow["rate"], flow["period"] = (flow["rate"], "1m") if both else (None, None)
    if flow.get("delay") is not None:
        flow["delay"] = 60


def _keep_the_rules_of_plans(plan: dict[str, Any], method: str) -> None:
    """One of cron and every, with bounds and a jitter that fit it."""
    if plan.get("cron") is not None:
        plan["cron"] = "0 9 * * MON-FRI"
        plan["every"] = None
    elif method != "PATCH":
        plan["every"] = plan.get("every") or "1h"
    if plan.get("every") is not None:
        plan["every"] = "1h"
    for name in ("start", "end", "jitter"):
        if plan.get(name) is not None:
            plan[name] = None


def _keep_the_rules(message: dict[str, Any], method: str) -> None:
    if isinstance(message.get("webhook"), str):
        message["webhook"] = ENDPOINT
    elif message.get("webhook") is not None:
        message["webhook"] = {"url": ENDPOINT}
        if method == "PATCH":  # only for a message that has one
            message["webhook"] = None
    if message.get("job") is not None:  # only registered handlers, and this server has none
        message["job"] = None
    if message.get("channel") is not None:
        message["channel"] = "webhook" if message.get("webhook") else "echo"
    if isinstance(message.get("delay"), int | float):
        message["delay"] = min(message["delay"], LONGEST_DELAY)


def _messages(body: Any) -> list[dict[str, Any]]:
    messages = body.get("messages", [body]) if isinstance(body, dict) else []
    return [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
