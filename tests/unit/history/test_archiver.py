"""The archiver: nothing is lost and nothing is there twice, whatever fails between Redis and the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from scheduler.errors import HistoryUnavailable
from scheduler.history import Finished, Query, open_database
from scheduler.history.archiver import BACKOFF, BATCH, EVERY_SECONDS, GENTLE_BATCH, POLITE, QUIET_TICKS, Archiver
from scheduler.history.database import RowRefused
from scheduler.history.finished import Payloads
from scheduler.history.pruner import Pruner
from scheduler.history.sql import SqlDatabase
from scheduler.logs.sinks import adapt
from scheduler.message import Status
from scheduler.store import Limits, MessageStore
from scheduler.telemetry.figures import Telemetry
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger
from tests.support.store import message, outcomes, store_on, take


class Shaky(SqlDatabase):
    """A database that fails as a test says."""

    away = False
    dies_after_write = False
    poison = ""
    writes = 0

    def write(self, rows: Sequence[Finished]) -> None:
        if self.away:
            raise HistoryUnavailable("connection refused")
        if self.poison and any(self.poison in (row.payload or "") for row in rows):
            raise RowRefused("a value is too long")
        self.writes += 1
        super().write(rows)
        if self.dies_after_write:
            raise KeyboardInterrupt


class Scene:
    """A store, a database, and archivers between them."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.store: MessageStore = store_on(
            fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True),
            clock.now_ms,
            outbox_bytes=2**25,
        )
        self.database = Shaky(f"sqlite:///{folder}/history.db")
        self.log = RecordingLogger()
        self.telemetry = Telemetry(clock)
        self.ended = 0
        self.busy = False
        self.archiver = self.another("one")

    def another(self, owner: str, payloads: Payloads = "full") -> Archiver:
        return Archiver(
            self.store,
            self.database,
            owner=owner,
            payloads=payloads,
            outbox_bytes=2**25,
            finished=lambda: self.ended,
            busy=lambda: self.busy,
            clock=self.clock,
            log=adapt(self.log),
            telemetry=self.telemetry,
        )

    def deliver(self, *ids: str, **more: Any) -> None:
        self.store.schedule([message(id, self.clock.now_ms(), **more) for id in ids])
        self.store.settle(outcomes(take(self.store, len(ids), 1000)))
        self.ended += len(ids)

    def archived(self) -> list[str]:
        return sorted(row.id for row in self.database.page(Query(), 10_000).rows)

    def waiting(self) -> int:
        return self.store.outbox_figures().messages

    def errors(self) -> list[str]:
        return self.log.errors


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock) -> Scene:
    return Scene(tmp_path, clock)


def test_what_ended_is_in_the_database_and_waits_no_more(scene: Scene) -> None:
    scene.deliver("a", "b")
    assert scene.archiver.tick() == EVERY_SECONDS
    assert scene.archived() == ["a", "b"]
    assert scene.waiting() == 0
    assert scene.store.get("a").status is Status.DELIVERED, "retention decides when Redis forgets it"
    row = scene.database.one("a")
    assert row is not None
    assert row.message().id == "a"
    assert (row.payload, row.status, json.loads(row.attempts)[0]["outcome"]) == ('"a"', "delivered", "delivered")


def test_a_row_reads_as_the_message_that_redis_had(scene: Scene) -> None:
    target = '{"url":"https://hooks.example.com/x"}'
    scene.deliver("a", channel="webhook", target=target, owner="me")
    stored = scene.store.get("a")
    scene.archiver.tick()
    row = scene.database.one("a")
    assert row is not None
    read = row.message()
    assert read.scheduled_for == stored.scheduled_for
    for field in (
        "status",
        "due_at",
        "created_at",
        "updated_at",
        "attempt",
        "attempts",
        "finished_at",
        "owner",
        "type",
    ):
        assert getattr(read, field) == getattr(stored, field), field


def test_killed_between_the_write_and_its_report(scene: Scene) -> None:
    scene.deliver("a", "b")
    scene.archiver.tick()
    scene.deliver("c", "d")
    scene.database.dies_after_write = True
    with pytest.raises(KeyboardInterrupt):
        scene.archiver.tick()
    assert scene.waiting() == 2
    scene.database.dies_after_write = False
    scene.clock.advance(20)
    scene.another("two").tick()
    assert scene.archived() == ["a", "b", "c", "d"]
    assert scene.waiting() == 0


def test_another_server_waits_for_the_lease_of_one_that_died(scene: Scene) -> None:
    scene.archiver.tick()
    scene.deliver("a")
    scene.database.dies_after_write = True
    with pytest.raises(KeyboardInterrupt):
        scene.archiver.tick()
    scene.database.dies_after_write = False
    other = scene.another("two")
    other.tick()
    assert scene.waiting() == 1
    scene.clock.advance(15)
    scene.ended += 1
    other.tick()
    assert scene.waiting() == 0


def test_the_database_is_away_for_an_hour(scene: Scene) -> None:
    scene.archiver.tick()
    scene.database.away = True
    waits = []
    for n in range(360):
        if n % 20 == 0:
            scene.deliver(f"m{n:03}")
        waits.append(scene.archiver.tick())
        scene.clock.advance(waits[-1])
    assert waits[:5] == [*BACKOFF, BACKOFF[-1]]
    assert scene.archiver.away
    assert scene.waiting() == 18
    said = scene.errors()
    assert 50 < len(said) < 80, "one line when it goes, and one a minute"
    assert all("cannot archive finished messages" in line for line in said)
    scene.database.away = False
    scene.archiver.tick()
    assert len(scene.archived()) == 18
    assert scene.waiting() == 0
    assert "the database of the history answers again, after" in scene.errors()[-1]
    assert not scene.archiver.away


def test_a_database_that_starts_after_the_service(scene: Scene, tmp_path: Path) -> None:
    data = tmp_path / "history.db"
    data.mkdir()  # nothing can be opened there
    scene.deliver("a")
    assert [scene.archiver.tick() for _ in range(2)] == [*BACKOFF[:2]]
    assert scene.waiting() == 1
    with pytest.raises(HistoryUnavailable):
        scene.database.one("a")
    data.rmdir()
    scene.archiver.tick()
    assert scene.archived() == ["a"]
    assert scene.waiting() == 0


@pytest.mark.parametrize("how", ["deleted", "replaced", "emptied"])
def test_a_file_that_goes_away_while_the_service_runs_is_made_anew(scene: Scene, tmp_path: Path, how: str) -> None:
    """As when a backup is put in its place: what ends from then on is in the file that everybody sees."""
    data = tmp_path / "history.db"
    scene.deliver("before")
    scene.archiver.tick()
    if how == "emptied":
        with sqlite3.connect(data) as connection:
            connection.execute("DROP TABLE history")
            connection.execute("DROP TABLE history_version")
        connection.close()
    else:
        for file in tmp_path.glob("history.db*"):
            file.unlink()
    if how == "replaced":
        data.write_bytes(b"")
    scene.deliver("after")
    for _ in range(3):
        scene.archiver.tick()
    assert scene.waiting() == 0
    other = open_database(f"sqlite:///{data}")
    assert [row.id for row in other.page(Query(), 10).rows] == ["after"]
    other.close()
    assert scene.archived() == ["after"]


def test_a_redrive_and_retention_between_read_and_report_lose_nothing(scene: Scene, monkeypatch: Any) -> None:
    scene.store.schedule([message("a", scene.clock.now_ms()), message("b", scene.clock.now_ms())])
    scene.store.settle(outcomes(take(scene.store, 2, 1000), "dead", error="boom"))
    write = scene.database.write

    def meanwhile(rows: Sequence[Finished]) -> None:
        write(rows)
        scene.store.redrive("a")
        scene.store.trim("dead", Limits(0, 0, 0), 10)
        scene.clock.advance(1)
        scene.deliver()
        scene.store.settle(outcomes(take(scene.store, 1, 1000)))

    monkeypatch.setattr(scene.database, "write", meanwhile)
    scene.archiver.tick()
    monkeypatch.undo()
    scene.ended += 1
    scene.archiver.tick()
    rows = scene.database.page(Query(), 10).rows
    assert [(row.id, row.status) for row in rows] == [("a", "delivered"), ("b", "dead"), ("a", "dead")]
    assert [entry["outcome"] for entry in json.loads(rows[0].attempts)] == ["failed", "delivered"]
    assert scene.waiting() == 0


def test_a_value_that_the_database_refuses_keeps_no_other_out(scene: Scene) -> None:
    scene.database.poison = "b"
    scene.deliver("a", "b", "c")
    scene.archiver.tick()
    assert scene.archived() == ["a", "b", "c"]
    refused = scene.database.one("b")
    assert refused is not None
    assert (refused.payload, refused.attempts) == (None, "[]")
    assert len(refused.payload_sha256 or "") == 64
    assert "keeps message b without its payload" in scene.errors()[0]


@pytest.mark.parametrize(("payloads", "kept"), [("full", True), ("hash", False), ("none", False)])
def test_payloads(scene: Scene, payloads: Payloads, kept: bool) -> None:
    scene.deliver("a")
    scene.another("one", payloads).tick()
    row = scene.database.one("a")
    assert row is not None
    assert (row.payload is not None) == kept
    assert (row.payload_sha256 is not None) == (payloads == "hash")


def test_secrets_are_masked_before_they_are_written(scene: Scene, tmp_path: Path) -> None:
    target = json.dumps(
        {
            "url": "https://me:hunter2@hooks.example.com/x?token=s3cr3t&a=1",
            "headers": {"Authorization": "Bearer t0psecret"},
        }
    )
    scene.deliver("a", channel="webhook", target=target)
    scene.archiver.tick()
    row = scene.database.one("a")
    assert row is not None
    assert row.destination == "hooks.example.com"
    assert json.loads(row.target or "")["url"] == "https://***@hooks.example.com/x?token=***&a=1"
    scene.database.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (b"hunter2", b"s3cr3t", b"t0psecret"):
        assert secret not in content
    assert (tmp_path / "history.db").stat().st_mode & 0o077 == 0, "payloads are for this user alone"


def test_while_nothing_ends_redis_is_asked_seldom(scene: Scene, monkeypatch: Any) -> None:
    scene.archiver.tick()
    asked = []
    unarchived = scene.store.unarchived

    def ask(*arguments: Any, **more: Any) -> Any:
        asked.append(arguments)
        return unarchived(*arguments, **more)

    monkeypatch.setattr(scene.store, "unarchived", ask)
    for _ in range(2 * (QUIET_TICKS + 1)):
        scene.archiver.tick()
    assert len(asked) == 2


def test_a_full_batch_is_followed_at_once_or_politely(scene: Scene, monkeypatch: Any) -> None:
    many = [f"m{n:05}" for n in range(3 * BATCH)]
    scene.deliver(*many, payload="1")
    write = scene.database.write

    def slow(rows: Sequence[Finished]) -> None:
        scene.clock.advance(0.5)
        write(rows)

    monkeypatch.setattr(scene.database, "write", slow)
    # Deliveries ended since the last time: a small batch.
    assert scene.archiver.tick() == pytest.approx(POLITE * 0.5)
    assert scene.waiting() == 3 * BATCH - GENTLE_BATCH
    assert scene.archiver.taken == GENTLE_BATCH, "retention looks again when this has changed"
    assert scene.archiver.tick() == 0.0
    assert scene.waiting() == 2 * BATCH - GENTLE_BATCH
    scene.busy = True
    assert scene.archiver.tick() == pytest.approx(POLITE * 0.5)
    # Beyond half of its limit the outbox is as urgent as deliveries are.
    scene.archiver._share = 1
    scene.archiver.tick()
    assert scene.archiver.tick() == 0.0


def test_long_messages_make_small_batches(scene: Scene) -> None:
    scene.deliver(*"abcdef", payload=json.dumps("x" * 3 * 2**20))
    scene.archiver.tick()
    assert scene.database.writes == 1
    assert scene.waiting() == 4
    while scene.archiver.tick() == 0.0:
        pass
    assert scene.archived() == list("abcdef")


def test_the_pruner_deletes_by_age_and_by_rows(scene: Scene) -> None:
    for n in range(10):
        scene.deliver(f"m{n}")
        scene.clock.advance(1)
    scene.archiver.tick()
    now = scene.clock.now_ms
    pruner = Pruner(scene.database, scene.archiver, max_age_ms=5_500, max_rows=0, now_ms=now)
    assert pruner.tick() == Pruner.EVERY_SECONDS
    assert scene.archived() == [f"m{n}" for n in range(5, 10)]
    Pruner(scene.database, scene.archiver, max_age_ms=0, max_rows=2, now_ms=now).tick()
    assert scene.archived() == ["m8", "m9"]
    Pruner(scene.database, scene.archiver, max_age_ms=0, max_rows=0, now_ms=now).tick()
    assert scene.archived() == ["m8", "m9"]


def test_the_pruner_goes_on_soon_while_there_is_more(scene: Scene, monkeypatch: Any) -> None:
    monkeypatch.setattr(Pruner, "LIMIT", 2)
    for n in range(4):
        scene.deliver(f"m{n}")
        scene.clock.advance(1)
    scene.archiver.tick()
    pruner = Pruner(scene.database, scene.archiver, max_age_ms=1, max_rows=0, now_ms=scene.clock.now_ms)
    waits = [pruner.tick() for _ in range(3)]
    assert waits == [Pruner.BETWEEN_SECONDS, Pruner.BETWEEN_SECONDS, Pruner.EVERY_SECONDS]
    assert scene.archived() == []


def test_a_database_of_a_newer_version_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    scene.archiver.tick()
    with scene.database._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE history_version SET version = 99")
    other = open_database(f"sqlite:///{tmp_path}/history.db")
    with pytest.raises(HistoryUnavailable, match="has version 99"):
        other.prepare()
    with pytest.raises(HistoryUnavailable, match="of another version"):
        other.one("a")
    other.close()
