"""Renew locks: while a message is in flight here, no other server may take it."""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.maintenance import Maintenance
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.store.claiming import Claiming
from scheduler.telemetry.figures import Telemetry


def renewal(
    task: Renewer, lock_seconds: float, clock: Clock, log: ServiceLog, outage: Outage | None = None
) -> Maintenance:
    """Return the thread that only renews: a task that hangs on Redis would cost every lock of this process."""
    return Maintenance([task], clock, log, "renewal", again_seconds=min(1.0, lock_seconds / 20), outage=outage)


def renewal_timeout(socket_timeout: float, lock_seconds: float) -> float:
    """Return how long a renewal may wait for Redis (seconds): after one that hangs there is time for another."""
    return min(socket_timeout, lock_seconds / 4)


class Renewer:
    """Renews the locks in flight at a third of their life: two renewals may fail before a lock expires."""

    name = "renew"

    def __init__(
        self, store: Claiming, in_flight: InFlight, lock_seconds: float, log: ServiceLog, telemetry: Telemetry
    ) -> None:
        self._store = store
        self._in_flight = in_flight
        self._lock_seconds = lock_seconds
        self._log = log
        self._telemetry = telemetry
        self._refused: dict[str, str] = {}

    def tick(self) -> float:
        claims = self._in_flight.all()
        if claims:
            refused = self._store.renew(claims, round(self._lock_seconds * 1000))
            # The script also refuses a message that is being settled at the same time.  A lock counts as lost when it
            # is refused twice, a third of a lock's life apart.
            lost = [claim for claim in refused if claim.token == self._refused.get(claim.id)]
            self._refused = {claim.id: claim.token for claim in refused if self._in_flight.holds(claim)}
            self._in_flight.remove(lost)
            self._telemetry.count("scheduler_locks_lost", len(lost))
            for claim in lost:
                self._log.error(f"lock lost id={claim.id} channel={claim.channel} attempt={claim.attempt}")
        return self._lock_seconds / 3
