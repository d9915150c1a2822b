"""Section Server: what this server is, and its HTTP address."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import field_validator, model_validator

from scheduler.config.fields import ADDRESS, Section, bare_host, number, text, whole


class ServerSettings(Section):
    host: str = text("127.0.0.1", r"^[A-Za-z0-9_.:%\[\]-]+$", "a host name or an IP address")
    """Address that the HTTP API listens on; `0.0.0.0` is all addresses of this machine."""
    port: int = whole(3000, 0, 65_535)
    """TCP port of the HTTP API; 0 takes any free one."""
    role: Literal["all", "api", "worker"] = "all"
    """What this server runs: the HTTP API, the delivery, or both."""
    api_processes: int = whole(1, 1, 64)
    """Processes that answer HTTP requests."""
    api_threads: int = whole(8, 1, 1024)
    """Threads of one API process for requests that do not accept messages, and for those that wait for Redis by
    themselves (a batch, an `Idempotency-Key`, a rate limit). Slow clients hold none."""
    name: str = text("", r"^[A-Za-z0-9_.:-]{0,100}$", "up to 100 letters, digits and _ . : -")
    """Name of this server among its peers, also in `/metrics`; empty for host name and port, or process id where no
    HTTP is served. Each server needs a name of its own: two with the same one count as one, and say so in the log."""
    drain_seconds: float = number(0.5, 0, 3600)
    """Time between the signal to stop and the end of HTTP: `/health` answers 503 meanwhile, and every answer closes its
    connection. Behind a balancer that asks `/health`: longer than it takes to notice."""
    public_url: str = text(
        "",
        rf"(?i)^(https?://{ADDRESS}(/[\w.~%-]+)*)?$",
        "an address like https://ops.example.com/scheduler, with a path or without; empty for none",
    )
    """Where browsers and clients find this service behind a proxy. Addresses in answers (`Location`, `Link`,
    `events_url`) begin with it, and its pages may use the API and watch live events."""

    @field_validator("host", mode="before")
    @classmethod
    def _without_brackets(cls, value: object) -> object:
        return bare_host(value)

    @field_validator("public_url", mode="before")
    @classmethod
    def _as_browsers_write_it(cls, value: object) -> object:
        if isinstance(value, str) and (parts := re.fullmatch(r"(\w+://[^/]*)(.*)", value.strip().rstrip("/"))):
            return parts[1].lower() + parts[2]
        return value

    @model_validator(mode="after")
    def _one_process_on_a_free_port(self) -> Self:
        if self.port == 0 and self.api_processes > 1:
            raise ValueError("Server.Port: 0 would give each API process a port of its own; accepted: a port from 1 on")
        return self
