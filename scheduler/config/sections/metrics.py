"""Section Metrics: an address for the figures of a scheduler process."""

from __future__ import annotations

from pydantic import field_validator

from scheduler.config.fields import Section, bare_host, text, whole


class MetricsSettings(Section):
    port: int = whole(0, 0, 65_535)
    """TCP port on which the scheduler process of this server shows its own figures (`/metrics`) and whether it works
    (`/health`); 0 for none. The HTTP API has the figures of all processes, so this is for workers."""
    host: str = text("", r"^[A-Za-z0-9_.:%\[\]-]*$", "a host name or an IP address; empty for Server.Host")
    """Address that `Metrics.Port` is on; empty for that of `Server.Host`."""

    @field_validator("host", mode="before")
    @classmethod
    def _without_brackets(cls, value: object) -> object:
        return bare_host(value)
