"""``tail``: live events as they happen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlencode

import typer

from scheduler.cli import options as o
from scheduler.cli.command import on_service
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, line
from scheduler.cli.remote import Remote, is_here

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

PAUSE_SECONDS: Final = 1.0
"""Between two tries to reach a service that was there before."""
_MAX_FRAME: Final = 2**24


@on_service
def tail(
    remote: Remote,
    *,
    status: Annotated[
        list[o.Status] | None,
        typer.Option(help="Only events after which a message has this status; several may be given."),
    ] = None,
    channel: Annotated[list[o.Channel] | None, typer.Option(help="Only this channel; several may be given.")] = None,
    id: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this message; several may be given.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="EVENT_ID", help="Begin with what followed this event, as far as it is kept.")
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N events.")] = None,
) -> Iterator[Answer]:
    """Show live events until Ctrl-C: every transition of a message, as it happens.

    A connection that breaks is made again, and goes on where it was. What Redis has dropped by then is told as a gap.
    """
    filters = {"status": status, "channel": channel, "id": id}
    query = [(name, value) for name, values in filters.items() for value in values or ()]
    shown = 0
    for event in _events(remote, query, after):
        yield Answer(event, line(_text(event)))
        shown += event["type"] == "event"
        if shown == count:
            return


def _text(event: dict[str, Any]) -> str:
    if event["type"] != "event":
        return "- some events are missing here: the service no longer has them"
    more = f", again in {event['again_in_ms']} ms" if "again_in_ms" in event else ""
    return (
        f"{_moment(event['at'])}  {event['event']:<9}  {event['id']}  {event['channel']}, "
        f"attempt {event['attempt']}{more}  [{event['event_id']}]"
    )


def _moment(at_ms: int) -> str:
    from scheduler.when import format_ms

    return format_ms(at_ms)


def _events(remote: Remote, query: list[tuple[str, str]], after: str | None) -> Iterator[dict[str, Any]]:
    from websockets.exceptions import ConnectionClosed

    reached = False
    while True:
        try:
            with connected(remote, query, after) as connection:
                reached = True
                for frame in connection:
                    found = json.loads(frame)
                    for event in found if isinstance(found, list) else [found]:
                        if event["type"] in ("event", "gap"):
                            after = event.get("event_id", after)
                            yield event
        except ConnectionClosed:
            pass
        except Failure as failure:
            # A viewer that was connected before waits until the service is there again.
            if not reached or failure.code != Exit.UNREACHABLE:
                raise
        threading.Event().wait(PAUSE_SECONDS)


@contextmanager
def connected(remote: Remote, query: list[tuple[str, str]], after: str | None) -> Iterator[ClientConnection]:
    """A viewer of live events.  Raises ``Failure`` when there is none to be had."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus
    from websockets.sync.client import connect

    # Asked each time: another server may have taken over.
    address = remote.call("GET", "/v1/stats")["events_url"]
    if address is None:
        raise Failure(
            Exit.UNREACHABLE, "No server shows live events: none delivers, or Events.Enabled is false on all of them."
        )
    query = [*query, *([("last_event_id", after)] if after else [])]
    headers = {"Authorization": f"Bearer {remote.token}"} if remote.token else None
    proxy: Literal[True] | None = None if is_here(remote.url) else True
    with ExitStack() as stack:
        try:
            viewer = connect(
                f"{address}?{urlencode(query)}", additional_headers=headers, max_size=_MAX_FRAME, proxy=proxy
            )
            connection = stack.enter_context(viewer)
        except InvalidStatus as error:
            status = error.response.status_code
            code = {400: Exit.USAGE, 401: Exit.NOT_ALLOWED, 403: Exit.NOT_ALLOWED}.get(status, Exit.UNREACHABLE)
            said = (error.response.body or b"").decode(errors="replace").strip()
            raise Failure(code, f"{address}: {said or f'answers {status}'}") from None
        except (OSError, InvalidHandshake) as error:
            raise Failure(Exit.UNREACHABLE, f"Live events at {address} do not answer: {error}") from None
        yield connection
