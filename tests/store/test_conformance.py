"""What every verb promises, on every backend and with one partition or several: accepting, changing, reading."""

from __future__ import annotations

import pytest
import redis

from scheduler.errors import Conflict, InvalidInput, LayoutError, NotFound
from scheduler.message import FromNow, Message, NewMessage, Outcome, OutcomeKind, Priority, Status
from scheduler.retry import RetryPolicy
from scheduler.store import Changes, Limits, MessageStore
from scheduler.store.keys import LAYOUT, META, WAKE
from tests.support.store import NOW, Ticks, message, outcomes, store_on, take

MANY = [f"id{n:02}" for n in range(20)]
"""Ids in every one of three partitions."""


def ids(messages: list[Message]) -> list[str]:
    return [m.id for m in messages]


def walk(store: MessageStore, limit: int, **filters: object) -> list[str]:
    """A whole list, page by page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = store.page(limit=limit, cursor=cursor, **filters)  # type: ignore[arg-type]
        assert len(page.messages) <= limit
        found += ids(page.messages)
        assert len(set(found)) == len(found), "a message twice"
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


def dead(store: MessageStore, *names: str) -> None:
    """These messages, given up."""
    store.schedule([message(name, 1) for name in names])
    store.settle(outcomes(take(store, len(names), 1000), "dead", error="boom"))


# ------------------------------------------------------------------------------------------------------------- layout


def test_the_layout_is_written_once_and_opening_again_is_fine(store: MessageStore, partitions: int) -> None:
    assert store.client.hgetall(META) == {"layout": str(LAYOUT), "partitions": str(partitions)}
    store.open()


def test_another_number_of_partitions_is_refused_with_the_way_out(store: MessageStore, partitions: int) -> None:
    with pytest.raises(LayoutError, match=rf"partitions {partitions}, this server has 2\. Set Redis\.Partitions to"):
        store_on(store.client, partitions=2).open()
    assert store.client.hget(META, "partitions") == str(partitions)


def test_another_layout_is_refused_with_the_way_out(store: MessageStore) -> None:
    store.client.hset(META, "layout", "0")
    with pytest.raises(LayoutError, match=rf"layout 0, this server has {LAYOUT}\. Use the version of the service"):
        store.open()


# ---------------------------------------------------------------------------------------------------------- accepting


def test_what_was_accepted_is_there_whole(store: MessageStore) -> None:
    new = NewMessage(
        id="a", payload='{"é":[1,"\\n"]}', due_at=NOW + 5, channel="webhook", priority=Priority.LOW, target="T",
        type="y", owner="w", retry=RetryPolicy(3, 1.0, 2.0, 9.0, False),
    )  # fmt: skip
    assert store.schedule([new]) == [("a", NOW + 5, NOW)]
    assert store.get("a") == Message(
        id="a", status=Status.SCHEDULED, channel="webhook", payload='{"é":[1,"\\n"]}', due_at=NOW + 5,
        priority=Priority.LOW, attempt=0, created_at=NOW, updated_at=NOW, target="T", type="y", owner="w",
        retry=RetryPolicy(3, 1.0, 2.0, 9.0, False), attempts=[],
    )  # fmt: skip


def test_a_batch_is_answered_in_its_own_order(store: MessageStore) -> None:
    batch = [message(id, NOW + n) for n, id in enumerate(reversed(MANY))]
    assert store.schedule(batch) == [(m.id, m.due_at, NOW) for m in batch]
    stored = store.schedule([message("x", FromNow(0)), message("y", FromNow(700))])
    assert stored == [("x", NOW, NOW), ("y", NOW + 700, NOW)]
    assert store.get("y").due_at == NOW + 700
    assert store.schedule([]) == []


@pytest.mark.parametrize("key", [None, "K"])
def test_a_batch_with_an_id_that_exists_is_undone_whole(store: MessageStore, key: str | None) -> None:
    store.schedule([message(MANY[-1])])
    for batch in (MANY, MANY[::-1]):
        with pytest.raises(Conflict, match=f"A message with the id '{MANY[-1]}' exists"):
            store.schedule([message(id) for id in batch], idempotency_key=key, fingerprint="f")
        assert ids(store.page().messages) == [MANY[-1]]
    # And the key is as free as the ids: a repeated request must not be told that they are stored.
    store.cancel(MANY[-1])
    store.client.delete(store.partitions[store.partition_of(MANY[-1])]["msg"] + MANY[-1])
    for partition in store.partitions:
        store.client.delete(partition["done"], partition["meta"])
    assert len(store.schedule([message(id) for id in MANY], idempotency_key=key, fingerprint="f")) == len(MANY)
    assert store.counts().scheduled[Priority.NORMAL] == len(MANY)


def test_a_fresh_one_is_stored_once(store: MessageStore) -> None:
    (id,) = store.new_ids(1)
    assert store.schedule([message(id, FromNow(0))]) == [(id, NOW, NOW)]
    with pytest.raises(Conflict):
        store.schedule([message(id, FromNow(0))])
    assert ids(store.page().messages) == [id]


def test_a_batch_with_an_id_twice_is_refused_whole(store: MessageStore) -> None:
    with pytest.raises(Conflict, match=f"'{MANY[0]}'"):
        store.schedule([message(id) for id in (*MANY, MANY[0])])
    assert store.page().messages == []


def test_the_same_key_again_answers_what_was_stored_then(store: MessageStore, ticks: Ticks) -> None:
    first = store.schedule(
        [message(id, FromNow(0)) for id in store.idempotent_ids("K", 3)], idempotency_key="K", fingerprint="f"
    )
    ticks.now += 500
    again = [message(id, FromNow(0)) for id in store.idempotent_ids("K", 3)]
    assert store.schedule(again, idempotency_key="K", fingerprint="f") == [
        one._replace(created_at=None) for one in first
    ]
    assert len(store.page().messages) == 3


def test_own_ids_of_several_partitions_are_replayed_too(store: MessageStore) -> None:
    batch = [message(id) for id in MANY]
    first = store.schedule(batch, idempotency_key="K", fingerprint="f")
    assert store.schedule(batch, idempotency_key="K", fingerprint="f") == [
        one._replace(created_at=None) for one in first
    ]
    assert store.counts().scheduled[Priority.NORMAL] == len(MANY)


def test_a_key_outlives_its_message(store: MessageStore, ticks: Ticks) -> None:
    """docs/api.md says so: who deletes a message and repeats its request is told what was stored then."""
    first = store.schedule([message("a")], idempotency_key="K", fingerprint="f")
    store.cancel("a")
    ticks.now += 1
    assert store.trim("done", Limits(0, 0, 0), 10) == 1
    again = store.schedule([message("a")], idempotency_key="K", fingerprint="f")
    assert [(s.id, s.due_at) for s in again] == [(s.id, s.due_at) for s in first]
    assert sum(store.counts().scheduled.values()) == 0


def test_the_same_key_with_another_body_is_a_conflict(store: MessageStore) -> None:
    (id,) = store.idempotent_ids("K", 1)
    store.schedule([message(id)], idempotency_key="K", fingerprint="f")
    (other,) = store.idempotent_ids("K", 1)
    with pytest.raises(Conflict, match="Idempotency-Key was used with another request body"):
        store.schedule([message(other)], idempotency_key="K", fingerprint="g")
    with pytest.raises(NotFound):
        store.get(other)


def test_new_ids_share_a_partition_and_none_is_given_twice(store: MessageStore) -> None:
    fresh = store.new_ids(50)
    assert len(set(fresh)) == 50
    assert len({store.partition_of(id) for id in fresh}) == 1
    assert {store.partition_of(id) for id in store.idempotent_ids("K", 20)} == {store.partition_of("K")}


# ----------------------------------------------------------------------------------------------------------- changing


def test_update_changes_what_it_is_given_and_nothing_else(store: MessageStore, ticks: Ticks) -> None:
    store.schedule([message("a", NOW + 50, target="T")])
    before = store.get("a")
    ticks.now += 10
    assert store.update("a", Changes(due_at=NOW + 70, priority=Priority.HIGH)) == store.get("a")
    before.due_at, before.priority, before.updated_at = NOW + 70, Priority.HIGH, NOW + 10
    assert store.get("a") == before
    store.update("a", Changes(due_at=FromNow(0), payload="2", target="U", retry=RetryPolicy(max_attempts=1)))
    after = store.get("a")
    assert (after.due_at, after.payload, after.target, after.priority) == (NOW + 10, "2", "U", Priority.HIGH)
    assert after.retry == RetryPolicy(max_attempts=1)


def test_cancel(store: MessageStore, ticks: Ticks) -> None:
    store.schedule([message("a", NOW + 50)])
    ticks.now += 10
    cancelled = store.cancel("a")
    assert cancelled == store.get("a")
    assert (cancelled.status, cancelled.due_at, cancelled.finished_at) == (Status.CANCELLED, NOW + 50, NOW + 10)


def test_redrive(store: MessageStore, ticks: Ticks) -> None:
    dead(store, "a")
    ticks.now += 10
    again = store.redrive("a")
    assert again == store.get("a")
    assert (again.status, again.due_at, again.attempt, again.finished_at) == (Status.SCHEDULED, NOW + 10, 0, None)
    assert again.last_error == "boom"
    assert [a["outcome"] for a in again.attempts or []] == ["failed"]


@pytest.mark.parametrize("verb", ["get", "cancel", "redrive", "update"])
def test_an_unknown_id_is_not_found(store: MessageStore, verb: str) -> None:
    extra = [Changes()] if verb == "update" else []
    with pytest.raises(NotFound, match="There is no message 'nobody'"):
        getattr(store, verb)("nobody", *extra)


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        (verb, state)
        for verb in ("cancel", "update", "redrive")
        for state in ("scheduled", "processing", "delivered", "dead", "cancelled")
        if (verb == "redrive") != (state == "dead") and (verb == "redrive" or state != "scheduled")
    ],
)
def test_a_message_elsewhere_is_a_conflict_and_stays_as_it_is(store: MessageStore, verb: str, state: str) -> None:
    store.schedule([message("a")])
    if state == "cancelled":
        store.cancel("a")
    elif state != "scheduled":
        claimed = take(store, 1, 1000)
        if state != "processing":
            store.settle(outcomes(claimed, "ack" if state == "delivered" else "dead"))
    before = store.get("a")
    assert before.status == state
    wanted = "dead" if verb == "redrive" else "scheduled"
    with pytest.raises(Conflict, match=f"Message 'a' is {state}; only a message that is {wanted}"):
        getattr(store, verb)("a", *([Changes(due_at=1)] if verb == "update" else []))
    assert store.get("a") == before


def test_cancel_matching_takes_every_twin_and_nothing_else(store: MessageStore) -> None:
    twins = [f"t{n}" for n in range(6)]
    store.schedule([message(id, payload='"x"', priority=list(Priority)[n % 3]) for n, id in enumerate(twins)])
    store.schedule(
        [
            message("moment", NOW + 1, payload='"x"'), message("payload", payload='"X"'),
            message("channel", payload='"x"', channel="webhook"),
        ]
    )  # fmt: skip
    assert sorted(store.cancel_matching(NOW, '"x"')) == twins
    assert store.cancel_matching(NOW, '"x"') == []
    assert store.cancel_matching(NOW, '"x"', lane="webhook") == ["channel"]
    assert sorted(ids(store.page(status=Status.SCHEDULED).messages)) == ["moment", "payload"]


@pytest.fixture
def short_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """One script call looks at ten members: what goes on over several calls shows with few messages."""
    monkeypatch.setattr("scheduler.store.changing.SCAN", 10)


@pytest.mark.usefixtures("short_scan")
def test_purge_removes_the_typed_messages_of_a_channel_wherever_they_are(store: MessageStore) -> None:
    tasks = [message(f"t{n:02}", NOW + n % 3, channel="webhook", type=f"of {n % 2}") for n in range(40)]
    others = [message(f"m{n:02}", NOW + n % 3, channel="webhook") for n in range(40)]
    others += [message(f"j{n:02}", NOW + n % 3, channel="job", type="x") for n in range(20)]
    tasks[::4] = [task._replace(priority=Priority.HIGH) for task in tasks[::4]]
    store.schedule([*tasks, *others])
    assert sorted(walk(store, 7, channel="webhook", typed=True)) == sorted(task.id for task in tasks)
    assert store.purge_typed("webhook") == 40
    assert store.purge_typed("webhook") == 0
    assert sorted(walk(store, 100)) == sorted(other.id for other in others)
    with pytest.raises(NotFound):
        store.get("t00")


@pytest.mark.usefixtures("short_scan")
def test_cancel_matching_looks_past_what_one_call_sees(store: MessageStore) -> None:
    crowd = [message(f"m{n:02}") for n in range(95)]
    store.schedule([*crowd, message("z1", payload='"x"'), message("0", payload='"x"')])
    assert sorted(store.cancel_matching(NOW, '"x"')) == ["0", "z1"]


def test_redrive_many(store: MessageStore) -> None:
    dead(store, *MANY)
    assert store.redrive_many(limit=7, dry_run=True) == 7
    assert store.counts().dead == 20
    assert store.redrive_many(limit=7) == 7
    assert (store.counts().dead, store.counts().due) == (13, 7)
    assert store.redrive_many(limit=0) == 0
    assert store.redrive_many(limit=100) == 13
    assert store.redrive_many(limit=100) == 0


@pytest.mark.usefixtures("short_scan")
def test_redrive_many_by_channel_looks_past_what_one_call_sees(store: MessageStore) -> None:
    store.schedule([message(f"m{n:03}", channel="webhook" if n % 40 == 39 else "echo") for n in range(160)])
    store.settle(outcomes(take(store, 160, 1000), "dead"))
    assert store.redrive_many(limit=100, channel="webhook", dry_run=True) == 4
    assert store.redrive_many(limit=3, channel="webhook") == 3
    assert store.redrive_many(limit=100, channel="webhook") == 1
    assert store.redrive_many(limit=100, channel="job") == 0
    assert store.counts().dead == 156
    assert store.redrive_many(limit=10_000) == 156


def test_pause_stops_claiming_and_resume_wakes_everybody(store: MessageStore, partitions: int) -> None:
    store.pause()
    store.schedule([message(id) for id in MANY])
    claimed = take(store, 100, 1000)
    assert (claimed.claims, claimed.wait_ms) == ([], None)
    assert store.counts().paused
    subscription = store.client.pubsub()  # type: ignore[no-untyped-call]
    subscription.subscribe(WAKE)
    subscription.get_message(timeout=5)
    store.resume()
    woken = [subscription.get_message(timeout=5)["data"] for _ in range(partitions)]
    subscription.close()
    assert woken == [f"{partition} 0 plan" for partition in range(partitions)]
    assert not store.counts().paused
    assert len(take(store, 100, 1000).claims) == 20


def test_one_paused_partition_is_a_pause(store: MessageStore) -> None:
    store.client.hset(store.partitions[0]["meta"], "paused", "1")
    assert store.counts().paused


# ------------------------------------------------------------------------------------------------------------ reading


def test_scheduled_come_soonest_first_over_all_priorities_and_partitions(store: MessageStore) -> None:
    moments = {id: NOW + (n * 7) % 20 for n, id in enumerate(MANY)}
    store.schedule([message(id, due, priority=list(Priority)[due % 3]) for id, due in moments.items()])
    expected = sorted(MANY, key=lambda id: moments[id])
    for limit in (1, 3, 50):
        assert walk(store, limit, status=Status.SCHEDULED) == expected
    assert walk(store, 3, since=NOW + 4, until=NOW + 9) == expected[4:10]
    high = [id for id in expected if moments[id] % 3 == list(Priority).index(Priority.HIGH)]
    assert walk(store, 2, status=Status.SCHEDULED, priority=Priority.HIGH) == high


@pytest.mark.parametrize("kind", [None, "ack", "dead"])
def test_a_priority_is_a_filter_wherever_the_messages_are(store: MessageStore, kind: OutcomeKind | None) -> None:
    store.schedule([message(id, priority=list(Priority)[n % 3]) for n, id in enumerate(MANY[:9])])
    claims = take(store, 100, 1000).claims
    if kind is not None:
        store.settle([Outcome(claim, kind, error="x") for claim in claims])
    status = {None: Status.PROCESSING, "ack": Status.DELIVERED, "dead": Status.DEAD}[kind]
    for priority in Priority:
        wanted = {id for n, id in enumerate(MANY[:9]) if list(Priority)[n % 3] is priority}
        assert set(walk(store, 2, status=status, priority=priority)) == wanted
        assert set(walk(store, 2, priority=priority)) == wanted


def test_the_others_come_newest_first_and_without_a_status_all_in_their_order(
    store: MessageStore, ticks: Ticks
) -> None:
    for n, id in enumerate(MANY[:8]):
        ticks.now = NOW + n
        store.schedule([message(id, ticks.now)])
        claimed = take(store, 1, 1000)
        if n < 6:
            store.settle(outcomes(claimed, "ack" if n % 2 else "dead"))
    store.schedule([message("later", NOW + 99), message("never", NOW + 999)])
    store.cancel("never")
    processing, dead_letters, delivered = MANY[6:8], [MANY[4], MANY[2], MANY[0]], [MANY[5], MANY[3], MANY[1]]
    assert walk(store, 2, status=Status.PROCESSING) == processing
    assert walk(store, 2, status=Status.DEAD) == dead_letters
    assert walk(store, 2, status=Status.DELIVERED) == delivered
    assert walk(store, 2, status=Status.CANCELLED) == ["never"]
    for limit in (1, 2, 3, 50):
        assert walk(store, limit) == [*processing, "later", *dead_letters, "never", *delivered]


def test_filters(store: MessageStore) -> None:
    store.schedule([message("a", type="mail", owner="ann"), message("b", channel="webhook", owner="ann")])
    assert walk(store, 5, channel="echo") == ["a"]
    assert walk(store, 5, channel="webhook") == ["b"]
    assert walk(store, 5, type="mail") == ["a"]
    assert walk(store, 5, owner="ann") == ["a", "b"]
    assert walk(store, 5, owner="bob") == []


def test_a_cursor_holds_while_messages_come_move_and_go(store: MessageStore) -> None:
    store.schedule([message(id, NOW + n) for n, id in enumerate(MANY)])
    page = store.page(limit=5)
    last = page.messages[-1].id
    store.cancel(last)
    store.cancel(MANY[0])
    store.schedule([message("new", NOW)])
    store.update(MANY[19], Changes(due_at=NOW))
    rest = store.page(limit=50, cursor=page.next_cursor, status=Status.SCHEDULED)
    assert ids(rest.messages) == MANY[5:19]


@pytest.mark.parametrize("cursor", ["?", "zzz", "OSA"])
def test_a_cursor_that_is_none_is_bad_input(store: MessageStore, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="next_cursor"):
        store.page(cursor=cursor)


def test_counts_of_nothing_and_of_everything(store: MessageStore, ticks: Ticks) -> None:
    counts = store.counts()
    assert (counts.oldest_due_at, counts.next_due_at, counts.redis_ms) == (None, None, NOW)
    dead(store, "d0", "d1")
    store.schedule([message("x")])
    take(store, 1, 1000)
    store.schedule([message("c")])
    store.cancel("c")
    store.schedule([message(id, NOW - 9 + n, priority=list(Priority)[n % 2]) for n, id in enumerate(MANY)])
    counts = store.counts()
    assert counts.scheduled == {Priority.HIGH: 10, Priority.NORMAL: 10, Priority.LOW: 0}
    assert (counts.due, counts.processing, counts.dead, counts.finished) == (10, 1, 2, 1)
    assert counts.finished_bytes == 150 + len('"c"')
    assert (counts.oldest_due_at, counts.next_due_at) == (NOW, NOW + 1), "due before they were accepted"
    ticks.now += 1
    assert (store.counts().due, store.counts().next_due_at) == (11, NOW + 2)


def test_two_servers_on_one_redis_see_the_same(client: redis.Redis, store: MessageStore, partitions: int) -> None:
    other = store_on(client, Ticks(NOW + 5), partitions=partitions)
    other.open()
    store.schedule([message("a", NOW + 5)])
    assert other.get("a") == store.get("a")
    assert take(store, 1, 1000).claims == []
    assert ids_of(other) == ["a"]


def ids_of(store: MessageStore) -> list[str]:
    return [claim.id for claim in take(store, 10, 1000).claims]


@pytest.mark.usefixtures("short_scan")
def test_what_waits_in_one_lane_is_moved_into_another(store: MessageStore, partitions: int) -> None:
    ids = [f"{n}" for n in range(110 * partitions)]
    priorities = list(Priority)
    store.schedule(
        [message(id, NOW + int(id), channel="job", type="old", priority=priorities[int(id) % 3]) for id in ids]
    )
    assert store.adopt("job:old", "job:any") == len(ids)
    assert {name: lane.scheduled for name, lane in store.counts().lanes.items()} == {"job:any": len(ids)}
    assert store.adopt("job:old", "job:any") == 0
    assert store.get("7").due_at == NOW + 7
