"""``schedules …``: recurring messages."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from scheduler.cli import options as o
from scheduler.cli.command import on_service
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, facts, line, table
from scheduler.cli.remote import Remote, path_of

group = typer.Typer(
    help="Recurring messages: a schedule makes a message for each of its moments.", no_args_is_help=True
)

_PATH = "/v1/schedules"
_PLAN = "Plan"


class State(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class CatchUp(StrEnum):
    NONE = "none"
    LATEST = "latest"
    ALL = "all"


class Overlap(StrEnum):
    SKIP = "skip"
    BUFFER = "buffer"
    ALLOW = "allow"


Id = Annotated[str, typer.Argument(metavar="ID", help="Of the schedule.")]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is kept and shown.")]
_Cron = Annotated[
    str | None,
    typer.Option(
        "--cron",
        metavar="EXPRESSION",
        help="Five fields, or six with the second first; @daily …",
        rich_help_panel=_PLAN,
    ),
]
_Every = Annotated[
    str | None,
    typer.Option("--every", metavar="DELAY", help="Instead of --cron: 90 (seconds), 1h30m.", rich_help_panel=_PLAN),
]
_Zone = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="IANA name; UTC without one.", rich_help_panel=_PLAN)
]
_Start = Annotated[
    str | None, typer.Option("--start", metavar="TIME", help="The first moment of a run.", rich_help_panel=_PLAN)
]
_End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="The last moment of a run.", rich_help_panel=_PLAN)
]


@dataclass(frozen=True, slots=True)
class Plan:
    """When a schedule runs."""

    cron: _Cron = None
    every: _Every = None
    timezone: _Zone = None
    start: _Start = None
    end: _End = None
    max_runs: Annotated[
        int | None, typer.Option(metavar="N", help="Moments in all, from the start on.", rich_help_panel=_PLAN)
    ] = None
    run_jitter: Annotated[
        str | None,
        typer.Option(metavar="DELAY", help="Each run is due later by up to this length.", rich_help_panel=_PLAN),
    ] = None
    catch_up: Annotated[
        CatchUp | None, typer.Option(help="What to make of missed moments; default latest.", rich_help_panel=_PLAN)
    ] = None
    catch_up_window: Annotated[
        str | None, typer.Option(metavar="DELAY", help="How far back; default 1h.", rich_help_panel=_PLAN)
    ] = None
    catch_up_limit: Annotated[
        int | None, typer.Option(metavar="N", help="How many at most, with all.", rich_help_panel=_PLAN)
    ] = None
    overlap: Annotated[
        Overlap | None,
        typer.Option(help="While the run before has not ended; default allow.", rich_help_panel=_PLAN),
    ] = None
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="For the list; may be given several times.", rich_help_panel=_PLAN),
    ] = None
    paused: Annotated[
        bool | None,
        typer.Option("--paused/--not-paused", help="Make no messages until it is resumed.", rich_help_panel=_PLAN),
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of a schedule that are given."""
        catch_up = o.given(policy=self.catch_up, window=self.catch_up_window, limit=self.catch_up_limit)
        names = ("cron", "every", "timezone", "start", "end", "max_runs", "overlap", "paused")
        return o.given(
            **{name: getattr(self, name) for name in names},
            jitter=self.run_jitter,
            labels=self.label or None,
            catch_up=catch_up or None,
        )


def _definition(*groups: o.Group, job: str | None = None) -> dict[str, Any]:
    found = o.given(job=job and {"type": job})
    for group in groups:
        found.update(group.fields())
    return found


@group.command("list")
@on_service
def list_(
    remote: Remote,
    *,
    status: Annotated[State | None, typer.Option(help="Only these.")] = None,
    label: Annotated[str | None, typer.Option(metavar="LABEL", help="Only those with this label.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
) -> Answer:
    """List schedules: active ones soonest first, then paused ones, then those that have ended."""
    found = list(remote.pages(_PATH, "schedules", {"status": status, "label": label}, limit or None))
    columns = ["id", "status", "plan", "next run", "message"]
    rows = ([each["id"], each["status"], _plan(each), _next(each), each["message"]] for each in found)
    return Answer(found, lambda: table(columns, rows))


@group.command("get")
@on_service
def get(remote: Remote, id: Id) -> Answer:
    """Show a schedule with its next and last runs."""
    found = remote.call("GET", path_of("schedules", id))
    return Answer(found, lambda: _picture(found))


@group.command("preview")
@on_service
def preview(
    remote: Remote,
    *,
    cron: _Cron = None,
    every: _Every = None,
    timezone: _Zone = None,
    start: _Start = None,
    end: _End = None,
    after: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Runs after this moment; default now.")
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many runs.")] = 5,
) -> Answer:
    """Show the next runs of a plan; stores nothing."""
    asked = {"cron": cron, "every": every, "timezone": timezone, "start": start, "end": end, "from": after}
    found = remote.call("GET", f"{_PATH}/preview", params={**asked, "count": count})
    return Answer(found, lambda: table(["at", "local"], ([run["at"], run["local"]] for run in found["runs"])))


@group.command("create")
@on_service
def create(
    remote: Remote,
    *,
    content: o.Content,
    plan: Plan,
    webhook: o.Webhook,
    job: o.Job = None,
    how: o.How,
    flow: o.Flow,
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Your own id; one that exists is refused.")
    ] = None,
) -> Answer:
    """Create a schedule: --cron or --every says when, all else is the message as send takes it."""
    body = {**_definition(content, plan, webhook, how, flow, job=job), **o.given(id=id)}
    headers = {} if id is not None else {"Idempotency-Key": str(uuid.uuid4())}
    return _told(remote.call("POST", _PATH, body, headers=headers))


@group.command("put")
@on_service
def put(
    remote: Remote,
    id: Id,
    *,
    content: o.Content,
    plan: Plan,
    webhook: o.Webhook,
    job: o.Job = None,
    how: o.How,
    flow: o.Flow,
) -> Answer:
    """Create or replace the schedule with this id; may be sent again and again: what changes nothing does nothing."""
    return _told(remote.call("PUT", path_of("schedules", id), _definition(content, plan, webhook, how, flow, job=job)))


@group.command("edit")
@on_service
def edit(remote: Remote, id: Id, *, content: o.Content, plan: Plan, webhook: o.Webhook, how: o.How) -> Answer:
    """Change a schedule; what is left out stays as it is."""
    change = _definition(content, plan, webhook, how)
    if not change:
        raise Failure(Exit.USAGE, "Nothing to change: give --cron, --every, a text, --data, --priority, …")
    return _told(remote.call("PATCH", path_of("schedules", id), change))


@group.command("delete")
@on_service
def delete(remote: Remote, id: Id) -> Answer:
    """Delete a schedule and its next message; what is in flight ends as it would."""
    return Answer(remote.call("DELETE", path_of("schedules", id)), line(f"{id}  deleted"))


@group.command("pause")
@on_service
def pause(remote: Remote, id: Id, *, note: Note = None) -> Answer:
    """Make no more messages, and take the next one back."""
    return _told(remote.call("POST", path_of("schedules", id, "pause"), o.given(note=note)))


@group.command("resume")
@on_service
def resume(remote: Remote, id: Id, *, note: Note = None) -> Answer:
    """Go on with the first moment after now."""
    return _told(remote.call("POST", path_of("schedules", id, "resume"), o.given(note=note)))


@group.command("run")
@on_service
def run(remote: Remote, id: Id) -> Answer:
    """Make a message that is due now, beside the plan."""
    message = remote.call("POST", path_of("schedules", id, "run"), headers={"Idempotency-Key": str(uuid.uuid4())})
    return Answer(message, line(f"{message['id']}  due now"))


@group.command("backfill")
@on_service
def backfill(
    remote: Remote,
    id: Id,
    *,
    first: Annotated[str, typer.Option("--from", metavar="TIME", help="The first moment, itself included.")],
    last: Annotated[str, typer.Option("--to", metavar="TIME", help="The last moment, itself included.")],
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="IANA name, for a TIME without an offset.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Moments at most; default 1,000.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would make.")] = False,
) -> Answer:
    """Make the messages of past moments that have none; no moment is made twice."""
    asked = {"from": first, "to": last, "dry_run": dry_run, **o.given(timezone=timezone, limit=limit)}
    found = remote.call("POST", path_of("schedules", id, "backfill"), asked)
    count = found["would_make"] if dry_run else found["made"]
    more = "; there are more, ask again" if found["more"] else ""
    would = "would be made" if dry_run else "are made"
    return Answer(found, line(f"{count} messages {would}, {found['existing']} exist{more}"))


def _told(schedule: dict[str, Any]) -> Answer:
    return Answer(schedule, line(f"{schedule['id']}  {schedule['status']}, next run {_next(schedule)}"))


def _plan(schedule: dict[str, Any]) -> str:
    when = schedule["cron"] or f"every {schedule['every']}"
    return f"{when} ({schedule['timezone']})"


def _next(schedule: dict[str, Any]) -> str:
    return schedule["next_run"]["local"] if schedule["next_run"] else "none"


def _picture(schedule: dict[str, Any]) -> Any:
    from rich.console import Group

    next_runs, last_runs = schedule.pop("next_runs"), schedule.pop("last_runs")
    shown = {**schedule, "next_run": None}
    parts: list[Any] = [facts(shown.items())]
    if next_runs:
        parts += ["", table(["next runs", "local"], ([run["at"], run["local"]] for run in next_runs))]
    if last_runs:
        columns = ("scheduled_for", "ended_at", "outcome", "reason", "origin", "message_id")
        parts += ["", table(["last runs", *columns[1:]], ([run[name] for name in columns] for run in last_runs))]
    return Group(*parts)
