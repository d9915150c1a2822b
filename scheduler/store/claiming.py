"""The verbs on messages in flight: claim under a lock, renew it, settle with its token, reap when it expired."""

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

OUTBOX_FULL = -1


class Claiming(Base):
    """Verbs: claim, settle, renew, reap, trim."""

    _turn = 0

    def claim(self, wanted: Wanted, limit: int, lock_ms: int, owner: str = "") -> Claimed:
        """Take up to ``limit`` due messages within these budgets, each under a lock of ``lock_ms``.

        Within a lane and partition, messages are taken by priority, then soonest first.  Each call begins with another
        partition.  Raises ``StoreUnavailable`` only when no partition answers: messages that some gave must be
        delivered.
        """
        self._turn = (self._turn + 1) % len(self.partitions)
        claims: list[Claim] = []
        wait_ms: float | None = None
        asked_ms, redis_ms, begun = 0.0, 0.0, self.monotonic()
        # ask=False: a claim does not try a node that hung, because the messages claimed so far would wait for it.
        rounds = Rounds(self.silence, ask=False)
        order = [(self._turn + i) % len(self.partitions) for i in range(len(self.partitions))]
        for partition in rounds.over(order):
            if not wanted.budgets and claims:
                break  # every budget is used up
            if len(claims) == limit:
                return Claimed(claims, 0.0, redis_ms, rounds.error, asked_ms)
            # A token is never used twice, not even by a server that restarts under the same name.
            token = f"{owner}.{self.new_id()}"
            asked = (self.monotonic() - begun) * 1000
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
                wait = int(wait_us) / 1000
                if wait >= 0 and (wait_ms is None or asked + wait < asked_ms + wait_ms):
                    asked_ms, wait_ms = asked, wait
        if not redis_ms:
            rounds.end()
        return Claimed(claims, wait_ms, redis_ms, rounds.error, asked_ms)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Report outcomes in bulk.  Return, for each, False where the lock was lost and nothing was changed.

        Raises ``ValueError`` for a retry without a delay: ``retry.after_failure`` decides that, and not the store.
        When it raises ``StoreUnavailable``, the outcomes of some partitions may be settled already.
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
            if reply == OUTBOX_FULL:
                raise StoreUnavailable("the outbox of the history is full, and History.WhenFull is wait")
            for position, done in zip(positions, reply, strict=True):
                results[position] = bool(done)
        return results

    def renew(self, claims: Sequence[Claim], lock_ms: int) -> list[Claim]:
        """Extend these locks by ``lock_ms`` from now; return the claims whose lock was lost.

        Raises ``StoreUnavailable`` when a partition does not answer, after the locks in the others were extended.
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

        ``not_after`` (ms) is called before each partition; a partition whose clock is later than the result reaps
        nothing and counts as away.  ``held``: partitions that are only asked whether they answer.  Raises
        ``StoreUnavailable`` when no partition answers.
        """
        total = Reaped(0, 0)
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
        scheduled, dead, overdue = self.run(
            "reap",
            partition,
            limit=limit,
            max_attempts=allowed,
            lost_limit=allowed if allowed > 0 else 5,
            not_after="" if not_after is None else not_after,
        )
        if scheduled < 0:
            raise StoreUnavailable("Redis answered late: locks may have expired while their owners could not renew")
        return Reaped(total.scheduled + scheduled, total.dead + dead, overdue=total.overdue or bool(overdue))

    def trim(self, which: Literal["done", "dead"], limits: Limits, limit: int) -> int:
        """Delete finished messages beyond the limits, oldest first, at most ``limit`` per partition; return how many.

        The limits are those of the whole service; each partition keeps an equal share.  Raises ``StoreUnavailable``
        when a partition does not answer, after the others were trimmed.
        """
        share = len(self.partitions)
        deleted = 0
        rounds = Rounds(self.silence)
        for partition in rounds.over(range(share)):
            with rounds.next(partition):
                deleted += self.call(
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
        return deleted
