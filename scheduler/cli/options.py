"""Options that several commands share, and the parts of a request that are made of them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from scheduler.cli.exits import Exit, Failure


# Not the words of scheduler/message.py: to load it takes as long as all else that a command loads.
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


WHEN, WHERE, HOW, FLOW = "When", "Where to", "How", "Flow control"

Id = Annotated[str, typer.Argument(metavar="ID", help="Of the message.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Of one message or several.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def parsed(source: str, option: str) -> Any:
    """Return the JSON of a text, of a file after ``@``, or of stdin (``@-``)."""
    try:
        text = source if not source.startswith("@") else read(source[1:])
        # Windows begins its files with a byte order mark.
        return json.loads(text.removeprefix("\ufeff"), parse_constant=_no_number)
    except ValueError as error:
        raise Failure(Exit.USAGE, f"{option}: no JSON ({error}); accepted: JSON, or @ and the name of a file") from None


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is not in JSON")


def read(name: str) -> str:
    """Return what is in a file; ``-`` is stdin."""
    try:
        if name != "-":
            return Path(name).read_text("utf-8")
        # Whatever the locale says: text is UTF-8 here.
        return sys.stdin.buffer.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        source = "stdin" if name == "-" else name
        raise Failure(Exit.USAGE, f"{source}: cannot be read: {error}") from None


class Group(Protocol):
    """Options that belong together: a parameter of this kind makes an option of each of its fields."""

    def fields(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Content:
    """What is delivered."""

    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="The message, as a text; - reads it from stdin.")
    ] = None
    data: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="The message as JSON; @FILE reads it from a file, @- from stdin."),
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return ``{"message": …}``; nothing when there is none."""
        if self.text is not None and self.data is not None:
            raise Failure(Exit.USAGE, "TEXT and --data exclude each other; accepted: one of the two")
        if self.data is not None:
            return {"message": parsed(self.data, "--data")}
        return given(message=read("-") if self.text == "-" else self.text)


@dataclass(frozen=True, slots=True)
class Moment:
    """When it is delivered."""

    at: Annotated[
        str | None,
        _option(
            "--at",
            panel=WHEN,
            metavar="TIME",
            help="The moment: 2027-01-01T09:00, an RFC 2822 date, epoch seconds or ms.",
        ),
    ] = None
    delay: Annotated[
        str | None, _option("--in", panel=WHEN, metavar="DELAY", help="How long from now: 90 (seconds), 1h30m, PT5M.")
    ] = None
    timezone: Annotated[
        str | None, _option("--timezone", panel=WHEN, metavar="ZONE", help="IANA name, for a TIME without an offset.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return ``time``, ``delay``, ``timezone``, those that are given."""
        return given(time=self.at, delay=self.delay, timezone=self.timezone)


@dataclass(frozen=True, slots=True)
class Webhook:
    """The HTTP endpoint that it is sent to."""

    webhook: Annotated[
        str | None, _option("--webhook", panel=WHERE, metavar="URL", help="Send it to this HTTP endpoint.")
    ] = None
    method: Annotated[
        str | None,
        _option("--method", panel=WHERE, metavar="METHOD", help="Of the webhook: POST (default), PUT, GET …"),
    ] = None
    header: Annotated[
        list[str] | None,
        _option(
            "--header", panel=WHERE, metavar="NAME:VALUE", help="A header of the webhook; may be given several times."
        ),
    ] = None
    timeout: Annotated[
        float | None, _option("--timeout", panel=WHERE, metavar="SECONDS", help="Of one attempt to call the webhook.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return ``{"webhook": …}``; nothing without an URL."""
        if self.webhook is None:
            if self.method or self.header or self.timeout:
                raise Failure(Exit.USAGE, "--method, --header and --timeout belong to --webhook, which is missing")
            return {}
        pairs = [header.partition(":") for header in self.header or []]
        for name, colon, _ in pairs:
            if not colon:
                raise Failure(Exit.USAGE, f"--header: {name} is not accepted; accepted: NAME:VALUE")
        headers = {name.strip(): value.strip() for name, _, value in pairs} or None
        return {"webhook": {"url": self.webhook, **given(method=self.method, headers=headers, timeout=self.timeout)}}


@dataclass(frozen=True, slots=True)
class How:
    """In which order, and what follows a failure."""

    priority: Annotated[
        Priority | None, _option("--priority", panel=HOW, help="Strict among the messages that are due.")
    ] = None
    attempts: Annotated[
        int | None, _option("--attempts", panel=HOW, metavar="N", help="Attempts in all; -1 is without limit.")
    ] = None
    backoff: Annotated[
        float | None, _option("--backoff", panel=HOW, metavar="SECONDS", help="Pause after the first failed attempt.")
    ] = None
    backoff_factor: Annotated[
        float | None, _option("--backoff-factor", panel=HOW, metavar="N", help="Growth from one pause to the next.")
    ] = None
    backoff_cap: Annotated[
        float | None, _option("--backoff-cap", panel=HOW, metavar="SECONDS", help="The longest pause.")
    ] = None
    jitter: Annotated[
        bool | None, _option("--jitter/--no-jitter", panel=HOW, help="Draw each pause evenly between 0 and its length.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return ``priority`` and ``retry``, those that are given."""
        retry = given(
            max_attempts=self.attempts,
            base=self.backoff,
            factor=self.backoff_factor,
            cap=self.backoff_cap,
            jitter=self.jitter,
        )
        return given(priority=self.priority, retry=retry or None)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a flow key allows."""

    concurrency: Annotated[
        int | None, _option("--concurrency", panel=FLOW, metavar="N", help="In flight at once, over all servers.")
    ] = None
    rate: Annotated[
        int | None, _option("--rate", panel=FLOW, metavar="N", help="Attempts that may begin in each --period.")
    ] = None
    period: Annotated[
        str | None, _option("--period", panel=FLOW, metavar="DELAY", help="The window of --rate: 1m, 1h.")
    ] = None
    ordered: Annotated[
        bool | None, _option("--ordered/--unordered", panel=FLOW, help="One after the other, by their moments.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return the limits that are given."""
        return given(concurrency=self.concurrency, rate=self.rate, period=self.period, ordered=self.ordered)


@dataclass(frozen=True, slots=True)
class Flow(Limits):
    """The flow key of a message, and what it allows."""

    flow: Annotated[
        str | None, _option("--flow", panel=FLOW, metavar="KEY", help="Messages with the same key share its limits.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """Return ``{"flow": …}``; nothing without a key."""
        limits = Limits.fields(self)
        if self.flow is None:
            if limits:
                raise Failure(Exit.USAGE, "--concurrency, --rate, --period and --ordered belong to --flow, the key")
            return {}
        return {"flow": {"key": self.flow, **limits}}


Job = Annotated[
    str | None, _option("--job", panel=WHERE, metavar="TYPE", help="Give it to the Python handler of this type.")
]
