"""``cancel``, ``run``, ``redrive``, ``pause``, ``resume``: what changes the state of messages and of the service."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from scheduler.cli import options as o
from scheduler.cli.command import each, on_service
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, line
from scheduler.cli.remote import Remote, path_of

_STEP: Final = 10_000
"""Dead letters that one request redrives at most."""


@on_service
def cancel(remote: Remote, ids: o.Ids) -> Iterable[Answer]:
    """Take scheduled messages back."""

    def act(id: str) -> Answer:
        return Answer(remote.call("DELETE", path_of("messages", id)), line(f"{id}  cancelled"))

    return each(ids, act)


@on_service
def run(remote: Remote, ids: o.Ids) -> Iterable[Answer]:
    """Make scheduled messages due now."""

    def act(id: str) -> Answer:
        return Answer(remote.call("POST", path_of("messages", id, "run")), line(f"{id}  due now"))

    return each(ids, act)


@on_service
def redrive(
    remote: Remote,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Of dead letters.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All dead letters, oldest first.")] = False,
    channel: Annotated[o.Channel | None, typer.Option(help="With --all: only of this channel.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="With --all: this many at most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --all: only say how many it would be.")] = False,
    yes: o.Yes = False,
) -> Iterable[Answer]:
    """Schedule dead letters again, due now, with all their attempts: those named, or --all.

    --all counts first, says how many it would be, and asks.
    """
    if bool(ids) == every:
        raise Failure(Exit.USAGE, "Which dead letters? Accepted: their ids, or --all")
    if not every and (channel or limit or dry_run):
        raise Failure(Exit.USAGE, "--channel, --limit and --dry-run belong to --all")

    def act(id: str) -> Answer:
        message = remote.call("POST", path_of("messages", id, "redrive"))
        # A dead letter that only the history has is repeated by a new message.
        new = message["id"]
        return Answer(message, line(f"{id}  scheduled again" if new == id else f"{id}  sent again as {new}"))

    return [_redrive_all(remote, channel, limit, dry_run=dry_run, yes=yes)] if every else each(ids or [], act)


def _redrive_all(remote: Remote, channel: o.Channel | None, limit: int | None, *, dry_run: bool, yes: bool) -> Answer:
    first = _ask(remote, channel, min(limit or _STEP, _STEP), dry_run=True)
    # The dry run counts as far as one request goes.
    count = f"{first} or more" if first == _STEP and limit != _STEP else str(first)
    if dry_run:
        return Answer({"would_redrive": first}, line(f"It would be {count} {_letters(count)}."))
    if not yes and first:
        _confirm(f"Schedule {count} {_letters(count)} again?")
    done = 0
    while first and (limit is None or done < limit):
        moved = _ask(remote, channel, min(_STEP, (limit or done + _STEP) - done), dry_run=False)
        done += moved
        if moved < _STEP:
            break
    verb = "is" if done == 1 else "are"
    return Answer({"redriven": done}, line(f"{done} {_letters(str(done))} {verb} scheduled again."))


def _letters(count: str) -> str:
    return "dead letter" if count == "1" else "dead letters"


def _ask(remote: Remote, channel: o.Channel | None, limit: int, *, dry_run: bool) -> int:
    body = {"limit": limit, "dry_run": dry_run, **o.given(channel=channel)}
    answer = remote.call("POST", "/v1/dead-letters/redrive", body)
    return int(answer["would_redrive" if dry_run else "redriven"])


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise Failure(Exit.USAGE, f"{question} Nobody can be asked here; say --yes to do it.")
    if not typer.confirm(question, err=True):
        raise Failure(Exit.FAILED, "Nothing was changed.")


@on_service
def pause(remote: Remote) -> Answer:
    """Let no server claim any more; accepting goes on, and what is in flight finishes."""
    return Answer(
        remote.call("POST", "/v1/pause"), line("Paused: nothing is delivered until message-scheduler resume.")
    )


@on_service
def resume(remote: Remote) -> Answer:
    """End a pause."""
    return Answer(remote.call("POST", "/v1/resume"), line("Resumed: what is due is delivered."))
