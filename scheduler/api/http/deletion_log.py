"""Log every deletion of several messages: how many, and the client that asked for it."""

from __future__ import annotations

from flask import request

from scheduler.api.http.client_addresses import ClientAddresses
from scheduler.api.http.services import services


def record(words: str) -> None:
    """Log what the request at hand has deleted, with the client's address: ``removed 3 scheduled webhook tasks``."""
    here = services()
    addresses = ClientAddresses(here.settings.api.trusted_proxies)
    client = addresses.client(request.remote_addr or "", request.headers.get("X-Forwarded-For", ""))
    here.log.info(f"{request.method} {request.path} from {client}: {words}")
