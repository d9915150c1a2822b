"""Messages in flight: claimed under a lock, settled by who shows its token, reaped when it expires."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from scheduler.errors import StoreUnavailable
from scheduler.message import Claim, Outcome
from scheduler.store import records
from scheduler.store.base import SCAN, Base, Rounds
from scheduler.store.budgets import Wanted
from scheduler.store.results import Claimed, Limits, Reaped
from scheduler.store.scripts import load


class Flight(Base):
    """claim, settle, renew, reap, trim"""

    _turn = 0

    def claim(self, wanted: Wanted, limit: int, lock_ms: int, owner: str = "") -> Claimed:
        """Take up to ``limit`` due messages within these budgets, each under a lock that lives ``lock_ms``; in a lane
        the most urgent first.

        Partitions are asked in turn, another one first each time; priorities are strict within a partition.
        Raises ``StoreUnavailable`` when none of them answers; what the others gave must be delivered.
        """
        self._turn = (self._turn + 1) % len(self.partitions)
        claims: list[Claim] = []
        wait_ms: float | None = None
        redis_ms = 0.0
        # A claim does not find out whether a node that hung answers again: what others gave would wait for it.
        rounds = Rounds(self.silence, ask=False)
        order = [(self._turn + i) % len(self.partitions) for i in range(len(self.partitions))]
        for partition in rounds.over(order):
            if not wanted.budgets and claims:
                break  # what else is due waits for claims of ours to end
            if len(claims) == limit:
                return Claimed(claims, 0.0, redis_ms, rounds.error)
            # The same token never twice, not even for a server that comes back under its old name.
            token = f"{owner}.{self.new_id()}"
            with rounds.next(partition):
                now_us, wait_us, *rows = self.run(
                    "claim",
                    partition,
                    [value for budget in wanted.budgets for value in budget],
                    limit=limit - len(claims),
                    lock_ms=lock_ms,
                    token=token,
                    shared=wanted.shared,
                )
                found = [records.claim_of(row, token, partition) for row in rows]
                claims += found
                if len(self.partitions) > 1:
                    wanted = wanted.without(found)
                redis_ms = int(now_us) / 1000
                if int(wait_us) >= 0:
                    wait_ms = min(wait_ms if wait_ms is not None else float("inf"), int(wait_us) / 1000)
        if not redis_ms:
            rounds.end()
        return Claimed(claims, wait_ms, redis_ms, rounds.error)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Report outcomes, in bulk.  False where the lock was lost: nothing was changed for that message.

        A retry must have a delay, or it raises ``ValueError``: this does not decide again what a failure means.
        Outcomes of several partitions may be settled in part when it raises ``StoreUnavailable``.
        """
        results = [False] * len(outcomes)
        groups: dict[int, list[int]] = {}
        for position, outcome in enumerate(outcomes):
            groups.setdefault(outcome.claim.partition, []).append(position)
        for partition, positions in groups.items():
            if error := self.silence.silent(partition, ask=False):
                raise error
            group = [outcomes[position] for position in positions]
            evidence = [records.evidence_of(outcome) for outcome in group]
            reply = self.run("settle", partition, records.settle_items(group, evidence))
            for position, done in zip(positions, reply, strict=True):
                results[position] = bool(done)
        return results

    def renew(self, claims: Sequence[Claim], lock_ms: int) -> list[Claim]:
        """Push the expiry of these locks; those that were lost.

        Raises ``StoreUnavailable`` when a partition does not answer, after the others' were pushed.
        """
        lost: list[Claim] = []
        groups: dict[int, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(claim.partition, []).append(claim)
        rounds = Rounds(self.silence)
        for partition in rounds.over(groups):
            group = groups[partition]
            with rounds.next(partition):
                for first in range(0, len(group), SCAN):
                    part = group[first : first + SCAN]
                    items = [value for claim in part for value in (claim.id, claim.token)]
                    lost += [part[int(n) - 1] for n in self.run("renew", partition, items, lock_ms=lock_ms)]
        rounds.end()
        return lost

    def reap(
        self, limit: int, not_after: Callable[[], int | None] = lambda: None, held: Collection[int] = ()
    ) -> Reaped:
        """Return messages whose lock expired to ``scheduled``, or to ``dead`` when their attempts are used up.

        ``not_after`` (ms) is asked before each partition: one that answers later, by Redis's clock, reaps nothing and
        counts as away.  ``held``: partitions that are only asked whether they answer.  Raises ``StoreUnavailable`` when
        no partition answers.
        """
        total = Reaped(0, 0, None)
        rounds = Rounds(self.silence)
        for partition in rounds.over(range(len(self.partitions))):
            with rounds.next(partition):
                if partition in held:
                    self.ask(partition)
                else:
                    total = self._reap(partition, limit, not_after(), total)
        if len(rounds.away) == len(self.partitions):
            rounds.end()
        return total._replace(away=frozenset(rounds.away), error=rounds.error)

    def _reap(self, partition: int, limit: int, not_after: int | None, total: Reaped) -> Reaped:
        allowed = self.default_retry.max_attempts
        scheduled, dead, wait = self.run(
            "reap",
            partition,
            limit=limit,
            max_attempts=allowed,
            lost_limit=allowed if allowed > 0 else 5,
            not_after="" if not_after is None else not_after,
        )
        if scheduled < 0:
            raise StoreUnavailable("Redis answered late: locks may have expired while their owners could not renew")
        waits = [w for w in (total.wait_ms, None if int(wait) < 0 else int(wait)) if w is not None]
        return Reaped(total.scheduled + scheduled, total.dead + dead, min(waits, default=None))

    def trim(self, which: Literal["done", "dead"], limits: Limits, limit: int) -> int:
        """Forget finished messages beyond the limits, oldest first, at most ``limit`` per partition; how many.

        The limits are for the service as a whole: each partition keeps its share.  Raises ``StoreUnavailable`` when a
        partition does not answer, after the others were trimmed.
        """
        share = len(self.partitions)
        forgotten = 0
        rounds = Rounds(self.silence)
        for partition in rounds.over(range(share)):
            with rounds.next(partition):
                forgotten += self.call(
                    load("trim"),
                    self.partitions[partition].using(kept=which),
                    partition,
                    counter=f"{which}_bytes",
                    max_count=-(-limits.max_count // share),
                    max_age_ms=limits.max_age_ms,
                    max_bytes=-(-limits.max_bytes // share),
                    limit=limit,
                )
        rounds.end()
        return forgotten
