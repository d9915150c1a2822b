"""``destinations …``: destinations of webhooks that fail, and the circuit breakers that leave them alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from scheduler.cli import options as o
from scheduler.cli.command import on_service
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, facts, line, table
from scheduler.cli.remote import Remote, path_of

group = typer.Typer(help="Destinations of webhooks that fail: which are left alone, and why.", no_args_is_help=True)

Destination = Annotated[
    str, typer.Argument(metavar="DESTINATION", help="Scheme, host and port, https:api.example.com:443, or a URL.")
]
_Note = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is kept and shown.")]
_FORM = "scheme, host and port, such as https:api.example.com:443, or a URL"


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@group.command("list")
@on_service
def list_(
    remote: Remote,
    *,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many at most.")] = 100,
) -> Answer:
    """List destinations that have failed lately or asked for a pause, open ones first."""
    found = remote.call("GET", "/v1/destinations", params={"state": state, "limit": limit})["destinations"]
    columns = ("id", "state", "failures", "failing_since", "next_probe_at", "last_error")
    names = ["destination", "state", "failures in a row", "failing since", "next probe", "last error"]
    return Answer(found, lambda: table(names, ([each[name] for name in columns] for each in found)))


@group.command("get")
@on_service
def get(remote: Remote, destination: Destination) -> Answer:
    """Show a destination: since when it fails, with which error, and when the next probe goes."""
    found = remote.call("GET", path_of("destinations", _id(destination)))
    return Answer(found, lambda: facts(found.items()))


@group.command("open")
@on_service
def open_(remote: Remote, destination: Destination, *, note: _Note = None) -> Answer:
    """Leave a destination alone, without probes, until it is closed: for a planned maintenance."""
    return _told(remote, destination, "open", note, "left alone until message-scheduler destinations close")


@group.command("close")
@on_service
def close(remote: Remote, destination: Destination, *, note: _Note = None) -> Answer:
    """Use a destination again now; a pause that it asked for ends too."""
    return _told(remote, destination, "close", note, "used again")


def _told(remote: Remote, destination: str, what: str, note: str | None, sentence: str) -> Answer:
    found: dict[str, Any] = remote.call("POST", path_of("destinations", _id(destination), what), o.given(note=note))
    return Answer(found, line(f"{found['id']}  {sentence}"))


def _id(given: str) -> str:
    """Return the id of a destination; of a URL, which is what people have at hand, the one of its host."""
    try:
        parts = urlsplit(given)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError as error:
        raise Failure(Exit.USAGE, f"{given}: no URL ({error}); accepted: {_FORM}") from None
    if "://" in given and port and parts.hostname:
        return f"{parts.scheme}:{parts.hostname}:{port}"
    if "/" in given:
        raise Failure(Exit.USAGE, f"{given}: no destination; accepted: {_FORM}")
    return given
