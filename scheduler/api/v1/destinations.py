"""``/v1/destinations``: where webhooks fail, and the circuit breakers that leave such destinations alone."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.http.threads import brings_body, json_body
from scheduler.api.http.validate import validate, validate_query
from scheduler.api.v1.destination_models import BreakerListOut, BreakerOut, DestinationNoteIn, DestinationsQuery
from scheduler.channels.webhook.urls import origin_of
from scheduler.destination import DestinationState
from scheduler.errors import InvalidInput, NotFound
from scheduler.when import format_ms

blueprint = Blueprint("destinations", __name__, url_prefix="/v1/destinations")

_TAG = "destinations"


@blueprint.get("")
@operation(
    "List destinations that have failed", tag=_TAG, query=DestinationsQuery, answer=BreakerListOut, errors=(400,)
)
def list_destinations() -> Response:
    """Open ones first.  A destination that works is not listed, one that was closed for an hour."""
    here = services()
    query = validate_query(DestinationsQuery, request.args)
    now_ms = here.now_ms()
    found = [
        state for state in here.store.all_destinations() if query.state is None or state.state(now_ms) == query.state
    ]
    found.sort(key=lambda state: (not state.mode, -(state.updated_at or 0), state.id))
    shown = [destination_answer(state, now_ms) for state in found[: query.limit]]
    return answer({"destinations": shown, "more": len(found) > query.limit})


@blueprint.get("/<destination>")
@operation("Read a destination", tag=_TAG, answer=BreakerOut, errors=(404,))
def read(destination: str) -> Response:
    """One destination."""
    here = services()
    return answer(destination_answer(here.store.destination(_known(destination)), here.now_ms()))


@blueprint.post("/<destination>/open")
@operation(
    "Leave a destination alone",
    tag=_TAG,
    request=DestinationNoteIn,
    body_optional=True,
    answer=BreakerOut,
    errors=(400,),
)
def open_by_hand(destination: str) -> Response:
    """For a planned maintenance: no attempts and no probes, until it is closed.  Nothing need be known of it."""
    here = services()
    try:
        id = origin_of(destination)
    except ValueError:
        raise InvalidInput.of(
            "destination", "must be scheme, host and port, such as https:api.example.com:443"
        ) from None
    state = here.store.open_destination(id, _note())
    return answer(destination_answer(state, here.now_ms()))


@blueprint.post("/<destination>/close")
@operation(
    "Use a destination again",
    tag=_TAG,
    request=DestinationNoteIn,
    body_optional=True,
    answer=BreakerOut,
    errors=(400, 404),
)
def close_by_hand(destination: str) -> Response:
    """Attempts are made again, and failures are counted anew.  A pause that it asked for ends too."""
    here = services()
    state = here.store.close_destination(_known(destination), _note())
    return answer(destination_answer(state, here.now_ms()))


def _note() -> str:
    return (validate(DestinationNoteIn, json_body()).note or "") if brings_body() else ""


def _known(destination: str) -> str:
    try:
        return origin_of(destination)
    except ValueError:
        raise NotFound(
            "no destination has this name; one is scheme, host and port: https:api.example.com:443"
        ) from None


def destination_answer(state: DestinationState, now_ms: int) -> dict[str, Any]:
    """A destination as the API shows it."""
    return {
        "id": state.id,
        "state": state.state(now_ms).value,
        "by_hand": state.by_hand,
        "failures": state.failures,
        "failing_since": _moment(state.failing_since),
        "window": {
            "began_at": _moment(state.window_began),
            "attempts": state.window_attempts,
            "failures": state.window_failures,
        },
        "last_error": state.last_error,
        "opened_at": _moment(state.opened_at),
        "closed_at": _moment(state.closed_at),
        "next_probe_at": _moment(state.next_probe),
        "probe_interval_ms": state.probe_interval_ms,
        "held_until": _moment(state.held_until) if state.is_held(now_ms) else None,
        "note": state.note,
        "updated_at": format_ms(state.updated_at or now_ms),
    }


def _moment(ms: int | None) -> str | None:
    return None if ms is None else format_ms(ms)
