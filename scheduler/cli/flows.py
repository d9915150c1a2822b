"""``flows …``: flow keys, their limits and what waits at them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler.cli import options as o
from scheduler.cli.command import on_service
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, facts, line, table
from scheduler.cli.remote import Remote, path_of

group = typer.Typer(
    help="Flow keys: how many at once, how many in a window, one after the other.", no_args_is_help=True
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The flow key.")]


@group.command("list")
@on_service
def list_(
    remote: Remote,
    *,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
) -> Answer:
    """List flow keys by name: what waits, what is in flight, and the limits in force."""
    found = list(remote.pages("/v1/flows", "flows", {}, limit or None))
    columns = ["key", "waiting", "in flight", "scheduled", "limits"]
    rows = ([each["key"], each["waiting"], each["in_flight"], each["scheduled"], _limits(each)] for each in found)
    return Answer(found, lambda: table(columns, rows))


@group.command("get")
@on_service
def get(remote: Remote, key: Key) -> Answer:
    """Show a flow key: its limits and where they come from, its window, and when something may go."""
    found = remote.call("GET", path_of("flows", key))
    return Answer(found, lambda: facts(found.items()))


@group.command("pin")
@on_service
def pin(remote: Remote, key: Key, *, limits: o.Limits) -> Answer:
    """Fix limits of a key, whatever its messages say; what was pinned before is replaced."""
    wanted = limits.fields()
    if not wanted:
        raise Failure(Exit.USAGE, "Nothing to pin: give --concurrency, --rate with --period, or --ordered")
    return _told(remote.call("PUT", path_of("flows", key), wanted))


@group.command("unpin")
@on_service
def unpin(remote: Remote, key: Key) -> Answer:
    """Let messages and settings decide again."""
    return _told(remote.call("DELETE", path_of("flows", key)))


@group.command("pause")
@on_service
def pause(
    remote: Remote,
    key: Key,
    *,
    delay: Annotated[
        str | None, typer.Option("--for", metavar="DELAY", help="For how long; else until it is resumed.")
    ] = None,
) -> Answer:
    """Let no message of a key begin; what is in flight ends."""
    return _told(remote.call("POST", path_of("flows", key, "pause"), o.given(delay=delay)))


@group.command("resume")
@on_service
def resume(remote: Remote, key: Key) -> Answer:
    """End a pause of a key."""
    return _told(remote.call("POST", path_of("flows", key, "resume")))


@group.command("reset")
@on_service
def reset(remote: Remote, key: Key) -> Answer:
    """Begin a new window, and count again what is in flight."""
    return _told(remote.call("POST", path_of("flows", key, "reset")))


def _told(flow: dict[str, Any]) -> Answer:
    return Answer(flow, line(f"{flow['key']}  {_limits(flow)}; {flow['waiting']} wait, {flow['in_flight']} in flight"))


def _limits(flow: dict[str, Any]) -> str:
    limits, sources = flow["limits"], flow["sources"]
    parts = []
    if limits["concurrency"] is not None:
        parts.append(f"{limits['concurrency']} at once ({sources['concurrency']})")
    if limits["rate"] is not None:
        parts.append(f"{limits['rate']} in {limits['period_ms'] / 1000:g} s ({sources['rate']})")
    if limits["ordered"]:
        parts.append(f"in order ({sources['ordered']})")
    if flow["paused"]:
        parts.append("paused" + (f" until {flow['paused_until']}" if flow["paused_until"] else ""))
    return ", ".join(parts) or "no limits"
