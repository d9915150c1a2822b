"""The span of one transfer: a webhook's request, a child of the attempt's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pycurl

from scheduler.channels.webhook.transfer import Delivery, Transfer
from scheduler.channels.webhook.urls import mask_url

if TYPE_CHECKING:
    from scheduler.otel.tracing import SentRequest, Tracing


def begin(tracing: Tracing, delivery: Delivery) -> SentRequest | None:
    """Begin the span of a transfer; None when the attempt is not recorded."""
    url, progress = delivery.prepared.url, delivery.progress
    resends = progress.redirects + progress.refusals if progress else 0
    return tracing.request(
        delivery.claim,
        method=delivery.prepared.method,
        url=lambda: mask_url(url.text),
        host=url.host,
        port=url.port,
        resends=resends,
    )


def end(span: SentRequest, transfer: Transfer, status: int, code: int) -> None:
    """``status``: of the answer, 0 for none.  ``code``: libcurl's, 0 when all went well."""
    span.ended(status, _error_type(transfer, status, code))


def _error_type(transfer: Transfer, status: int, code: int) -> str | None:
    if status >= 400:
        return str(status)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return "timeout"
    if transfer.refusal:
        return "address_refused"
    if transfer.stopped or not transfer.complete or (code and not transfer.cut):
        return "no_answer"
    return None
