"""Memory: what a pending message costs Redis."""

from __future__ import annotations

from bench.messages import BATCH, FAR_MS, clock, fill_far, text_of
from bench.service import folder, private_redis, wait_quiet
from bench.table import Figure, Row, check
from scheduler.store import MessageStore


def measure(quick: bool) -> Row:
    """Redis's used_memory with the messages minus without; then the least that could hold the same."""
    count = 5_000 if quick else 100_000
    with folder() as path, private_redis(path / "data") as store:
        empty = used_memory(store)
        fill_far(store, count)
        stored = sum(store.counts().scheduled.values())
        check(stored == count, f"{stored:,} of {count:,} messages are pending")
        whole = (used_memory(store) - empty) / count
        events = int(store.plain("MEMORY", "USAGE", store.partitions[0]["events"], "SAMPLES", 0)) / count
    with folder() as path, private_redis(path / "data") as store:
        empty = used_memory(store)
        _fill_bare(store, count)
        bare = (used_memory(store) - empty) / count
    each = whole - events
    return Row(
        f"{each:.0f} bytes",
        f"{bare:.0f} bytes",
        each / bare,
        "<= 320 bytes",
        each <= 320,
        f"used_memory per pending message of 50 bytes, {count:,} pending, without buffers and without the event "
        f"stream. That is bounded (7 MB, however many messages are pending) and held {events:.0f} bytes per message "
        f"here, {whole:.0f} in all. Baseline: one sorted set of ids by moment and one hash of id to payload.",
    )


def used_memory(store: MessageStore) -> int:
    """Bytes that Redis uses for its data."""
    wait_quiet(store.client)
    memory = store.client.info("memory")
    # The buffers of connections and of what is on its way to the disk are not the messages'.
    return int(memory["used_memory"] - memory["mem_clients_normal"] - memory["mem_aof_buffer"])


def _fill_bare(store: MessageStore, count: int) -> None:
    begin = clock.now_ms() + FAR_MS
    for start in range(0, count, BATCH):
        pipe = store.client.pipeline(transaction=False)
        for n in range(start, min(count, start + BATCH)):
            id = store.new_id()
            pipe.execute_command("ZADD", "bare:due", begin + n, id)  # type: ignore[no-untyped-call]
            pipe.execute_command("HSET", "bare:payload", id, f'"{text_of(n, begin + n)}"')  # type: ignore[no-untyped-call]
        pipe.execute()


FIGURES = (Figure("memory", measure),)
