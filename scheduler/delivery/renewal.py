"""Renewal of locks: while a message is in flight here, no other server may take it."""

from __future__ import annotations

from scheduler.clock import Clock
from scheduler.delivery.in_flight import InFlight
from scheduler.delivery.maintenance import Maintenance
from scheduler.logs.notices import Outage
from scheduler.logs.sinks import ServiceLog
from scheduler.store import MessageStore
from scheduler.telemetry.figures import Telemetry


def renewal(
    task: Renewer, lock_seconds: float, clock: Clock, log: ServiceLog, outage: Outage | None = None
) -> Maintenance:
    """The thread that only renews: another task that hangs on Redis must not cost every lock of this process."""
    return Maintenance([task], clock, log, "renewal", again_seconds=min(1.0, lock_seconds / 20), outage=outage)


def renewal_timeout(socket_timeout: float, lock_seconds: float) -> float:
    """How long a renewal may wait for Redis (seconds): one that hangs is followed by another before a lock expires."""
    return min(socket_timeout, lock_seconds / 4)


class Renewer:
    """Pushes the expiry of the locks in flight, at a third of their life: two renewals may fail before one expires."""

    name = "renew"

    def __init__(
        self, store: MessageStore, in_flight: InFlight, lock_seconds: float, log: ServiceLog, telemetry: Telemetry
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
            # A message whose settling is on its way looks lost to the script, and is not: it counts when it is refused
            # twice, a third of a lock's life apart.
            lost = [claim for claim in refused if claim.token == self._refused.get(claim.id)]
            self._refused = {claim.id: claim.token for claim in refused if self._in_flight.holds(claim)}
            self._in_flight.remove(lost)
            self._telemetry.count("scheduler_locks_lost", len(lost))
            for claim in lost:
                self._log.error(f"lock lost id={claim.id} channel={claim.channel} attempt={claim.attempt}")
        return self._lock_seconds / 3
