"""``history …``: finished messages from the database."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from scheduler.cli import options as o
from scheduler.cli.command import each, on_service
from scheduler.cli.output import Answer, line, table, written
from scheduler.cli.remote import Remote, path_of
from scheduler.cli.show import message_picture

group = typer.Typer(help="Finished messages, after Redis has deleted them (History.Url).", no_args_is_help=True)

_PATH = "/v1/history"


class Finished(StrEnum):
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"


class By(StrEnum):
    FINISH = "finish"
    DUE = "due"


class Slot(StrEnum):
    HOUR = "hour"
    DAY = "day"


class Form(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"


_Since = Annotated[str | None, typer.Option(metavar="TIME", help="Not before. Any form of TIME.")]
_Until = Annotated[str | None, typer.Option(metavar="TIME", help="Not after.")]
_Zone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="IANA name, for a --since or --until without an offset.")
]
_Channel = Annotated[o.Channel | None, typer.Option(help="Only these.")]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which messages."""

    status: Annotated[Finished | None, typer.Option(help="Only these.")] = None
    channel: _Channel = None
    type: Annotated[str | None, typer.Option(metavar="TYPE", help="Only jobs, or webhook tasks, of this type.")] = None
    schedule: Annotated[str | None, typer.Option(metavar="ID", help="Only those that this schedule made.")] = None
    flow_key: Annotated[str | None, typer.Option(metavar="KEY", help="Only those with this flow key.")] = None
    destination: Annotated[str | None, typer.Option(metavar="HOST", help="Only webhooks to this host.")] = None
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those with this text in the message or the last error.")
    ] = None
    by: Annotated[By | None, typer.Option(help="What --since, --until and the order go by; default finish.")] = None
    since: _Since = None
    until: _Until = None
    timezone: _Zone = None

    def fields(self) -> dict[str, Any]:
        """Return the query's parameters that are given."""
        return o.given(**{name: getattr(self, name) for name in self.__slots__})


@group.command("list")
@on_service
def list_(
    remote: Remote,
    *,
    filters: Filters,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
) -> Answer:
    """List finished messages, newest finish first."""
    found = list(remote.pages(_PATH, "messages", filters.fields(), limit or None))
    columns = ("id", "status", "channel", "updated_at", "attempt", "message", "last_error")
    names = ["id", "status", "channel", "finished", "attempts", "message", "last error"]
    return Answer(found, lambda: table(names, ([row[name] for name in columns] for row in found)))


@group.command("export")
@on_service
def export(
    remote: Remote,
    *,
    filters: Filters,
    form: Annotated[Form, typer.Option("--as", help="CSV with a head line, or a JSON object per line.")] = Form.CSV,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many at most.")] = None,
) -> Iterable[Answer]:
    """Write finished messages to stdout, as CSV or as JSON lines with their attempts."""
    accept = {"Accept": "text/csv" if form == Form.CSV else "application/x-ndjson"}
    for part in remote.stream(_PATH, {**filters.fields(), **o.given(limit=limit)}, accept):
        with written():
            sys.stdout.buffer.write(part)
    with written():
        sys.stdout.buffer.flush()
    return ()


@group.command("get")
@on_service
def get(remote: Remote, id: o.Id) -> Answer:
    """Show the last finish of a message and the evidence of its attempts."""
    message = remote.call("GET", path_of("history", id))
    return Answer(message, lambda: message_picture(message))


@group.command("summary")
@on_service
def summary(
    remote: Remote,
    *,
    by: Annotated[Slot, typer.Option(help="How finely.")] = Slot.HOUR,
    channel: _Channel = None,
    since: _Since = None,
    until: _Until = None,
    timezone: _Zone = None,
) -> Answer:
    """Show counts, failure rate and lateness by hour or day and by channel."""
    asked = {"by": by, "channel": channel, "since": since, "until": until, "timezone": timezone}
    found = remote.call("GET", f"{_PATH}/summary", params=asked)
    names = ["at", "channel", "delivered", "dead", "cancelled", "failure rate", "p50 ms", "p99 ms"]
    counted = ("at", "channel", "delivered", "dead", "cancelled", "failure_rate")
    rows = (
        [slot[name] for name in counted] + [slot["lateness_ms"]["p50"], slot["lateness_ms"]["p99"]]
        for slot in found["slots"]
    )
    return Answer(found, lambda: table(names, rows))


@group.command("redrive")
@on_service
def redrive(remote: Remote, ids: o.Ids) -> Iterable[Answer]:
    """Schedule finished messages again, as new ones that are due now."""

    def act(id: str) -> Answer:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        message = remote.call("POST", path_of("history", id, "redrive"), headers=key)
        return Answer(message, line(f"{id}  sent again as {message['id']}"))

    return each(ids, act)
