"""Sentinel and Cluster: a primary dies under load, and delivery goes on by itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from scheduler.api.runtime import ApiRuntime
from scheduler.clock import SystemClock
from scheduler.config.reading import Settings
from scheduler.errors import Conflict, NotFound, ServiceError, StartError, StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.message import NOW, NewMessage, Priority, Status
from scheduler.redis_server.connections import check_server, connect
from scheduler.redis_server.sentinels import watches_of
from scheduler.store import MessageStore, store_for
from scheduler.store.keys import SERVERS
from tests.support.running import SHORT_LOCK, Counting, Running, with_settings
from tests.support.topologies import Cluster, Sentinels
from tests.support.waiting import wait_for


def settings(url: str, **redis: Any) -> dict[str, dict[str, Any]]:
    short = with_settings(lock_seconds=SHORT_LOCK)
    return {**short, "redis": {"connection_string": url, "socket_timeout_seconds": SHORT_LOCK, **redis}}


def store_at(url: str, **redis: Any) -> MessageStore:
    """A second process's view: the one that accepts."""
    made = Settings.model_validate({"redis": settings(url, **redis)["redis"]})
    store = store_for(made, connect(url, socket_timeout=2), SystemClock())
    store.open()
    return store


def accept(store: MessageStore, count: int) -> list[str]:
    """The ids that were accepted; who is told 503 tries again, under the same id."""
    accepted = []
    for n in range(count):
        (id,) = store.new_ids(1)
        message = NewMessage(id=id, payload=f'"{n}"', due_at=NOW)

        def stored(message: NewMessage = message) -> bool:
            try:
                store.schedule([message])
            except StoreUnavailable:
                return False
            except Conflict:
                return True  # the try before was stored, and its answer lost
            return True

        wait_for("the message is accepted", stored, 30)
        accepted.append(id)
    return accepted


class Producer:
    """A thread that goes on accepting messages, whatever happens to Redis, until the test has seen enough."""

    def __init__(self, store: MessageStore) -> None:
        self.accepted: list[str] = []
        self._store = store
        self._enough = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._work = self._pool.submit(self._run)

    def _run(self) -> None:
        while not self._enough.is_set():
            self.accepted += accept(self._store, 1)

    def wait_for(self, more: int) -> None:
        """So many messages more than now are accepted."""
        wanted = len(self.accepted) + more
        wait_for(f"{wanted} messages are accepted", lambda: len(self.accepted) >= wanted, 40)

    def stop(self) -> list[str]:
        """The ids of all that were accepted."""
        self._enough.set()
        self._work.result(40)
        self._pool.shutdown()
        return self.accepted


def test_sentinels_with_a_password_of_their_own(short_tmp: Path) -> None:
    """The password of the address was given to Redis only: such sentinels could not be used."""
    with Sentinels(short_tmp) as redis:
        for sentinel in redis.sentinels:
            with sentinel.client() as admin:
                admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">s3cret")
        for wrong in ("", "?sentinel_password=wr0ng"):
            with connect(redis.url + wrong) as client, pytest.raises(StartError) as refused:
                check_server(client)
            assert "?sentinel_password=" in str(refused.value)
            assert "wr0ng" not in str(refused.value)
        with connect(f"{redis.url}?sentinel_username=default&sentinel_password=s3cret") as client:
            assert check_server(client).product == "Valkey"
            (watch,) = watches_of(client)
            watch.tick()


def test_a_failover_under_load_heals_by_itself(short_tmp: Path) -> None:
    with Sentinels(short_tmp) as redis:
        said = Counting()
        with Running(redis.url, logger=said, settings=settings(redis.url)):
            store = store_at(redis.url)
            producer = Producer(store)
            producer.wait_for(100)
            before = redis.current()
            redis.primary.kill()
            wait_for("the sentinels chose the replica", lambda: redis.current() != before, 30)
            producer.wait_for(100)
            ids = producer.stop()
            wait_for("what the new primary has is delivered", lambda: not store.counts().due, 30)
            wait_for("and settled", lambda: not store.counts().processing, 30)
            kept = {id for id in ids if known(store, id)}
            store.close()
        assert kept <= set(said.acks) <= set(ids)
        # Asynchronous replication: only what was accepted in the last moment before the kill may be missing.
        assert len(ids) - len(kept) <= 60


def known(store: MessageStore, id: str) -> bool:
    try:
        store.get(id)
    except NotFound:
        return False
    return True


def test_what_asynchronous_replication_loses_is_not_accepted_with_wait_replicas(short_tmp: Path) -> None:
    with Sentinels(short_tmp) as redis:
        plain, careful = store_at(redis.url), store_at(redis.url, wait_replicas=1)
        new = [NewMessage(id=id, payload="1", due_at=4_000_000_000_000) for id in plain.new_ids(3)]
        careful.schedule([new[0]])
        # Cut off: frozen, it cannot connect again, and nothing waits for it in a socket's buffer.
        redis.replica.freeze()
        with redis.primary.client() as primary:
            primary.execute_command("CLIENT", "KILL", "TYPE", "replica")
        plain.schedule([new[1]])  # accepted, and only the primary has it
        with pytest.raises(StoreUnavailable, match=r"Redis\.WaitReplicas"):
            careful.schedule([new[2]])
        before = redis.current()
        redis.primary.kill()
        redis.replica.thaw()
        wait_for("the sentinels chose the replica", lambda: redis.current() != before, 30)
        store = wait_for("the new primary answers", lambda: reopened(redis.url, 1), 30)
        assert [known(store, message.id) for message in new] == [True, False, False]
        for one in (plain, careful, store):
            one.close()


def test_without_replicas_nothing_is_accepted_when_they_are_asked_for(short_tmp: Path) -> None:
    with Sentinels(short_tmp) as redis:
        store = store_at(redis.url, wait_replicas=1)
        redis.replica.kill()
        (id,) = store.new_ids(1)
        with pytest.raises(StoreUnavailable, match=r"0 of 1 replicas .*Redis\.WaitReplicas"):
            store.schedule([NewMessage(id=id, payload="1", due_at=NOW)])
        store.close()


def test_a_failover_is_followed_at_once_where_the_old_primary_refuses_to_write(short_tmp: Path) -> None:
    """The sentinels leave an old primary that is well as it is, with its connections, for ten seconds."""
    with Sentinels(short_tmp, "--min-replicas-to-write", "1", replicas=2) as redis:
        store = store_at(redis.url, wait_replicas=1)
        accept(store, 1)
        old = redis.current()
        redis.fail_over()
        wait_for("the sentinels chose a replica", lambda: redis.promoted(old), 30)
        accept(store, 1)
        with redis.node(old).client() as client:
            assert client.info("replication")["role"] == "master"
        store.close()


def test_an_orderly_failover_is_followed_before_the_old_primary_is_told(short_tmp: Path) -> None:
    """What it accepts until then, ten seconds, is thrown away."""
    with Sentinels(short_tmp) as redis:
        store = store_at(redis.url)
        accept(store, 1)
        old = redis.current()
        redis.fail_over()
        wait_for("the sentinels chose the replica", lambda: redis.promoted(old), 30)
        with redis.node(old).client() as before, redis.node(redis.current()).client() as now:
            (lost,) = accept(store, 1)
            assert not known_at(now, lost), "a connection stays where it is"
            (watch,) = watches_of(store.client)
            watch.tick()
            (kept,) = accept(store, 1)
            assert known_at(now, kept)
            assert before.info("replication")["role"] == "master", "the old one was told"
        for node in redis.sentinels:
            node.kill()
        with pytest.raises(StoreUnavailable, match="no sentinel names a primary"):
            watch.tick()
        store.close()


def test_both_kinds_of_processes_watch_the_primary(short_tmp: Path) -> None:
    with Sentinels(short_tmp) as redis, Running(redis.url, settings=settings(redis.url)) as here:
        api = ApiRuntime(here.settings, here.store, SystemClock(), adapt(here.logger))
        api.start()
        assert [thread.name for thread in threading.enumerate()].count("sentinels") == 2
        api.stop()
    assert "sentinels" not in [thread.name for thread in threading.enumerate()]


def known_at(client: Redis, id: str) -> bool:
    return bool(client.exists(f"ms1:{{0}}:msg:{id}"))


def test_a_cluster_spreads_the_partitions_and_every_verb_works(short_tmp: Path) -> None:
    with Cluster(short_tmp) as redis:
        said = Counting()
        with Running(redis.url, logger=said, settings=settings(redis.url, partitions=12)) as here:
            # One by one: a batch would share a partition.
            ids = [id for n in range(200) for id in here.add(1, text=f"{n}-")]
            said.wait_for(200)
            said.once(ids)
            store = here.store
            (later,) = here.add(due_at=4_000_000_000_000, text="later", priority=Priority.HIGH)
            assert store.counts().scheduled[Priority.HIGH] == 1
            assert [message.id for message in store.page(status=Status.SCHEDULED).messages] == [later]
            assert len(store.page(status=Status.DELIVERED, limit=100).messages) == 100
            store.pause()
            store.resume()
            assert store.cancel(later).status == Status.CANCELLED
            assert store.overview().redis["version"] != "unknown"
            assert here.report()["role"] == "scheduler"
        with_keys = 0
        for node in redis.nodes:
            with node.client() as client:
                with_keys += client.dbsize() > 0
        assert with_keys == 3
    assert said.errors == []


def test_a_primary_of_a_cluster_dies_and_its_partitions_go_on(short_tmp: Path) -> None:
    with Cluster(short_tmp, replicas=True) as redis:
        said = Counting()
        with Running(redis.url, logger=said, settings=settings(redis.url, partitions=12)):
            store = store_at(redis.url, partitions=12, wait_replicas=1)
            ids = accept(store, 60)
            said.wait_for(60)
            redis.nodes[0].kill()
            store.close()
            # The partitions of the new primary have no replica left.
            store = wait_for("the cluster is whole again", lambda: reopened(redis.url, 12), 30)
            ids += accept(store, 60)
            said.wait_for(120)
            store.close()
        assert set(said.acks) == set(ids)


def test_while_a_primary_of_a_cluster_is_gone_the_other_partitions_go_on(short_tmp: Path) -> None:
    """It has no replica.  What it held is delivered late, or never; nothing else is late, or twice."""
    with Cluster(short_tmp, partial=True) as redis:
        said = Counting()
        with Running(redis.url, logger=said, settings=settings(redis.url, partitions=12)):
            store = store_at(redis.url, partitions=12)
            ids = accept(store, 30)
            said.wait_for(30)
            redis.nodes[0].kill()
            there: list[str] = []
            while len(there) < 60:
                (id,) = store.new_ids(1)
                with suppress(StoreUnavailable):
                    there += [one.id for one in store.schedule([NewMessage(id=id, payload="1", due_at=NOW)])]
            said.wait_for(90)
            store.close()
        said.once(ids + there)


def test_while_a_node_of_a_cluster_hangs_the_others_deliver(short_tmp: Path) -> None:
    """It holds its connections and answers nobody.  Each of its partitions cost every verb a whole time limit."""
    with Cluster(short_tmp, partial=True) as redis:
        said = Counting()
        with Running(redis.url, logger=said, settings=settings(redis.url, partitions=12)):
            store = store_at(redis.url, partitions=12)
            said.wait_for(len(accept(store, 30)))
            (heartbeats,) = [node for node in redis.nodes if node.port == store.client.get_node_from_key(SERVERS).port]  # type: ignore[attr-defined]
            hung = next(node for node in redis.nodes if node is not heartbeats)
            hung.freeze()
            try:
                there: list[str] = []
                while len(there) < 60:
                    (id,) = store.new_ids(1)
                    with suppress(StoreUnavailable):
                        there += [one.id for one in store.schedule([NewMessage(id=id, payload="1", due_at=NOW)])]
                said.wait_for(90)
                counts = store.counts()
                assert 0 < counts.partitions_away < 12
            finally:
                hung.thaw()
            wait_for("all of it answers again", lambda: store.counts().partitions_away == 0, 20)
            store.close()


def reopened(url: str, partitions: int) -> MessageStore | None:
    try:
        return store_at(url, partitions=partitions)
    except ServiceError:
        return None
