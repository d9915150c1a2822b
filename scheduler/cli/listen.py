"""``listen``: a receiver of webhooks, for the first day."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.command import local
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, facts

if TYPE_CHECKING:
    from scheduler.channels.webhook.signing import Signer


@local
def listen(
    *,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65_535, help="To listen on; 0 for a free one.")
    ] = 8000,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="whsec_…",
            help="To verify signatures with; several may be given. Else Webhook.Secrets of the settings.",
        ),
    ] = None,
    status: Annotated[
        int, typer.Option("--answer", metavar="STATUS", min=200, max=599, help="HTTP status to answer with.")
    ] = 204,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N requests.")] = None,
) -> Iterator[Answer]:
    """Receive webhooks on this machine and print them: headers, body, whether the signature is right, and repeats.

    A service calls this machine only when it may call private addresses: start it with
    WEBHOOK__ALLOW_PRIVATE_NETWORKS=true, or name this address in Webhook.AllowedNetworks.
    """
    from scheduler.cli.receiver import Receiver  # http.server takes long to load

    signer = _signer(secret)
    try:
        server = Receiver((host, port), status)
    except (OSError, OverflowError) as error:
        raise Failure(Exit.FAILED, f"Cannot listen on {host}:{port} ({error}). Choose another --port.") from None
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            sys.stderr.write(f"Listening on http://{host}:{server.port}, answering {status}. Ctrl-C ends it.\n")
            yield from _received(server.requests, signer, count)
        finally:
            server.shutdown()


def _received(requests: queue.Queue[dict[str, Any]], signer: Signer | None, count: int | None) -> Iterator[Answer]:
    seen: set[str] = set()
    number = 0
    while count is None or number < count:
        found = requests.get()
        body = found.pop("raw")
        found["signature"] = _judged(signer, found["headers"], body, found["at_ms"] / 1000)
        id = found["headers"].get("webhook-id")
        found["repeat"] = id in seen
        seen |= {id} if id else set()
        number += 1
        yield Answer(found, lambda found=found: _picture(found))  # type: ignore[misc]


def _picture(found: dict[str, Any]) -> Any:
    from rich.console import Group

    head = [
        ("request", f"{found['method']} {found['path']}" + (", a repeat" if found["repeat"] else "")),
        ("signature", found["signature"]),
    ]
    return Group(facts([*head, *found["headers"].items(), ("body", found["body"])]), "")


def _judged(signer: Signer | None, headers: dict[str, str], body: bytes, now: float) -> str:
    if signer is None:
        return "not verified: no secret is known here" if "webhook-signature" in headers else "none"
    problem = signer.verify(headers, body, now)
    return "valid" if problem is None else f"WRONG: {problem}"


def _signer(secrets: list[str] | None) -> Signer | None:
    from scheduler.channels.webhook.signing import Signer
    from scheduler.cli.config import read

    found = secrets or [each for each in read(None)[0].webhook.secrets.split(",") if each]
    try:
        return Signer(found) if found else None
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--secret: {error}") from None
