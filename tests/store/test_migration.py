"""A store of an older layout is migrated when it is opened: what waits gets lanes, and flow keys become texts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import redis

from scheduler.errors import LayoutError
from scheduler.flow import Flow, FlowLimits, Rate
from scheduler.message import IdGenerator, Outcome, Priority
from scheduler.store import MessageStore, base
from scheduler.store.keys import LAYOUT, META
from scheduler.store.partitions import partition_of
from tests.support.store import NOW, Ticks, broken_rules, dump, message, store_on, take

KINDS: tuple[dict[str, str], ...] = (
    {},
    {"n": "webhook", "t": '{"url":"https://a.example/"}'},
    {"n": "job", "y": "resize"},
    {"n": "job", "y": "mail"},
)
LANES = ("echo", "webhook", "job:resize", "job:mail")
PRIORITIES = tuple(Priority)


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call moves a hundred and not a thousand: few messages need many calls."""
    monkeypatch.setattr(base, "SCAN", 100)


def write_layout_1(client: redis.Redis, partitions: int, count: int) -> dict[str, tuple[str, str, int]]:
    """So many messages as version 1.0 kept them; id → lane, priority and moment."""
    new_id = IdGenerator(lambda: NOW)
    written = {}
    pipe = client.pipeline(transaction=False)
    pipe.hset(META, mapping={"layout": "1", "partitions": partitions})
    for n in range(count):
        id, kind, priority, due_at = new_id(), n % len(KINDS), PRIORITIES[n % 3], NOW - n
        base = f"ms1:{{{partition_of(id, partitions)}}}:"
        fields = {"p": f'"{n}"', "c": str(NOW), **KINDS[kind]}
        if priority is not Priority.NORMAL:
            fields["q"] = priority.value
        pipe.hset(f"{base}msg:{id}", mapping=fields)  # type: ignore[arg-type]
        pipe.zadd(f"{base}due:{priority.value}", {id: due_at})
        written[id] = LANES[kind], priority.value, due_at
    pipe.execute()
    return written


def waiting(client: redis.Redis, partitions: int) -> dict[str, tuple[str, str, int]]:
    """What waits in lanes; id → lane, priority and moment."""
    found = {}
    for partition in range(partitions):
        assert broken_rules(client, partition) == []
        for name, ids in dump(client, partition).items():
            if name.startswith("due:"):
                lane, _, priority = name.removeprefix("due:").rpartition(":")
                found.update({id: (lane, priority, due_at) for id, due_at in ids.items()})
    return found


def old_sets(client: redis.Redis) -> list[str]:
    return [key for priority in PRIORITIES for key in client.scan_iter(f"ms1:{{*}}:due:{priority.value}", 10_000)]


@pytest.mark.usefixtures("short_calls")
def test_each_message_gets_into_its_lane_as_urgent_and_at_the_moment_that_it_had(
    client: redis.Redis, partitions: int
) -> None:
    written = write_layout_1(client, partitions, 360)
    opened = store_on(client, Ticks(), partitions=partitions)
    opened.open()
    assert waiting(client, partitions) == written
    assert old_sets(client) == []
    assert client.hget(META, "layout") == str(LAYOUT)
    assert {name: lane.scheduled for name, lane in opened.counts().lanes.items()} == Counter(
        lane for lane, _, _ in written.values()
    )
    claims = take(opened, 500, 1000, lanes=["job:mail"]).claims
    assert {claim.id for claim in claims} == {id for id, (lane, _, _) in written.items() if lane == "job:mail"}
    if partitions == 1:
        urgency = [PRIORITIES.index(claim.priority) for claim in claims]
        assert urgency == sorted(urgency), "the most urgent first"


@pytest.mark.usefixtures("short_calls")
def test_a_start_that_is_killed_half_way_is_made_up_for_by_the_next(
    client: redis.Redis, partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_layout_1(client, partitions, 360)
    dying = store_on(client, Ticks(), partitions=partitions)
    run, calls = dying.run, iter(range(2))

    def die_at_the_third(verb: str, *arguments: Any, **more: Any) -> Any:
        if verb == "migrate" and next(calls, None) is None:
            raise OSError("killed")
        return run(verb, *arguments, **more)

    monkeypatch.setattr(dying, "run", die_at_the_third)
    with pytest.raises(OSError, match="killed"):
        dying.open()
    assert client.hget(META, "layout") == "1"
    assert 0 < len(waiting_or_not(client, partitions)) < 360
    store_on(client, Ticks(), partitions=partitions).open()
    assert waiting(client, partitions) == written
    assert (old_sets(client), client.hget(META, "layout")) == ([], str(LAYOUT))


def waiting_or_not(client: redis.Redis, partitions: int) -> set[str]:
    """Ids that have a lane already."""
    return {
        id
        for partition in range(partitions)
        for name, ids in dump(client, partition).items()
        if name.startswith("due:") and name.count(":") > 1
        for id in ids
    }


def test_a_script_that_redis_killed_between_two_writes_leaves_no_message_twice(
    client: redis.Redis, ticks: Ticks
) -> None:
    written = write_layout_1(client, 1, 8)
    (id, (lane, priority, due_at)), *_ = written.items()
    client.zadd(f"ms1:{{0}}:due:{lane}:{priority}", {id: due_at})
    store_on(client, ticks).open()
    assert waiting(client, 1) == written


def test_what_an_older_server_accepts_meanwhile_is_moved_by_the_next_start(client: redis.Redis, ticks: Ticks) -> None:
    store_on(client, ticks).open()
    written = write_layout_1(client, 1, 4)
    client.hset(META, "layout", LAYOUT)
    store_on(client, ticks).open()
    assert waiting(client, 1) == written


def test_what_is_in_flight_comes_back_into_its_lane(client: redis.Redis, ticks: Ticks) -> None:
    client.hset(META, mapping={"layout": "1", "partitions": 1})
    claimed = {
        "p": "1",
        "c": "1",
        "n": "job",
        "y": "mail",
        "s": "processing",
        "k": "t",
        "d": str(NOW),
        "a": "1",
        "g": "1",
    }
    client.hset("ms1:{0}:msg:a", mapping=claimed)  # type: ignore[arg-type]
    client.zadd("ms1:{0}:locks", {"a": NOW - 1})
    opened = store_on(client, ticks)
    opened.open()
    assert opened.reap(10).scheduled == 1
    assert waiting(client, 1)["a"][0] == "job:mail"


def test_with_another_number_of_partitions_nothing_is_moved(client: redis.Redis, ticks: Ticks) -> None:
    write_layout_1(client, 3, 12)
    before = sorted(old_sets(client))
    with pytest.raises(LayoutError, match="partitions 3, this server has 2"):
        store_on(client, ticks, partitions=2).open()
    assert sorted(old_sets(client)) == before
    assert client.hget(META, "layout") == "1"


@pytest.mark.parametrize("layout", ["0", "4", "x"])
def test_a_layout_that_is_not_known_is_refused_and_left_alone(client: redis.Redis, ticks: Ticks, layout: str) -> None:
    write_layout_1(client, 1, 4)
    client.hset(META, "layout", layout)
    before = dump(client)
    with pytest.raises(LayoutError, match=rf"layout {layout}, this server has {LAYOUT}\. Use the version"):
        store_on(client, ticks).open()
    assert dump(client) == before


def write_flow_keys_of_layout_2(client: redis.Redis, opened: MessageStore) -> None:
    """Write each flow key of a store as layout 2 kept it: a hash, from which fields with a default are left out."""
    fields = ("n", "u", "b", "e", "s", "", "z", "m", "d", "x", "q")
    for keys in opened.partitions:
        names: Any = client.zrange(f"{keys['flow']}keys", 0, -1)
        for key in names:
            name = f"{keys['flow']}key:{key}"
            text: Any = client.get(name)
            words = zip(fields, text.split(" ", len(fields) - 1), strict=True)
            known: Any = {
                field: word for field, word in words if field == "s" or (field and word not in ("0", ",,", ""))
            }
            client.delete(name)
            client.hset(name, mapping={**known, "c": "1", "o": ""})
    client.hset(META, "layout", "2")


def test_flow_keys_of_layout_2_keep_what_waits_their_limits_their_windows_and_their_order(
    client: redis.Redis, partitions: int, ticks: Ticks
) -> None:
    opened = store_on(client, ticks, partitions=partitions)
    opened.open()
    one, limited = FlowLimits(ordered=True), FlowLimits(rate=Rate(2, 1000))
    for n in range(3):
        opened.schedule([message(f"a{n}", flow=Flow("alone", one)), message(f"b{n}", flow=Flow("rated", limited))])
    opened.pause_flow("paused")
    opened.pin_flow("rated", FlowLimits(concurrency=5))
    assert 0 < len(take(opened, 10, 1000).claims) < 6
    before = [dump(client, partition) for partition in range(partitions)]
    write_flow_keys_of_layout_2(client, opened)
    assert [dump(client, partition) for partition in range(partitions)] != before
    opened = store_on(client, ticks, partitions=partitions)
    opened.open()
    assert [dump(client, partition) for partition in range(partitions)] == before
    assert client.hget(META, "layout") == str(LAYOUT)
    assert [broken_rules(client, partition) for partition in range(partitions)] == [[]] * partitions


def test_messages_that_layout_2_numbered_are_delivered_in_their_order(client: redis.Redis, ticks: Ticks) -> None:
    opened = store_on(client, ticks)
    opened.open()
    ids = ["b", "a", "d", "c"]
    flow = Flow("alone", FlowLimits(ordered=True))
    for number, id in enumerate(ids[:3], 1):
        opened.schedule([message(id, flow=flow)])
        # The digits begin with "-", "0", "1": this is the number of the message in its queue.
        client.hset(f"ms1:{{0}}:msg:{id}", "F", f"----{number - 1}alone")
    write_flow_keys_of_layout_2(client, opened)
    opened = store_on(client, ticks)
    opened.open()
    opened.schedule([message(ids[3], flow=flow)])
    assert {found.flow_key for found in opened.page(flow_key="alone").messages} == {"alone"}
    delivered = []
    while claims := take(opened, 10, 1000).claims:
        assert opened.settle([Outcome(claim, "ack") for claim in claims]) == [True]
        delivered += [claim.id for claim in claims]
    assert delivered == ids
    assert list(client.scan_iter("*flow*")) == []
