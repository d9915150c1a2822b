"""``/v1/flows``: what flow keys allow, and what waits at them."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, request

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.threads import brings_body, json_body
from scheduler.api.http.validate import validate, validate_query
from scheduler.api.v1.flow_models import FlowOut, FlowPageOut, FlowPauseIn, FlowsQuery, PinIn
from scheduler.api.v1.names import addressable
from scheduler.errors import InvalidInput, NotFound
from scheduler.flow import FlowLimits, FlowState
from scheduler.message import ID_PATTERN
from scheduler.when import format_ms, parse_when

blueprint = Blueprint("flows", __name__, url_prefix="/v1/flows")

_KEY = re.compile(ID_PATTERN)


@blueprint.get("")
@operation("List flow keys", tag="flow control", query=FlowsQuery, answer=FlowPageOut, errors=(400,))
def list_flows() -> Response:
    """A page of flow keys, by name."""
    query = validate_query(FlowsQuery, request.args)
    page = services().store.flows(limit=query.limit, after=query.cursor or "")
    return answer({"flows": [flow_answer(state) for state in page.flows], "next_cursor": page.next_key})


@blueprint.get("/<flow_key>")
@operation("Read a flow key", tag="flow control", answer=FlowOut, errors=(404,))
def read(flow_key: str) -> Response:
    """One flow key."""
    return answer(flow_answer(services().store.flow(_known(flow_key))))


@blueprint.put("/<flow_key>")
@operation("Pin limits of a flow key", tag="flow control", request=PinIn, answer=FlowOut, errors=(400,))
def pin(flow_key: str) -> Response:
    """Fix limits, whatever messages say; what was pinned before is replaced.  The key need not exist."""
    limits = validate(PinIn, json_body()).limits()
    if limits == FlowLimits():
        raise InvalidInput.of("", f"nothing to pin; accepted: {', '.join(PinIn.model_fields)}")
    return answer(flow_answer(services().store.pin_flow(_possible(flow_key), limits)))


@blueprint.delete("/<flow_key>")
@operation("Unpin the limits of a flow key", tag="flow control", answer=FlowOut, errors=(404,))
def unpin(flow_key: str) -> Response:
    """Let messages and settings decide again."""
    return answer(flow_answer(services().store.unpin_flow(_known(flow_key))))


@blueprint.post("/<flow_key>/pause")
@operation(
    "Pause a flow key", tag="flow control", request=FlowPauseIn, body_optional=True, answer=FlowOut, errors=(400,)
)
def pause(flow_key: str) -> Response:
    """No message of it begins until resume, or for a while; what is in flight ends.  The key need not exist."""
    here = services()
    data = validate(FlowPauseIn, json_body()) if brings_body() else FlowPauseIn()
    until = parse_when(None, data.delay, None, here.now_ms()) if data.delay is not None else None
    return answer(flow_answer(here.store.pause_flow(_possible(flow_key), until)))


@blueprint.post("/<flow_key>/resume")
@operation("Resume a flow key", tag="flow control", answer=FlowOut, errors=(404,))
def resume(flow_key: str) -> Response:
    """The opposite of pause."""
    return answer(flow_answer(services().store.resume_flow(_known(flow_key))))


@blueprint.post("/<flow_key>/reset")
@operation("Begin a new window for a flow key", tag="flow control", answer=FlowOut, errors=(404,))
def reset(flow_key: str) -> Response:
    """Forget how much of the window is used, and count again what is in flight."""
    return answer(flow_answer(services().store.reset_flow(_known(flow_key))))


def _possible(key: str) -> str:
    """Return ``key``.  Raises ``InvalidInput`` when it is malformed."""
    if _KEY.fullmatch(key) is None:
        raise InvalidInput.of("key", f"must match {ID_PATTERN}")
    try:
        return addressable(key)
    except ValueError as error:
        raise InvalidInput.of("key", str(error)) from None


def _known(key: str) -> str:
    """Return ``key``.  Raises ``NotFound`` without asking Redis when no flow key can have this name."""
    if _KEY.fullmatch(key) is None:
        raise NotFound("no flow key has this name")
    return key


def flow_answer(state: FlowState) -> dict[str, Any]:
    """Return a flow key as the API shows it."""
    limits = state.limits
    return {
        "key": state.key,
        "scheduled": state.scheduled,
        "waiting": state.waiting,
        "in_flight": state.in_flight,
        "limits": {
            "concurrency": limits.concurrency,
            "rate": limits.rate.most if limits.rate else None,
            "period_ms": limits.rate.period_ms if limits.rate else None,
            "ordered": bool(limits.ordered),
        },
        "sources": {
            "concurrency": state.source("concurrency"),
            "rate": state.source("rate"),
            "ordered": state.source("ordered"),
        },
        "window": None
        if state.window_ends_at is None
        else {"used": state.used, "ends_at": format_ms(state.window_ends_at)},
        "paused": state.paused,
        "paused_until": _shown(state.paused_until),
        "oldest_due_at": _shown(state.oldest_due_at),
        "next_at": _shown(state.next_at),
    }


def _shown(moment: int | None) -> str | None:
    return None if moment is None else format_ms(moment)
