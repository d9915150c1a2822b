"""``send``, ``get``, ``list``, ``edit``: one message, and lists of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from scheduler.cli import options as o
from scheduler.cli.command import on_service
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, line, table
from scheduler.cli.remote import Remote, path_of
from scheduler.cli.show import message_picture

_BATCH: Final = 1000


@on_service
def send(
    remote: Remote,
    content: o.Content,
    *,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Many messages: a JSON body of POST /v1/messages per line; - is stdin. A thousand are stored at once.",
        ),
    ] = None,
    moment: o.Moment,
    webhook: o.Webhook,
    job: o.Job = None,
    how: o.How,
    flow: o.Flow,
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Your own id; one that exists is refused.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY", help="Idempotency-Key: sent again within a day, nothing is stored a second time."
        ),
    ] = None,
) -> Answer | Iterator[Answer]:
    """Schedule a message: now, --at a moment or --in a while; to the console, a --webhook or a --job.

    Without --id and --key the command makes a key of its own, so that it can safely ask again when nobody answers.
    """
    message = content.fields()
    if batch is not None:
        if message:
            raise Failure(Exit.USAGE, "--batch: the messages are in FILE; TEXT and --data are not accepted beside it")
        return _send_many(remote, o.read(batch), key)
    if not message:
        raise Failure(Exit.USAGE, "There is no message: accepted are TEXT, --data or --batch")
    body = {
        **message,
        **moment.fields(),
        **webhook.fields(),
        **o.given(job=job and {"type": job}, id=id),
        **how.fields(),
        **flow.fields(),
    }
    headers = {} if id is not None else {"Idempotency-Key": key or str(uuid.uuid4())}
    answer = remote.call("POST", "/v1/messages", body, headers=headers)
    return Answer(answer, line(f"{answer['id']}  {answer['channel']}, due {answer['due_at']}"))


def _send_many(remote: Remote, text: str, key: str | None) -> Iterator[Answer]:
    bodies = []
    for number, written in enumerate(text.splitlines(), 1):
        try:
            if written.strip():
                bodies.append(json.loads(written))
        except ValueError as error:
            raise Failure(Exit.USAGE, f"--batch, line {number}: no JSON ({error})") from None
    key = key or str(uuid.uuid4())
    for first in range(0, len(bodies), _BATCH):
        part = bodies[first : first + _BATCH]
        own_ids = any(isinstance(body, dict) and "id" in body for body in part)
        headers = {} if own_ids else {"Idempotency-Key": f"{key}-{first}"}
        answer = remote.call("POST", "/v1/messages/batch", {"messages": part}, headers=headers)
        yield Answer(answer, line(f"{answer['accepted']} messages accepted ({first + len(part)} of {len(bodies)})"))


@on_service
def get(remote: Remote, id: o.Id) -> Answer:
    """Show a message and the evidence of its attempts."""
    message = remote.call("GET", path_of("messages", id))
    return Answer(message, lambda: message_picture(message))


@on_service
def list_(
    remote: Remote,
    *,
    status: Annotated[o.Status | None, typer.Option(help="Only these.")] = None,
    channel: Annotated[o.Channel | None, typer.Option(help="Only these.")] = None,
    priority: Annotated[o.Priority | None, typer.Option(help="Only these.")] = None,
    type: Annotated[str | None, typer.Option(metavar="TYPE", help="Only jobs, or webhook tasks, of this type.")] = None,
    schedule: Annotated[str | None, typer.Option(metavar="ID", help="Only those that this schedule made.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Not before: when it is due, has ended, or is locked until. Any form of TIME."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Not after.")] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="IANA name, for a --since or --until without an offset.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
) -> Answer:
    """List messages: scheduled ones soonest first, all others newest first."""
    filters = o.given(
        status=status,
        channel=channel,
        priority=priority,
        type=type,
        schedule=schedule,
        since=since,
        until=until,
        timezone=timezone,
    )
    found = list(remote.pages("/v1/messages", "messages", filters, limit or None))
    columns = ("id", "status", "channel", "due_at", "message")
    return Answer(found, lambda: table(columns, ([each[name] for name in columns] for each in found)))


@on_service
def edit(remote: Remote, id: o.Id, *, content: o.Content, moment: o.Moment, webhook: o.Webhook, how: o.How) -> Answer:
    """Change a scheduled message: its text, moment, priority, retries or webhook.

    Retries and webhook are replaced as a whole: what is left out of them comes from the settings.
    """
    change = {**content.fields(), **moment.fields(), **webhook.fields(), **how.fields()}
    if not change:
        raise Failure(Exit.USAGE, "Nothing to change: give a text, --data, --at, --in, --priority, …")
    message = remote.call("PATCH", path_of("messages", id), change)
    return Answer(message, line(f"{id}  changed, due {message['due_at']}"))
