"""Mutants of what runs in a scheduler process: store, dispatcher, workers, maintenance, start and stop."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_FLIGHT = "tests/store/test_conformance_flight.py"
_DISPATCHER = "tests/unit/delivery/test_dispatcher.py"
_WORKERS = "tests/unit/delivery/test_workers.py"
_EMBEDDED = "tests/integration/test_embedded.py"
_REPLICAS = "tests/integration/test_high_availability.py"

MUTANTS = (
    Mutant(
        "settle-first-partition",
        "scheduler/store/claiming.py",
        "groups.setdefault(outcome.claim.partition, [])",
        "groups.setdefault(0, [])",
        "outcomes are reported to the first partition",
        "with several partitions a delivered message keeps its lock, and is delivered again",
        (_FLIGHT,),
    ),
    Mutant(
        "wait-from-the-first-question",
        "scheduler/store/claiming.py",
        "(wait_ms is None or asked + wait < asked_ms + wait_ms)",
        "(wait_ms is None or wait < wait_ms)",
        "the wait of a partition that was asked late counts as if all had been asked together",
        "with several partitions a slow one makes the dispatcher wake after the moment of another one's message",
        ("tests/store/test_hanging_node.py::test_the_wait_counts_from_when_the_partition_of_that_message_was_asked",),
    ),
    Mutant(
        "claim-same-partition-first",
        "scheduler/store/claiming.py",
        "self._turn = (self._turn + 1)",
        "self._turn = self._turn",
        "the same partition is always asked first",
        "while it is busy, messages of the others wait without end",
        (_FLIGHT,),
    ),
    Mutant(
        "undo-forgets-key",
        "scheduler/store/accepting.py",
        'self.run("undo", partition, ids, key=key,',
        'self.run("undo", partition, ids, key="",',
        "a batch that is undone leaves its Idempotency-Key",
        "sent again, the batch is told that it is stored, and it is not",
        ("tests/store/test_spread_batches.py",),
    ),
    Mutant(
        "batch-without-key",
        "scheduler/store/accepting.py",
        "idempotency_key or _key_of(messages)",
        'idempotency_key or ""',
        "a batch over several partitions has no key of its own",
        "a reply is lost; sent again, the batch is told 409 by the part that has it, and the others are never stored",
        ("tests/store/test_spread_batches.py",),
    ),
    Mutant(
        "cancel-unconfirmed",
        "scheduler/store/changing.py",
        "id=id, replicated=True, **arguments",
        'id=id, replicated=verb != "cancel", **arguments',
        "a cancellation does not wait for replicas",
        "a message that was cancelled, and its sender told so, is delivered after a failover",
        ("tests/store/test_replicas.py",),
    ),
    Mutant(
        "success-before-stored",
        "scheduler/api/front/commit.py",
        "result.set_exception(error)",
        'result.set_result(Scheduled("", 0))',
        "a write that failed is answered like one that succeeded",
        "the client is told 201, and the message is not stored",
        ("tests/unit/api/test_front_commit.py",),
    ),
    Mutant(
        "replicas-not-counted",
        "scheduler/store/replicas.py",
        "if confirmed < self._replicas:",
        "if confirmed < 0:",
        "the replicas that confirmed a message are not counted",
        "a failover forgets messages that were accepted, although Redis.WaitReplicas is set",
        (f"{_REPLICAS}::test_without_replicas_nothing_is_accepted_when_they_are_asked_for",),
    ),
    Mutant(
        "command-sent-twice",
        "scheduler/redis_server/connections.py",
        '"retry": Retry(NoBackoff(), 0),',
        '"retry": Retry(NoBackoff(), 1),',
        "a command whose answer got lost is sent again by the client library",
        "a claim is carried out twice, and the messages of the first one wait for their locks to expire",
        ("tests/unit/redis_server/test_connect.py",),
    ),
    Mutant(
        "sleep-a-poll",
        "scheduler/delivery/dispatcher.py",
        "claimed.wait_ms / 1000 - since",
        "self._poll - since",
        "the dispatcher sleeps a whole poll and not until the next moment",
        "every message is late by up to a second",
        (f"{_DISPATCHER}::test_it_sleeps_exactly_until_the_next_moment",),
    ),
    Mutant(
        "wake-up-forgotten",
        "scheduler/process/waking.py",
        """            self._wake.clear()
            seconds = self._step()
""",
        """            seconds = self._step()
            self._wake.clear()
""",
        "the wake-up is cleared after the step and not before",
        "a message that is announced during a step is late by a poll",
        (f"{_DISPATCHER}::test_an_announcement_during_a_step_is_not_lost",),
    ),
    Mutant(
        "healthy-without-redis",
        "scheduler/delivery/dispatcher.py",
        "            return self._redis_away(error)\n",
        "            self._progress = self._clock.monotonic()\n            return self._redis_away(error)\n",
        "a step that failed counts as progress",
        "/health says that all is well while nothing is delivered",
        (f"{_DISPATCHER}::test_while_redis_is_away_health_sees_it_and_delivery_comes_back_by_itself",),
    ),
    Mutant(
        "claim-what-cannot-start",
        "scheduler/delivery/lanes.py",
        "min(2 * self._batch - self.held, 3 * self._batch",
        "min(2 * self._batch, 3 * self._batch",
        "what is held already is not taken off the room for more",
        "one server hoards messages that others could deliver now",
        (
            "tests/unit/delivery/test_lanes.py::test_quick_work_that_takes_long_is_claimed_only_for_the_room_that_is_left",
        ),
    ),
    Mutant(
        "settle-before-delivery",
        "scheduler/delivery/workers.py",
        "            channel.deliver(claims, report)",
        '            report([Outcome(claim, "ack") for claim in claims])\n            channel.deliver(claims, report)',
        "a message is settled first and delivered then",
        "a crash or a failure between the two loses it",
        (f"{_WORKERS}::test_a_channel_that_raises_is_a_failed_attempt_and_the_worker_lives_on",),
    ),
    Mutant(
        "in-flight-too-late",
        "scheduler/delivery/workers.py",
        """        self.in_flight.add(claims)
        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(claim.lane, []).append(claim)
        for lane, group in groups.items():
            channel = self._channels[group[0].channel]
            for part in self.lanes.slices(lane, group):
                future = self._pools[channel.slow].submit(self._run, channel, part)
                self._slices[future] = part
                future.add_done_callback(self._slice_done)
""",
        """        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(claim.lane, []).append(claim)
        for lane, group in groups.items():
            channel = self._channels[group[0].channel]
            for part in self.lanes.slices(lane, group):
                future = self._pools[channel.slow].submit(self._run, channel, part)
                self._slices[future] = part
                future.add_done_callback(self._slice_done)
        self.in_flight.add(claims)
""",
        "claims are noted as in flight after the workers have them, and not before",
        "what ends at once stays noted for ever: renewed in vain, and every stop takes the whole grace",
        (f"{_WORKERS}::test_what_ends_while_it_is_handed_over_is_in_flight_no_more",),
    ),
    Mutant(
        "reported-again",
        "scheduler/delivery/workers.py",
        "for c in claims if c.id not in reported]",
        "for c in claims]",
        "when a channel fails in the middle of a slice, all of the slice counts as failed",
        "the log and the figures show failures of messages that were delivered",
        (f"{_WORKERS}::test_what_was_reported_before_a_channel_raised_keeps_its_outcome",),
    ),
    Mutant(
        "never-dead",
        "scheduler/retry.py",
        "if policy.exhausted(attempt) and not cut_short:",
        "if policy.exhausted(0):",
        "the last attempt is never the last",
        "what cannot be delivered is tried for ever, and nobody sees it among the dead letters",
        (f"{_WORKERS}::test_backoff_grows_to_its_cap_and_the_last_attempt_leaves_a_dead_letter_with_evidence_of_all",),
    ),
    Mutant(
        "stop-gives-nothing-back",
        "scheduler/delivery/workers.py",
        "left = self.in_flight.all()",
        "left = self.in_flight.all()[:0]",
        "a stop does not give back what did not finish",
        "after a restart those messages wait until their locks expire",
        ("tests/unit/delivery/test_stopping.py::test_a_stop_returns_only_when_what_it_released_is_settled",),
    ),
    Mutant(
        "settle-once",
        "scheduler/delivery/settler.py",
        "if self._clock.wait(self._give_up, ",
        "if not self._clock.wait(self._give_up, ",
        "an outcome that Redis did not take is dropped before a second try",
        "every blip of Redis repeats deliveries",
        ("tests/unit/delivery/test_settler.py",),
    ),
    Mutant(
        "settle-stops-at-partition",
        "scheduler/delivery/settler.py",
        "                left += part\n                continue\n",
        "                left += part\n                break\n",
        "outcomes behind a partition that is away are forgotten",
        "messages of the partitions that answer are delivered twice",
        ("tests/unit/delivery/test_settler.py::test_a_partition_that_is_away_holds_up_no_other",),
    ),
    Mutant(
        "claims-thrown-away",
        "scheduler/store/claiming.py",
        "        if not redis_ms:\n            rounds.end()\n        return Claimed",
        "        rounds.end()\n        return Claimed",
        "what was claimed is thrown away when another partition does not answer",
        "one node of a cluster away, and no message is delivered",
        ("tests/store/test_unavailable.py::test_what_the_other_partitions_give_is_claimed_and_the_fault_is_told",),
    ),
    Mutant(
        "in-flight-any-token",
        "scheduler/delivery/in_flight.py",
        "if held is not None and held.token == claim.token:",
        "if held is not None:",
        "a stale claim takes the new one of the same message off the list of those in flight",
        "the new lock is not renewed any more, expires, and the message is delivered twice",
        ("tests/unit/delivery/test_in_flight.py",),
    ),
    Mutant(
        "renew-too-late",
        "scheduler/delivery/renewal.py",
        "return self._lock_seconds / 3",
        "return self._lock_seconds",
        "locks are renewed once in their life",
        "whatever takes longer than a lock's life is delivered twice",
        ("tests/unit/delivery/test_renewal.py",),
    ),
    Mutant(
        "reap-after-outage",
        "scheduler/delivery/reaping.py",
        "            self._hold(self._all, self._clock.monotonic())\n            raise",
        "            raise",
        "the reaper does not wait after an outage of Redis",
        "when Redis is back, messages are taken from owners that are alive",
        ("tests/unit/delivery/test_reaping.py",),
    ),
    Mutant(
        "hang-asked-again",
        "scheduler/store/base.py",
        "                self._hung.add(node)",
        "                pass",
        "a round waits for each partition of a node that hangs",
        "one node of a cluster hangs, and locks of all others expire meanwhile",
        ("tests/store/test_hanging_node.py",),
    ),
    Mutant(
        "retry-no-cap",
        "scheduler/retry.py",
        "min(self.cap, self.base * self.factor ** (attempt - 1))",
        "self.base * self.factor ** (attempt - 1)",
        "the backoff has no cap",
        "the twentieth attempt comes after six days and not after five minutes",
        ("tests/unit/domain/test_retry.py",),
    ),
    Mutant(
        "retry-no-jitter",
        "scheduler/retry.py",
        "round(uniform(0, backoff))",
        "round(uniform(backoff, backoff))",
        "retries are not spread",
        "whatever failed together hits a recovering endpoint together, each time",
        ("tests/unit/domain/test_retry.py",),
    ),
    Mutant(
        "maintenance-stops-first",
        "scheduler/delivery_process.py",
        "        self.workers.stop(self._grace)\n",
        "        self._renewal.stop()\n        self.workers.stop(self._grace)\n",
        "renewal stops before the workers have finished",
        "what runs during a stop loses its lock and is delivered twice",
        ("tests/unit/delivery/test_runtime.py::test_parts_stop_in_an_order_that_loses_nothing",),
    ),
    Mutant(
        "http-stops-last",
        "scheduler/service.py",
        "    if api:\n        api.stop()  #",
        "    runtime.stop()\n    if api:\n        api.stop()  #",
        "HTTP is stopped after delivery and Redis",
        "requests during a stop are answered 503 by a service that said it is there",
        ("tests/unit/process/test_service.py",),
    ),
    Mutant(
        "echo-before-print",
        "scheduler/channels/echo/channel.py",
        """        printed = self._write([f"{stamp} | {text}" for text in texts])
        took = self._now_ms() - begun
        outcomes = [
            Outcome(claim, "ack", took, lateness_ms(claim, begun), detail=text)
            for claim, text in zip(claims[:printed], texts, strict=False)
        ]
""",
        """        took = self._now_ms() - begun
        outcomes = [
            Outcome(claim, "ack", took, lateness_ms(claim, begun), detail=text)
            for claim, text in zip(claims, texts, strict=False)
        ]
        report(outcomes)
        printed = self._write([f"{stamp} | {text}" for text in texts])
        outcomes = []
""",
        "echo reports before it prints",
        "a message that could not be printed counts as delivered",
        ("tests/unit/channels/test_echo_channel.py",),
    ),
    Mutant(
        "disk-not-synced",
        "scheduler/redis_server/disk_sync.py",
        "os.fsync(descriptor)",
        "os.fstat(descriptor)",
        "the private Redis's file is not synced",
        "a power cut costs half a minute of accepted messages and not a second",
        ("tests/unit/redis_server/test_disk_sync.py",),
    ),
    Mutant(
        "disk-synced-too-soon",
        "scheduler/redis_server/disk_sync.py",
        """            finally:
                os.close(descriptor)
""",
        """            finally:
                os.close(descriptor)
            state = file.stat()
            seen = (state.st_size, state.st_mtime_ns)
""",
        "the state of the file is noted after the sync and not before",
        "what Redis wrote during a sync counts as synced: a power cut loses it",
        ("tests/unit/redis_server/test_disk_sync.py",),
    ),
    Mutant(
        "disk-sync-not-started",
        "scheduler/redis_server/private.py",
        "        self._disk_sync.start()\n",
        "",
        "the thread that syncs the private Redis's file is not started",
        "a power cut costs half a minute of accepted messages and not a second",
        (f"{_EMBEDDED}::test_while_it_runs_its_file_is_synced_to_disk",),
    ),
    Mutant(
        "embedded-everysec",
        "scheduler/redis_server/private.py",
        '"appendfsync": "no"',
        '"appendfsync": "everysec"',
        "the private Redis answers before it writes while a sync is under way",
        "killed in that moment it loses accepted messages (found by chaos)",
        (f"{_EMBEDDED}::test_it_serves_on_a_private_socket_and_keeps_an_append_only_file",),
    ),
    Mutant(
        "embedded-evicts",
        "scheduler/redis_server/private.py",
        '"maxmemory-policy": "noeviction"',
        '"maxmemory-policy": "allkeys-lru"',
        "the private Redis may evict keys",
        "when memory is short, accepted messages vanish",
        (f"{_EMBEDDED}::test_it_serves_on_a_private_socket_and_keeps_an_append_only_file",),
    ),
)
