"""MessageStore: the verbs on messages in Redis.  No other package reads or writes messages there.

Every verb is one Lua script per partition (``scheduler/store/lua/``), so it happens in whole or not at all.  Every verb
raises ``StoreUnavailable`` when Redis does not answer.
"""

from redis import Redis

from scheduler.clock import Clock
from scheduler.config.reading import Settings
from scheduler.message import IdGenerator
from scheduler.store.accepting import Accepting
from scheduler.store.changing import Changing
from scheduler.store.claiming import Claiming
from scheduler.store.destinations import Destinations
from scheduler.store.flows import Flows
from scheduler.store.moved_clock import MovedClock
from scheduler.store.outbox import Batch, Outbox, OutboxFigures, Unarchived
from scheduler.store.overview import Overview, Overviews
from scheduler.store.reading import Reading
from scheduler.store.registry import ServerRegistry
from scheduler.store.results import Changes, Claimed, Counts, FlowPage, LaneCounts, Limits, Page, Reaped, Scheduled
from scheduler.store.scheduling import Scheduling

__all__ = [
    "Batch",
    "Changes",
    "Claimed",
    "Counts",
    "FlowPage",
    "LaneCounts",
    "Limits",
    "MessageStore",
    "OutboxFigures",
    "Overview",
    "Page",
    "Reaped",
    "Scheduled",
    "Unarchived",
    "store_for",
]


class MessageStore(
    Accepting,
    Overviews,
    Reading,
    Changing,
    Claiming,
    Flows,
    Destinations,
    Outbox,
    Scheduling,
    MovedClock,
    ServerRegistry,
):
    """All verbs, over one Redis client.

    One object, whose methods lie in files by what they are for: ``accepting`` (schedule), ``reading`` (get, page,
    counts), ``changing`` (update, cancel, redrive, purge, pause), ``claiming`` (claim, settle, renew, reap, trim),
    ``flows`` (flow keys), ``destinations`` (circuit breakers), ``scheduling`` (schedules), ``outbox`` (what the history
    has not got yet), ``moved_clock`` (the clock that users' tests move), ``registry`` (heartbeats of the servers) and
    ``overview`` (the figures of all of these at once).
    A caller that needs the verbs of one file takes its class as type.  No class is made an object alone: what they
    share, the client and the way to a script, is ``base.Base``.
    """


def store_for(settings: Settings, client: Redis, clock: Clock) -> MessageStore:
    """Build the store from the settings.  Sends nothing to Redis yet."""
    return MessageStore(
        client,
        new_id=IdGenerator(clock.now_ms),
        partitions=settings.redis.partitions,
        events_kept=settings.events.kept if settings.events.enabled else 0,
        outbox_bytes=settings.history.outbox_max_bytes if settings.history_url else 0,
        outbox_waits=settings.history.when_full == "wait",
        idempotency_ms=round(settings.api.idempotency_seconds * 1000),
        wait_replicas=settings.redis.wait_replicas,
        default_retry=settings.retry.policy(),
        test_clock=settings.test.clock,
        monotonic=clock.monotonic,
    )
