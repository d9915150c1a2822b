"""What keeps the history of one scheduler process: the archiver and the pruner, on a thread of their own."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.clock import Clock
from scheduler.config.settings import Settings
from scheduler.delivery.maintenance import Maintenance
from scheduler.history import open_database
from scheduler.history.archiver import Archiver
from scheduler.history.database import Database
from scheduler.history.pruner import Pruner
from scheduler.logs.sinks import ServiceLog
from scheduler.store.outbox import Outbox
from scheduler.telemetry.figures import Telemetry

_DAY_MS = 86_400_000
_ONE_MACHINE = (
    "History.Url is a file of this machine, and Redis may be used by servers of others: the history of each machine "
    "would hold what its own server archived. Use a database that all of them reach (docs/history.md)."
)


class Keeper:
    """A database, and the thread that writes to it."""

    def __init__(self, database: Database, archiver: Archiver, thread: Maintenance) -> None:
        self._database = database
        self._archiver = archiver
        self._thread = thread

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is not archived yet waits in Redis."""
        self._thread.stop()
        self._database.close()

    @property
    def taken(self) -> int:
        """How many messages this process has archived."""
        return self._archiver.taken

    def gauges(self) -> dict[str, float]:
        """Return what the process reports of it."""
        return {"scheduler_history_up": float(not self._archiver.away)}


def keeper_of(
    settings: Settings,
    store: Outbox,
    *,
    owner: str,
    finished: Callable[[], int],
    busy: Callable[[], bool],
    now_ms: Callable[[], float],
    clock: Clock,
    log: ServiceLog,
    telemetry: Telemetry,
) -> Keeper | None:
    """Build it from the settings; None where there is no history.  The arguments are those of ``Archiver``."""
    url, plan = settings.history_url, settings.history
    if not url:
        return None
    if url.startswith("sqlite") and not settings.redis_is_private:
        log.warning(_ONE_MACHINE)
    database = open_database(url)
    archiver = Archiver(
        store,
        database,
        owner=owner,
        payloads=plan.payloads,
        outbox_bytes=plan.outbox_max_bytes,
        finished=finished,
        busy=busy,
        clock=clock,
        log=log,
        telemetry=telemetry,
    )
    pruner = Pruner(
        database,
        archiver,
        max_age_ms=round(plan.max_age_days * _DAY_MS),
        max_rows=plan.max_rows,
        now_ms=now_ms,
    )
    return Keeper(database, archiver, Maintenance([archiver, pruner], clock, log, name="archiver"))
