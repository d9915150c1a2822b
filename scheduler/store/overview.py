"""All figures of the service at once, as ``/v1/stats``, ``/health`` and ``/metrics`` show them."""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.redis_server.connections import cluster_of
from scheduler.store.base import unavailable
from scheduler.store.keys import HISTORY, SERVERS
from scheduler.store.outbox import ONLY_FIGURES, Outbox, OutboxFigures, outbox_figures_of
from scheduler.store.reading import Reading, counts_of
from scheduler.store.registry import INFO, ServerRegistry, info_of_text, servers_of
from scheduler.store.results import Counts, ScheduleCounts
from scheduler.store.scheduling import Scheduling, schedule_counts_of
from scheduler.store.scripts import Argument, Reply


class Overview(NamedTuple):
    """What several verbs return."""

    counts: Counts
    schedules: ScheduleCounts
    outbox: OutboxFigures
    servers: dict[str, dict[str, Any]]
    history: dict[str, str]
    """The reports as Redis has them, for ``history_of``: to read them takes longer than all else."""
    redis: dict[str, Any]


class Overviews(Reading, Outbox, Scheduling, ServerRegistry):
    """Verb: overview."""

    def overview(self) -> Overview:
        """Return the counts of messages and schedules, the outbox, the servers, their history, and Redis's figures.

        In one round trip where Redis is one server: of what eight cost, redis-py's work for each is the most.
        """
        if cluster_of(self.client) is None and (found := self._in_one_trip()) is not None:
            return found
        return Overview(
            self.counts(),
            self.schedule_counts(),
            self.outbox_figures(),
            self.servers(),
            self.history_reports(),
            self.redis_info(),
        )

    def _in_one_trip(self) -> Overview | None:
        """Return None when Redis refuses a command: one that it does not allow, or a script that it has lost.

        The verbs know what is to be done then.
        """
        partitions = range(len(self.partitions))
        now: dict[str, Argument] = {"now": self.now()}
        with unavailable(), self.client.pipeline(transaction=False) as trip:
            for verb, arguments in (("stats", now), ("count_schedules", now), ("outbox", now | ONLY_FIGURES)):
                for partition in partitions:
                    trip.execute_command(*self.command(verb, partition, **arguments))  # type: ignore[no-untyped-call]
            for command in (("HGETALL", SERVERS), ("HGETALL", HISTORY), ("TIME",), (INFO,), ("DBSIZE",)):
                trip.execute_command(*command)  # type: ignore[no-untyped-call]
            replies: list[Reply] = trip.execute(raise_on_error=False)
        if any(isinstance(reply, Exception) for reply in replies):
            return None
        *of_scripts, servers, history, (seconds, micros), info, keys = replies
        n = len(partitions)
        own_ms = self.fixed_now() or int(seconds) * 1000 + int(micros) // 1000
        return Overview(
            counts_of(of_scripts[:n], 0),
            schedule_counts_of(of_scripts[n : 2 * n]),
            outbox_figures_of(of_scripts[2 * n :]),
            servers_of(servers, own_ms),
            history,
            self.redis_figures([info_of_text(info)], int(keys)),
        )
