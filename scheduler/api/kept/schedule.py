"""``/schedule``, ``/schedules``, ``/purge``, ``/stats``: webhook tasks with a time to live.

Wire format kept from the system before this one.  A task is a webhook message whose id is 32 hexadecimal digits; its
key is ``rsch-ref:<type>:<id>``.  The seconds that it was given are kept beside the webhook.  Only a task is a webhook
message with a type: by that it is known in lists and in a purge.
"""

from __future__ import annotations

import re
import uuid
from functools import cache
from typing import Any
from urllib.parse import quote

import orjson
import psutil
from flask import Blueprint, Response, request

from scheduler.api.http import deletion_log
from scheduler.api.http.accept import accept
from scheduler.api.http.body import read_json, to_json
from scheduler.api.http.exchange import Answer, Exchange, Route, json_answer
from scheduler.api.http.openapi import operation
from scheduler.api.http.respond import answer
from scheduler.api.http.services import Services, services
from scheduler.api.http.threads import answered, json_body
from scheduler.api.http.validate import validate, validate_query
from scheduler.api.kept.answers import TaskOut, TasksOut, TaskStatsOut, TextOut
from scheduler.api.v1.convert import flow_of
from scheduler.api.v1.models import TaskIn, TaskPatch, TaskQuery, TaskTypeQuery
from scheduler.channels.registry import CHANNELS
from scheduler.channels.webhook.kind import check_target
from scheduler.channels.webhook.target import WebhookTarget, ttl_of, with_ttl
from scheduler.config.reading import Settings
from scheduler.errors import InvalidInput, NotFound
from scheduler.flow import Flow
from scheduler.message import FromNow, Message, NewMessage, Status
from scheduler.retry import UNLIMITED, RetryPolicy
from scheduler.store import Changes, MessageStore
from scheduler.when import format_ms

PREFIX = "rsch-ref:"
DEFAULT_TYPE = "default"
NOT_FOUND = "Schedule not found."
PAGE = 500
MOST = 10_000
"""Most tasks in one answer when a list has no limit."""

blueprint = Blueprint("tasks", __name__)

_HEX = re.compile(r"[0-9a-f]{32}")
_OPEN = (Status.SCHEDULED, Status.PROCESSING)
_CHANNEL = "webhook"
_WARNED = "POST /schedule without the token"
_CALLS_WITHOUT = (
    "POST /schedule is used while Api.AuthToken (API_AUTH) is set and Webhook.SendApiToken is off. Receivers written "
    "for the system before this one look for the token in each call, and answer 200 but throw away a call without it. "
    "If all targets are your own, set WEBHOOK__SEND_API_TOKEN=true; see docs/moving.md. This is said once."
)


def _done(data: Any) -> Response:
    return answer({"status": 200, "data": data})


def _id_of(key: str) -> tuple[str, str]:
    """Return ``(type, id)`` of a key, full or bare.  Raises ``NotFound``."""
    head, _, id = key.rpartition(":")
    type = head.removeprefix(PREFIX) if head.startswith(PREFIX) else DEFAULT_TYPE
    if not _HEX.fullmatch(id) or (head and not head.startswith(PREFIX)):
        raise NotFound(NOT_FOUND)
    return type, id


def _find(key: str) -> Message:
    """Return the task if it is still to be delivered.  Raises ``NotFound``."""
    type, id = _id_of(key)
    try:
        message = services().store.get(id)
    except NotFound:
        raise NotFound(NOT_FOUND) from None
    if message.status not in _OPEN or (message.type or DEFAULT_TYPE) != type or ttl_of(message.target) is None:
        raise NotFound(NOT_FOUND)
    return message


def _target(settings: Settings, url: str, ttl: float, before: WebhookTarget | None = None) -> str:
    """Return the stored form of a task's webhook.  ``before``: the one that it replaces; all but its URL stays."""
    check_target(url, settings, "webhook")
    webhook = before.model_copy(update={"url": url}) if before else WebhookTarget(url=url)
    return with_ttl(webhook.encode(), ttl)


def _task_answer(message: Message) -> dict[str, Any]:
    ttl = ttl_of(message.target) or 0.0
    return {
        "info": {
            "key": f"{PREFIX}{message.type or DEFAULT_TYPE}:{message.id}",
            "ttl": int(ttl) if ttl.is_integer() else ttl,
            "retry": message.attempt,
            "webhook": WebhookTarget.decode(message.target or "").masked()["url"],
            "expires": format_ms(message.due_at),
        },
        "data": orjson.Fragment(message.payload),
    }


@blueprint.post("/schedule")
@operation(
    "Schedule a webhook task",
    tag="tasks",
    request=TaskIn,
    query=TaskTypeQuery,
    answer=TextOut,
    errors=(400,),
    links=("tasks_read", "tasks_change", "tasks_delete"),
    link=("key", "data"),
)
def schedule() -> Response:
    """Call ``webhook`` with ``data`` after ``ttl`` seconds."""
    return answered(accept_task)


async def accept_task(x: Exchange) -> Answer:
    """Store a webhook task."""
    here = x.here
    type = validate_query(TaskTypeQuery, x.arguments).type or DEFAULT_TYPE
    data = validate(TaskIn, await read_json(x, "anything"))
    if data.data is None:
        raise InvalidInput.of("data", "is required; any JSON value but null")
    plan = here.settings.tasks
    target = _target(here.settings, data.webhook, data.ttl)
    flow = flow_of(None, CHANNELS[_CHANNEL], target, here.settings)
    id = _new_id(here.store, flow)
    message = NewMessage(
        id=id,
        payload=to_json(data.data).decode(),
        due_at=FromNow(round(data.ttl * 1000)),
        channel=_CHANNEL,
        target=target,
        type=type,
        flow=flow,
        retry=RetryPolicy(
            max_attempts=UNLIMITED if plan.retries < 0 else plan.retries + 1,
            base=plan.retry_seconds,
            factor=1.0,
            cap=plan.retry_seconds,
            jitter=False,
        ),
    )
    await accept(x, message)
    _warn_once_of_the_token(here)
    return json_answer({"status": 200, "data": f"{PREFIX}{type}:{id}"})


def _new_id(store: MessageStore, flow: Flow | None) -> str:
    """32 hexadecimal digits, in the partition of the flow key."""
    while True:
        id = uuid.uuid4().hex
        if flow is None or store.partition_of(id) == store.partition_of(flow.key):
            return id


ACCEPTING = {"/schedule": Route(accept_task)}
"""The routes of POST that accept messages, by path."""


def _warn_once_of_the_token(here: Services) -> None:
    if not here.settings.api.tokens or here.settings.webhook.send_api_token:
        return
    mine = object()
    if here.said.setdefault(_WARNED, mine) is mine:
        here.log.warning(_CALLS_WITHOUT)


@blueprint.get("/schedule/<path:key>")
@operation("Read a webhook task", tag="tasks", answer=TaskOut, errors=(404,))
def read(key: str) -> Response:
    """A task that is still to be delivered."""
    return _done(_task_answer(_find(key)))


@blueprint.get("/schedules")
@operation("List webhook tasks", tag="tasks", query=TaskQuery, answer=TasksOut, errors=(400,))
def list_tasks() -> Response:
    """Tasks that are still to be delivered, soonest first; ``Link`` has the next page, when there is one."""
    query = validate_query(TaskQuery, request.args)
    wanted = query.limit or MOST
    found: list[dict[str, Any]] = []
    cursor = query.cursor
    while True:
        page = services().store.page(
            status=Status.SCHEDULED,
            channel=_CHANNEL,
            type=query.type,
            typed=True,
            limit=min(PAGE, wanted - len(found)),
            cursor=cursor,
        )
        found += [_task_answer(message) for message in page.messages]
        cursor = page.next_cursor
        if cursor is None or len(found) >= wanted:
            break
    response = _done(found)
    if cursor is not None:
        type = f"&type={quote(query.type, safe='')}" if query.type else ""
        next_page = services().address(f"/schedules?limit={wanted}&cursor={cursor}{type}")
        response.headers["Link"] = f'<{next_page}>; rel="next"'
    return response


@blueprint.patch("/schedule/<path:key>")
@operation("Change a webhook task", tag="tasks", request=TaskPatch, answer=TextOut, errors=(400, 404, 409))
def change(key: str) -> Response:
    """Change webhook, ttl or data; empty, 0 and null leave them as they are.  The countdown starts again."""
    here = services()
    data = validate(TaskPatch, json_body("anything"))
    message = _find(key)
    ttl = data.ttl or ttl_of(message.target) or 0.0
    stored = WebhookTarget.decode(message.target or "")
    here.store.update(
        message.id,
        Changes(
            due_at=FromNow(round(ttl * 1000)),
            payload=None if _means_unchanged(data.data) else to_json(data.data).decode(),
            target=_target(here.settings, data.webhook or stored.url, ttl, stored),
        ),
    )
    return _done("Schedule updated successfully.")


def _means_unchanged(data: Any) -> bool:
    # False is a value, although Python says that it equals 0.
    return data is None or data == "" or (data == 0 and data is not False)


@blueprint.delete("/schedule/<path:key>")
@operation("Delete a webhook task", tag="tasks", answer=TextOut, errors=(404, 409))
def delete(key: str) -> Response:
    """The task is not delivered."""
    services().store.cancel(_find(key).id)
    return _done("Schedule deleted successfully.")


def _purge() -> Response:
    count = services().store.purge_typed(_CHANNEL)
    deletion_log.record(f"removed {count} scheduled webhook tasks; messages of other routes were left alone")
    return _done("Redis database purged successfully.")


@blueprint.post("/purge")
@operation("Remove all webhook tasks", tag="tasks", answer=TextOut)
def purge() -> Response:
    """Every scheduled task of /schedule is removed; messages of other routes and other keys of that Redis are not."""
    return _purge()


@blueprint.delete("/schedules")
@operation("Remove all webhook tasks", tag="tasks", answer=TextOut)
def delete_all() -> Response:
    """The same as POST /purge."""
    return _purge()


@cache
def _process() -> psutil.Process:
    process = psutil.Process()
    # cpu_percent measures from one call to the next: this one starts the first measurement.
    process.cpu_percent()
    return process


def _uptime(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}h{minutes}m{rest:.1f}s"


@blueprint.get("/stats")
@operation("Figures of Redis and of this process", tag="tasks", answer=TaskStatsOut)
def stats() -> Response:
    """In the words of the system before this one; go_routines are threads."""
    here, process = services(), _process()
    memory = process.memory_info().rss
    return _done(
        {
            "total_redis_keys": here.store.redis_info()["keys"],
            "running_schedules": sum(here.store.counts().scheduled.values()),
            "cpu_usage": process.cpu_percent(),
            "ram_usage": f"{memory / 2**20:.2f}MB",
            "ram_usage_bytes": memory,
            "system_uptime": _uptime(max(0.0, here.clock.now_ms() / 1000 - process.create_time())),
            "go_routines": process.num_threads(),
        }
    )
