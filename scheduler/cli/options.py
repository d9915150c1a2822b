"""Options that several commands share, and the parts of a request that are made of them."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.exits import Exit, Failure


class Channel(StrEnum):
    ECHO = "echo"
    WEBHOOK = "webhook"
    JOB = "job"


class Priority(StrEnum):
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Status(StrEnum):
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"


def _option(*names: str, panel: str, metavar: str | None = None, help: str) -> Any:  # noqa: A002 - typer's word
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=panel)


WHEN, WHERE, HOW = "When", "Where to", "How"

Id = Annotated[str, typer.Argument(metavar="ID", help="Of the message.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Of one message or several.")]
Text = Annotated[str | None, typer.Argument(metavar="TEXT", help="The message, as a text; - reads it from stdin.")]
Data = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="The message as JSON; @FILE reads it from a file, @- from stdin."),
]
At = Annotated[
    str | None,
    _option(
        "--at", panel=WHEN, metavar="TIME", help="The moment: 2027-01-01T09:00, an RFC 2822 date, epoch seconds or ms."
    ),
]
In = Annotated[
    str | None, _option("--in", panel=WHEN, metavar="DELAY", help="How long from now: 90 (seconds), 1h30m, PT5M.")
]
Timezone = Annotated[
    str | None, _option("--timezone", panel=WHEN, metavar="ZONE", help="IANA name, for a TIME without an offset.")
]
Webhook = Annotated[str | None, _option("--webhook", panel=WHERE, metavar="URL", help="Send it to this HTTP endpoint.")]
Method = Annotated[
    str | None, _option("--method", panel=WHERE, metavar="METHOD", help="Of the webhook: POST (default), PUT, GET …")
]
Headers = Annotated[
    list[str] | None,
    _option("--header", panel=WHERE, metavar="NAME:VALUE", help="A header of the webhook; may be given several times."),
]
Timeout = Annotated[
    float | None, _option("--timeout", panel=WHERE, metavar="SECONDS", help="Of one attempt to call the webhook.")
]
Job = Annotated[
    str | None, _option("--job", panel=WHERE, metavar="TYPE", help="Give it to the Python handler of this type.")
]
PriorityOption = Annotated[
    Priority | None, _option("--priority", panel=HOW, help="Strict among the messages that are due.")
]
Attempts = Annotated[
    int | None, _option("--attempts", panel=HOW, metavar="N", help="Attempts in all; -1 is without limit.")
]
Backoff = Annotated[
    float | None, _option("--backoff", panel=HOW, metavar="SECONDS", help="Pause after the first failed attempt.")
]
BackoffFactor = Annotated[
    float | None, _option("--backoff-factor", panel=HOW, metavar="N", help="Growth from one pause to the next.")
]
BackoffCap = Annotated[float | None, _option("--backoff-cap", panel=HOW, metavar="SECONDS", help="The longest pause.")]
Jitter = Annotated[
    bool | None, _option("--jitter/--no-jitter", panel=HOW, help="Draw each pause evenly between 0 and its length.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def content(text: str | None, data: str | None) -> dict[str, Any]:
    """Return ``{"message": …}`` of TEXT or ``--data``; nothing when neither is given."""
    if text is not None and data is not None:
        raise Failure(Exit.USAGE, "TEXT and --data exclude each other; accepted: one of the two")
    if data is not None:
        return {"message": parsed(data, "--data")}
    return given(message=sys.stdin.read() if text == "-" else text)


def parsed(source: str, option: str) -> Any:
    """Return the JSON of a text, of a file after ``@``, or of stdin (``@-``)."""
    try:
        text = source if not source.startswith("@") else read(source[1:])
        return json.loads(text)
    except ValueError as error:
        raise Failure(Exit.USAGE, f"{option}: no JSON ({error}); accepted: JSON, or @ and the name of a file") from None


def read(name: str) -> str:
    """Return what is in a file; ``-`` is stdin."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.USAGE, f"{name}: cannot be read: {error}") from None


def webhook(
    url: str | None, method: str | None, headers: list[str] | None, timeout: float | None
) -> dict[str, Any] | None:
    """Return the options of a webhook, None without an URL."""
    if url is None:
        if method or headers or timeout:
            raise Failure(Exit.USAGE, "--method, --header and --timeout belong to --webhook, which is missing")
        return None
    pairs = [header.partition(":") for header in headers or []]
    for name, colon, _ in pairs:
        if not colon:
            raise Failure(Exit.USAGE, f"--header: {name} is not accepted; accepted: NAME:VALUE")
    named = {name.strip(): value.strip() for name, _, value in pairs} or None
    return {"url": url, **given(method=method, headers=named, timeout=timeout)}


def retry(
    attempts: int | None, backoff: float | None, factor: float | None, cap: float | None, jitter: bool | None
) -> dict[str, Any] | None:
    """Return the retry policy, None when no part of it is given."""
    return given(max_attempts=attempts, base=backoff, factor=factor, cap=cap, jitter=jitter) or None
