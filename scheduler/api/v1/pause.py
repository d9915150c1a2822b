"""``/v1/pause`` and ``/v1/resume``: claiming stands still, on all servers."""

from __future__ import annotations

from flask import Blueprint, Response

from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import services
from scheduler.api.v1.answers import PausedOut

blueprint = Blueprint("pause", __name__, url_prefix="/v1")


@blueprint.post("/pause")
@operation("Stop claiming, on all servers", tag="control", name="control_pause", answer=PausedOut)
def pause() -> Response:
    """No message is started until resume; accepting goes on, and what is in flight finishes."""
    services().store.pause()
    return answer({"paused": True})


@blueprint.post("/resume")
@operation("Claim again, on all servers", tag="control", name="control_resume", answer=PausedOut)
def resume() -> Response:
    """The opposite of pause."""
    services().store.resume()
    return answer({"paused": False})
