"""Decide whether an attempt sends its request again: on a new connection, or to the target of a redirect."""

from __future__ import annotations

from scheduler.channels.webhook.request import RequestBuilder
from scheduler.channels.webhook.response import FOLLOWED, Answer
from scheduler.channels.webhook.transfer import Delivery, Transfer

MAX_REFUSALS = 5
"""How often an attempt sends a request again that the endpoint refused before it did anything with it."""
MAX_REDIRECTS = 3


def next_send(transfer: Transfer, answer: Answer, builder: RequestBuilder) -> Delivery | None:
    """Return what the attempt sends after this transfer; None when the attempt is over.

    Raises ValueError with the reason when a redirect should be followed and cannot be.
    """
    delivery, progress = transfer.delivery, transfer.progress
    if transfer.untouched and progress.refusals < MAX_REFUSALS:
        return delivery._replace(progress=progress._replace(refusals=progress.refusals + 1))
    redirected = answer.status in FOLLOWED and transfer.complete and not answer.no_retry
    if not redirected or not delivery.prepared.follows:
        return None
    if progress.redirects >= MAX_REDIRECTS:
        raise ValueError(f"more than {MAX_REDIRECTS} redirects")
    if not answer.location:
        raise ValueError("it has no Location")
    prepared = builder.redirected(delivery.prepared, answer.location)
    return delivery._replace(
        prepared=prepared, progress=progress._replace(redirects=progress.redirects + 1, refusals=0)
    )
