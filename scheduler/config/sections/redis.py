"""Section Redis: where it is, and how long it may take."""

from __future__ import annotations

from pydantic import field_validator

from scheduler.config.connection_string import ACCEPTED, target_of
from scheduler.config.fields import Section, checked, number, text, whole


class RedisSettings(Section):
    connection_string: str = checked("embedded", ACCEPTED)
    """Where Redis is; `embedded` starts a private one for this machine."""
    partitions: int = whole(1, 1, 1024)
    """Parts that the messages are spread over, for a Redis Cluster. Written to Redis at the first start and fixed from
    then on."""
    data_directory: str = text("data", r"^[^\x00-\x1f]+$", "the path of a folder")
    """Folder of the embedded Redis: its append-only files and its socket."""
    wait_replicas: int = whole(0, 0, 16)
    """Replicas that must confirm a write before its client is answered: a message that is accepted, changed, cancelled,
    redriven or purged, or a pause; 0 for none. When all replicas must, a failover loses none of these."""
    socket_timeout_seconds: float = number(5.0, 0.05, 300)
    """Longest wait for Redis to connect or to answer; at most `Scheduler.LockSeconds`. Locks are renewed on connections
    of their own, which wait a quarter of a lock's life at most."""
    wait_at_start: bool = True
    """A start waits for a Redis that does not answer, with one line a minute. With false it fails at once, as it always
    does for wrong settings."""

    @field_validator("connection_string")
    @classmethod
    def _names_a_redis(cls, value: str) -> str:
        target_of(value)
        return value
