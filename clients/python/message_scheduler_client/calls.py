"""Every operation of the service once: which request it is, and what it answers.

A function here takes the arguments of a client's method and returns the call; it sends nothing.  ``Client`` and
``AsyncClient`` make their methods of these functions, so an operation is described in one place.  To add one, write its
function here and name it in both classes of ``clients.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, Unpack
from urllib.parse import quote

from message_scheduler_client import models as m

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Operation:
    """One operation of the OpenAPI document."""

    name: str
    """Its operationId."""
    method: str
    path: str
    """With parameters in braces."""
    repeatable: bool
    """False: a repeat does something more, so it is only sent again when the first request cannot have arrived."""
    keyed: bool
    """Takes an ``Idempotency-Key``, which makes it repeatable."""


OPERATIONS: dict[str, Operation] = {}


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call to be sent; ``T`` is the type of its answer."""

    ids: Mapping[str, str] = field(default_factory=dict)
    """The parameters of the path."""
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    """Sent as JSON; None: no body."""
    key: str | None = None
    """The caller's own ``Idempotency-Key``."""
    own_ids: bool = False
    """Messages bring their own ids: these make a repeat safe, and exclude a key."""
    operation: Operation = Operation("", "", "", repeatable=False, keyed=False)

    @property
    def path(self) -> str:
        """The path, with its parameters filled in."""
        return self.operation.path.format_map({name: quote(value, safe="") for name, value in self.ids.items()})

    def after(self, cursor: str) -> Call[T]:
        """Return the call for the page at this cursor."""
        return replace(self, query={**self.query, "cursor": cursor})


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments under the names of the service: ``from`` is a word of Python, and ``from_`` here."""
    return {name.removesuffix("_"): value for name, value in given.items()}


def operation(
    name: str, route: str, *, repeatable: bool = True, keyed: bool = False
) -> Callable[[Callable[P, Call[T]]], Callable[P, Call[T]]]:
    """Say which operation of the document a function describes; see ``Operation``."""
    method, path = route.split(" ")
    described = OPERATIONS[name] = Operation(name, method, path, repeatable, keyed)

    def of(build: Callable[P, Call[T]]) -> Callable[P, Call[T]]:
        @wraps(build)
        def call(*args: P.args, **kwargs: P.kwargs) -> Call[T]:
            return replace(build(*args, **kwargs), operation=described)

        return call

    return of


# -- messages ----------------------------------------------------------------------------------------------------------


@operation("messages_create", "POST /v1/messages", keyed=True)
def send(
    message: m.Json, /, *, idempotency_key: str | None = None, **options: Unpack[m.MessageOptions]
) -> Call[m.Message]:
    """Schedule a message: at a ``time``, after a ``delay``, or now.

    ``idempotency_key``: for a repeat by another process than this one; repeats by the client itself have a key anyway.
    """
    return Call(body={"message": message, **options}, key=idempotency_key, own_ids="id" in options)


@operation("messages_create_batch", "POST /v1/messages/batch", keyed=True)
def send_many(messages: Iterable[m.MessageIn], /, *, idempotency_key: str | None = None) -> Call[m.Batch]:
    """Schedule up to 1,000 messages, all or none."""
    given = list(messages)
    return Call(body={"messages": given}, key=idempotency_key, own_ids=any("id" in message for message in given))


@operation("messages_read", "GET /v1/messages/{id}")
def get(id: str, /) -> Call[m.MessageDetail]:
    """Return a message with the evidence of its attempts."""
    return Call(ids={"id": id})


@operation("messages_list_messages", "GET /v1/messages")
def messages_page(**query: Unpack[m.MessagesListMessagesQuery]) -> Call[m.Page]:
    """Return one page of messages; ``messages`` goes through all pages."""
    return Call(query=query)


@operation("messages_change", "PATCH /v1/messages/{id}")
def change(id: str, /, **changes: Unpack[m.MessagePatch]) -> Call[m.Message]:
    """Change a scheduled message; what is left out stays as it is."""
    return Call(ids={"id": id}, body=changes)


@operation("messages_cancel", "DELETE /v1/messages/{id}")
def cancel(id: str, /) -> Call[m.Message]:
    """Cancel a scheduled message."""
    return Call(ids={"id": id})


@operation("messages_run", "POST /v1/messages/{id}/run")
def run(id: str, /) -> Call[m.Message]:
    """Make a scheduled message due now."""
    return Call(ids={"id": id})


# -- dead letters ------------------------------------------------------------------------------------------------------


@operation("messages_redrive", "POST /v1/messages/{id}/redrive")
def redrive(id: str, /) -> Call[m.Message]:
    """Schedule a dead letter again, its attempts counted from zero; a new message when only the history has it."""
    return Call(ids={"id": id})


@operation("dead_letters_redrive", "POST /v1/dead-letters/redrive", repeatable=False)
def redrive_many(**which: Unpack[m.RedriveIn]) -> Call[m.Redriven]:
    """Schedule many dead letters again, oldest first; with ``dry_run=True`` only count them."""
    return Call(body=which)


# -- history -----------------------------------------------------------------------------------------------------------


@operation("history_list_history", "GET /v1/history")
def history_page(**query: Unpack[m.HistoryListHistoryQuery]) -> Call[m.Page]:
    """Return one page of finished messages, newest first; ``history`` goes through all pages."""
    return Call(query=query)


@operation("history_read", "GET /v1/history/{id}")
def get_history(id: str, /) -> Call[m.MessageDetail]:
    """Return the last finish of a message, also of one that the service itself has no more."""
    return Call(ids={"id": id})


@operation("history_redrive", "POST /v1/history/{id}/redrive", keyed=True)
def redrive_history(id: str, /, *, idempotency_key: str | None = None) -> Call[m.Message]:
    """Schedule a finished message again, as a new one that is due now."""
    return Call(ids={"id": id}, key=idempotency_key)


@operation("history_summary", "GET /v1/history/summary")
def history_summary(**query: Unpack[m.HistorySummaryQuery]) -> Call[m.Summary]:
    """Return what ended, and how late it was, by hour or day and channel."""
    return Call(query=query)


# -- schedules ---------------------------------------------------------------------------------------------------------


@operation("schedules_create", "POST /v1/schedules", keyed=True)
def create_schedule(
    message: m.Json, /, *, idempotency_key: str | None = None, **options: Unpack[m.ScheduleOptions]
) -> Call[m.ScheduleDetail]:
    """Create a schedule, ``cron`` or ``every``: it makes a message for each of its moments."""
    return Call(body={"message": message, **options}, key=idempotency_key, own_ids="id" in options)


@operation("schedules_put", "PUT /v1/schedules/{schedule}")
def put_schedule(id: str, message: m.Json, /, **options: Unpack[m.SchedulePutOptions]) -> Call[m.ScheduleDetail]:
    """Create a schedule of this id or replace it; what changes nothing leaves its next run as it is."""
    return Call(ids={"schedule": id}, body={"message": message, **options})


@operation("schedules_read", "GET /v1/schedules/{schedule}")
def get_schedule(id: str, /) -> Call[m.ScheduleDetail]:
    """Return a schedule with its next and last runs."""
    return Call(ids={"schedule": id})


@operation("schedules_list_schedules", "GET /v1/schedules")
def schedules_page(**query: Unpack[m.SchedulesListSchedulesQuery]) -> Call[m.SchedulePage]:
    """Return one page of schedules; ``schedules`` goes through all pages."""
    return Call(query=query)


@operation("schedules_change", "PATCH /v1/schedules/{schedule}")
def change_schedule(id: str, /, **changes: Unpack[m.SchedulePatch]) -> Call[m.ScheduleDetail]:
    """Change a schedule; what is left out stays as it is."""
    return Call(ids={"schedule": id}, body=changes)


@operation("schedules_delete", "DELETE /v1/schedules/{schedule}")
def delete_schedule(id: str, /) -> Call[m.Schedule]:
    """Delete a schedule and its next message."""
    return Call(ids={"schedule": id})


@operation("schedules_pause", "POST /v1/schedules/{schedule}/pause")
def pause_schedule(id: str, /, *, note: str | None = None) -> Call[m.ScheduleDetail]:
    """Make no more messages until ``resume_schedule``."""
    return Call(ids={"schedule": id}, body={"note": note})


@operation("schedules_resume", "POST /v1/schedules/{schedule}/resume")
def resume_schedule(id: str, /, *, note: str | None = None) -> Call[m.ScheduleDetail]:
    """Go on with the first moment after now."""
    return Call(ids={"schedule": id}, body={"note": note})


@operation("schedules_run", "POST /v1/schedules/{schedule}/run", keyed=True)
def run_schedule(id: str, /, *, idempotency_key: str | None = None) -> Call[m.Message]:
    """Make a message that is due now; the plan stays as it is."""
    return Call(ids={"schedule": id}, key=idempotency_key)


@operation("schedules_backfill", "POST /v1/schedules/{schedule}/backfill")
def backfill_schedule(id: str, /, **span: Unpack[m.BackfillIn]) -> Call[m.Backfill]:
    """Make the messages that a span of the past has not got, ``from_`` and ``to``; no moment is made twice."""
    return Call(ids={"schedule": id}, body=_named(span))


@operation("schedules_preview", "GET /v1/schedules/preview")
def preview_schedule(**plan: Unpack[m.SchedulesPreviewQuery]) -> Call[m.SchedulePreview]:
    """Return the next runs of a plan, ``cron`` or ``every``; nothing is stored."""
    return Call(query=_named(plan))


# -- flow keys ---------------------------------------------------------------------------------------------------------


@operation("flows_list_flows", "GET /v1/flows")
def flows_page(**query: Unpack[m.FlowsListFlowsQuery]) -> Call[m.FlowPage]:
    """Return one page of flow keys; ``flows`` goes through all pages."""
    return Call(query=query)


@operation("flows_read", "GET /v1/flows/{flow_key}")
def get_flow(key: str, /) -> Call[m.Flow]:
    """Return what a flow key allows, and what waits at it."""
    return Call(ids={"flow_key": key})


@operation("flows_pin", "PUT /v1/flows/{flow_key}")
def pin_flow(key: str, /, **limits: Unpack[m.PinIn]) -> Call[m.Flow]:
    """Fix limits of a flow key, whatever messages say."""
    return Call(ids={"flow_key": key}, body=limits)


@operation("flows_unpin", "DELETE /v1/flows/{flow_key}")
def unpin_flow(key: str, /) -> Call[m.Flow]:
    """Let messages and settings decide again."""
    return Call(ids={"flow_key": key})


@operation("flows_pause", "POST /v1/flows/{flow_key}/pause")
def pause_flow(key: str, /, *, delay: m.Delay | None = None) -> Call[m.Flow]:
    """Begin no message of a flow key until ``resume_flow``, or for this long."""
    return Call(ids={"flow_key": key}, body={"delay": delay})


@operation("flows_resume", "POST /v1/flows/{flow_key}/resume")
def resume_flow(key: str, /) -> Call[m.Flow]:
    """Begin messages of a flow key again."""
    return Call(ids={"flow_key": key})


@operation("flows_reset", "POST /v1/flows/{flow_key}/reset")
def reset_flow(key: str, /) -> Call[m.Flow]:
    """Begin a new window, and count again what is in flight."""
    return Call(ids={"flow_key": key})


# -- destinations ------------------------------------------------------------------------------------------------------


@operation("destinations_list_destinations", "GET /v1/destinations")
def destinations(**query: Unpack[m.DestinationsListDestinationsQuery]) -> Call[m.BreakerList]:
    """Return destinations of webhooks that have failed lately, open ones first."""
    return Call(query=query)


@operation("destinations_read", "GET /v1/destinations/{destination}")
def get_destination(destination: str, /) -> Call[m.Breaker]:
    """Return what is known of a destination (``https:api.example.com:443``)."""
    return Call(ids={"destination": destination})


@operation("destinations_open_by_hand", "POST /v1/destinations/{destination}/open")
def open_destination(destination: str, /, *, note: str | None = None) -> Call[m.Breaker]:
    """Leave a destination alone until ``close_destination``."""
    return Call(ids={"destination": destination}, body={"note": note})


@operation("destinations_close_by_hand", "POST /v1/destinations/{destination}/close")
def close_destination(destination: str, /, *, note: str | None = None) -> Call[m.Breaker]:
    """Make attempts at a destination again."""
    return Call(ids={"destination": destination}, body={"note": note})


# -- the service -------------------------------------------------------------------------------------------------------


@operation("control_pause", "POST /v1/pause")
def pause() -> Call[m.Paused]:
    """Deliver nothing until ``resume``; messages are still accepted."""
    return Call()


@operation("control_resume", "POST /v1/resume")
def resume() -> Call[m.Paused]:
    """Deliver again."""
    return Call()


@operation("control_preview", "POST /v1/preview")
def preview(**when: Unpack[m.PreviewIn]) -> Call[m.Preview]:
    """Return the moment that a ``time`` or ``delay`` means; nothing is stored."""
    return Call(body=when)


@operation("test_clock_move", "POST /v1/test/clock", repeatable=False)
def move_clock(**to: Unpack[m.PreviewIn]) -> Call[m.Clock]:
    """Move the clock of a service with ``Test.Clock`` forward, to a ``time`` or by a ``delay``."""
    return Call(body=to)


@operation("control_stats", "GET /v1/stats")
def stats() -> Call[m.Stats]:
    """Return the figures of the whole service."""
    return Call()


@operation("health_health", "GET /health")
def health() -> Call[m.Health]:
    """Return whether the service delivers; raises ``Unavailable`` with the reason when it does not."""
    return Call()
