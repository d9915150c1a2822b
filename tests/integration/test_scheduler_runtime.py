"""The scheduler process with real threads on a real Redis: as a library, under load, slow work, faults, stops."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import redis

from scheduler.api.ops.health import failure, patience_ms
from scheduler.errors import StartError
from scheduler.message import Message, Status
from scheduler.store.keys import SERVERS
from tests.support.delivery import HeldChannel, acking
from tests.support.logger import RecordingLogger
from tests.support.redis_server import RedisServer
from tests.support.running import QUICK, SHORT_LOCK, Counting, Running, redis_ms, with_settings
from tests.support.waiting import free_port, wait_for

LOCKS = "ms1:{0}:locks"


@pytest.fixture(autouse=True)
def _empty(redis_client: redis.Redis) -> None:
    """Every test begins with an empty Redis."""


# -- as a library ------------------------------------------------------------------------------------------------------


def test_a_runtime_prints_with_the_logger_it_was_given(redis_url: str) -> None:
    logger = RecordingLogger()
    with Running(redis_url, logger=logger) as runtime:
        [id] = runtime.add(text="hello")
        logger.wait_for(f"ack id={id}")
    assert logger.count(" | hello0") == 1


def test_a_logger_of_the_standard_library_will_do(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Running(redis_url, logger=logging.getLogger("mine")) as runtime:
        runtime.add(text="hello")
        wait_for("printed", lambda: " | hello0" in caplog.text)


def test_a_logger_that_fails_stops_nothing(redis_url: str) -> None:
    class Failing:
        def info(self, message: str) -> None:
            raise OSError("disk full")

        error = info

    with Running(redis_url, logger=Failing()) as runtime:
        ids = runtime.add(3)
        wait_for("delivered", lambda: {runtime.store.get(id).status for id in ids} == {Status.DELIVERED})
        wait_for("lost lines are reported", lambda: runtime.store.servers()["here/scheduler"]["log_lines_lost"] > 0)
        assert runtime.store.servers()["here/scheduler"]["gauges"]["scheduler_log_lines_lost"] > 0


def test_it_can_be_started_again_after_a_stop(redis_url: str) -> None:
    runtime = Running(redis_url)
    for text in ("first", "second"):
        with runtime:
            runtime.add(text=text)
            runtime.logger.wait_for(f" | {text}0")


def test_no_thread_of_it_is_left_after_a_stop(redis_url: str) -> None:
    before = set(threading.enumerate())
    with Running(redis_url) as runtime:
        runtime.add(200)
        runtime.logger.wait_for("ack id=", count=200)
    wait_for("the threads have ended", lambda: set(threading.enumerate()) <= before)


def test_it_is_on_the_list_of_servers_while_it_runs(redis_url: str, redis_client: redis.Redis) -> None:
    with Running(redis_url, name="one") as one, Running(redis_url, name="two") as two:
        servers = wait_for("both report", lambda: s if len(s := one.store.servers()) == 2 else None)
        assert set(servers) == {"one/scheduler", "two/scheduler"}
        assert servers["one/scheduler"]["role"] == "scheduler"
        assert servers["one/scheduler"]["progress_age_ms"] < 5_000
        two.stop()
        assert set(one.store.servers()) == {"one/scheduler"}
    assert redis_client.hlen(SERVERS) == 0


def test_its_first_report_says_where_live_events_are(redis_url: str) -> None:
    port = free_port()
    settings = {**with_settings(heartbeat_seconds=10), "events": {"enabled": True, "port": port}}
    with Running(redis_url, name="one", settings=settings) as runtime:
        reported = wait_for("it reports", runtime.store.servers)
        assert reported["one/scheduler"]["events_port"] == port


def test_a_worker_shows_its_figures_at_a_port_of_its_own(redis_url: str) -> None:
    port = free_port()
    settings = {**QUICK, "server": {"role": "worker", "name": "one"}, "metrics": {"port": port}}
    acks = 'scheduler_attempts_total{channel="echo",outcome="ack",process="scheduler",server="one"} 1.0'
    with Running(redis_url, settings=settings) as runtime:
        runtime.add()
        wait_for("it is counted", lambda: acks in urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
        assert urlopen(f"http://127.0.0.1:{port}/health").status == 200
        with pytest.raises(StartError, match=rf"Cannot listen on 127\.0\.0\.1:{port} for metrics"):
            Running(redis_url, settings=settings).start()
    with pytest.raises(URLError, match="refused"):
        urlopen(f"http://127.0.0.1:{port}/health")


def test_a_scheduler_thread_that_hangs_is_reported_by_a_heartbeat_that_goes_on(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, let_go = threading.Event(), threading.Event()
    with Running(redis_url, name="one", settings=with_settings(poll_seconds=0.05)) as runtime:
        claim = runtime.store.claim

        def hang(*call: Any) -> Any:
            entered.set()
            assert let_go.wait(20)
            return claim(*call)

        def failures() -> list[str | None]:
            return [failure(snapshot, runtime.settings) for snapshot in runtime.store.servers().values()]

        wait_for("well", lambda: failures() == [None])
        monkeypatch.setattr(runtime.store, "claim", hang)
        assert entered.wait(20)
        wait_for("reported", lambda: re.fullmatch(r"no progress for \d+ s", str(failures()[0])))
        let_go.set()
        wait_for("well again", lambda: failures() == [None])


def test_a_role_without_delivery_delivers_nothing(redis_url: str) -> None:
    before = threading.active_count()
    settings = {**QUICK, "server": {"role": "api"}}
    with Running(redis_url, settings=settings) as runtime:
        assert threading.active_count() == before
        [id] = runtime.add()
        assert runtime.store.get(id).status is Status.SCHEDULED


# -- start -------------------------------------------------------------------------------------------------------------


def test_a_start_waits_for_a_redis_that_is_away_and_goes_on_when_it_comes(short_tmp: Path) -> None:
    server = RedisServer(short_tmp)
    runtime = Running(server.url)
    starting = threading.Thread(target=runtime.start)
    starting.start()
    try:
        wait_for("it says so", lambda: any("The start waits for Redis" in line for line in runtime.logger.warnings))
        with server:
            starting.join(20)
            assert not starting.is_alive()
            [id] = runtime.add()
            runtime.logger.wait_for(f"ack id={id}")
            runtime.stop()
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("address", "words"), [("/99", "Redis refuses: .*out of range"), ("", "Redis refused the user or password")]
)
def test_settings_that_redis_refuses_fail_at_once(short_tmp: Path, address: str, words: str) -> None:
    port = free_port()
    with RedisServer(short_tmp, "--port", str(port)) as server, server.client() as admin:
        if not address:
            admin.config_set("requirepass", "right")
        with pytest.raises(StartError, match=words):
            Running(f"redis://127.0.0.1:{port}{address}").start()
        if not address:
            admin.execute_command("AUTH", "right")


# -- on time -----------------------------------------------------------------------------------------------------------


def test_what_is_announced_is_delivered_long_before_the_poll(redis_url: str) -> None:
    with Running(redis_url, settings=with_settings(poll_seconds=600)) as runtime:
        wait_for("it listens", lambda: listeners(runtime) == 1)
        runtime.add(due_at=redis_ms(runtime) + 3_600_000)
        [id] = runtime.add(due_at=redis_ms(runtime) + 200)
        message = finished(runtime, id)
    assert message.started_at is not None
    assert message.started_at >= message.due_at
    assert message.attempts
    assert message.attempts[0]["lateness_ms"] >= 0


def test_hundreds_of_moments_and_none_early(redis_url: str) -> None:
    with Running(redis_url, settings=with_settings(poll_seconds=600)) as runtime:
        start = redis_ms(runtime) + 100
        ids = [runtime.add(due_at=start + 3 * n)[0] for n in range(300)]
        messages = [finished(runtime, id) for id in ids]
    assert [m.id for m in messages if m.started_at is None or m.started_at < m.due_at] == []
    assert all(m.attempts and m.attempts[0]["lateness_ms"] >= 0 for m in messages)


def test_a_wake_up_lost_with_its_connection_costs_one_poll(redis_url: str, redis_client: redis.Redis) -> None:
    with Running(redis_url, settings=with_settings(poll_seconds=0.3)) as runtime:
        wait_for("it listens", lambda: listeners(runtime) == 1)
        redis_client.client_kill_filter(_type="pubsub")
        [id] = runtime.add()
        runtime.logger.wait_for(f"ack id={id}")
        wait_for("it listens again", lambda: listeners(runtime) == 1)


def finished(runtime: Running, id: str) -> Message:
    """The message, as soon as it has ended and that is recorded."""
    return wait_for("ended", lambda: m if (m := runtime.store.get(id)).finished_at else None)


def listeners(runtime: Running) -> int:
    return int(runtime.store.client.pubsub_numsub("ms1:wake")[0][1])


# -- under load --------------------------------------------------------------------------------------------------------


def test_twenty_thousand_are_delivered_once_each_and_what_is_kept_of_them_stays_bounded(redis_url: str) -> None:
    """Finished messages are forgotten while the drain goes on, not after it."""
    log = Counting()
    settings = {**QUICK, "retention": {"trim_seconds": 0.05, "max_count": 500}}
    with Running(redis_url, logger=log, settings=settings) as runtime:
        runtime.store.pause()
        ids = runtime.add(20_000)
        runtime.store.resume()
        most = 0
        while len(log.acks) < 20_000:
            log.wait_for(min(20_000, len(log.acks) + 2_000))
            most = max(most, runtime.store.counts().finished)
        log.once(ids)
        wait_for("trimmed", lambda: runtime.store.counts().finished <= 500)
    assert most < 15_000
    assert log.errors == []


def test_two_servers_share_the_work_and_deliver_each_message_once(redis_url: str) -> None:
    first, second = Counting(), Counting()
    with Running(redis_url, name="one", logger=first) as one, Running(redis_url, name="two", logger=second):
        one.store.pause()
        ids = one.add(4_000)
        one.store.resume()
        wait_for("all delivered", lambda: len(first.acks) + len(second.acks) >= 4_000, 40)
    assert not set(first.acks) & set(second.acks)
    assert set(first.acks) | set(second.acks) == set(ids)
    assert first.acks
    assert second.acks
    assert {tuple(a) for a in [*first.acks.values(), *second.acks.values()]} == {(1,)}


# -- slow work ---------------------------------------------------------------------------------------------------------


def renewed(client: redis.Redis, id: str) -> None:
    """Block until the lock would be over, had it not been renewed."""
    first = float(client.zscore(LOCKS, id) or 0)
    wait_for("renewed for a life", lambda: float(client.zscore(LOCKS, id) or 0) > first + SHORT_LOCK * 1000)


def test_a_delivery_that_outlives_its_lock_is_made_once(
    redis_url: str, redis_client: redis.Redis, held: HeldChannel
) -> None:
    short = with_settings(lock_seconds=SHORT_LOCK)
    with Running(redis_url, held, settings=short) as runtime, Running(redis_url, name="other", settings=short) as other:
        other.dispatcher.stop()  # it reaps, and delivers nothing: it has no such channel
        [id] = runtime.add(channel="slow")
        held.wait_begun(1)
        renewed(redis_client, id)
        held.let_go()
        runtime.logger.wait_for(f"ack id={id}")
        message = finished(runtime, id)
    assert (message.status, message.attempt) == (Status.DELIVERED, 1)
    assert runtime.logger.errors == []


def test_a_chore_that_hangs_on_redis_costs_no_lock(
    redis_url: str, redis_client: redis.Redis, held: HeldChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, let_go = threading.Event(), threading.Event()

    def hang(*_: Any) -> Any:
        entered.set()
        assert let_go.wait(20)
        return 0

    with Running(redis_url, held, settings=with_settings(lock_seconds=SHORT_LOCK)) as runtime:
        [id] = runtime.add(channel="slow")
        held.wait_begun(1)
        monkeypatch.setattr(runtime.store, "trim", hang)
        assert entered.wait(20)
        renewed(redis_client, id)
        let_go.set()
        held.let_go()


def test_a_server_that_finishes_before_it_stops_is_not_taken_for_one_that_hangs(
    redis_url: str, held: HeldChannel
) -> None:
    with Running(redis_url, held, name="one", settings=with_settings(poll_seconds=0.05)) as runtime:
        runtime.add(channel="slow")
        held.wait_begun(1)
        stopping = threading.Thread(target=runtime.stop)
        stopping.start()
        try:
            patience = patience_ms(runtime.settings)
            wait_for("it has claimed nothing for long", lambda: runtime.report()["progress_age_ms"] > patience)
            assert failure(runtime.report(), runtime.settings) is None
        finally:
            held.let_go()
            stopping.join(20)


def test_what_waits_behind_slow_work_goes_to_a_server_that_is_free(redis_url: str, held: HeldChannel) -> None:
    quick = acking()
    quick.name = "slow"
    two_threads = {**QUICK, "jobs": {"workers": 2}}
    with Running(redis_url, held, name="slow", settings=two_threads) as slow:
        ids = slow.add(30, channel="slow")
        held.wait_begun(2)
        other = Counting()
        with Running(redis_url, quick, name="free", logger=other):
            other.wait_for(28)
            other.once([id for id in ids if id not in held.begun])
        assert len(held.begun) == 2
        held.let_go()
        slow.logger.wait_for("ack id=", count=2)
        assert not slow.logger.count("lock lost")


def test_a_slow_channel_keeps_no_quick_message_waiting(redis_url: str, held: HeldChannel) -> None:
    with Running(redis_url, held) as runtime:
        runtime.add(channel="slow")
        held.wait_begun(1)
        ids = runtime.add(500)
        runtime.logger.wait_for("ack id=", count=500)
        assert {runtime.store.get(id).attempt for id in ids} == {1}
        assert not runtime.logger.count("release id=")
        held.let_go()


def test_a_stale_owner_changes_nothing_and_says_so(
    redis_url: str, redis_client: redis.Redis, held: HeldChannel
) -> None:
    """It slept through its locks (SIGSTOP, a long pause): another server has the message by the time it wakes up."""
    quick = acking()
    quick.name = "slow"
    with Running(redis_url, held, name="stale", settings=with_settings(lock_seconds=30)) as stale:
        [id] = stale.add(channel="slow")
        held.wait_begun(1)
        stale.dispatcher.stop()
        redis_client.zadd(LOCKS, {id: 0}, xx=True)
        with Running(redis_url, quick, name="next") as fresh:
            fresh.logger.wait_for(f"ack id={id} channel=slow attempt=2")
            before = finished(fresh, id)
            held.let_go()
            stale.logger.wait_for(f"lock lost id={id}")
            assert fresh.store.get(id) == before
    assert before.status is Status.DELIVERED
    assert [attempt["outcome"] for attempt in before.attempts or []] == ["lost", "delivered"]


# -- faults ------------------------------------------------------------------------------------------------------------


def test_scripts_that_redis_forgets_are_loaded_again_in_the_middle_of_a_drain(
    redis_url: str, redis_client: redis.Redis
) -> None:
    log = Counting()
    with Running(redis_url, logger=log) as runtime:
        ids = runtime.add(3_000)
        while len(log.acks) < 3_000:
            redis_client.script_flush()
            log.wait_for(min(3_000, len(log.acks) + 200))
        log.once(ids)
    assert log.errors == []


def test_redis_killed_and_started_again_heals_without_a_restart_and_loses_nothing(short_tmp: Path) -> None:
    log = Counting()
    with (
        RedisServer(short_tmp, "--appendonly", "yes", "--appendfsync", "always") as server,
        Running(server.url, logger=log, settings=with_settings(lock_seconds=4)) as runtime,
    ):
        runtime.store.pause()
        ids = runtime.add(3_000)
        runtime.store.resume()
        log.wait_for(500)
        server.kill()
        wait_for("noticed", lambda: any("trying on: " in error for error in log.errors))
        wait_for("health sees it", lambda: runtime.dispatcher.progress_age() > 0.5)
        server.start()
        log.wait_for(3_000)
        wait_for("progress", lambda: runtime.dispatcher.progress_age() < 0.5)
        wait_for("settled", lambda: runtime.store.counts().processing == 0)
        wait_for("said", lambda: any("answers again" in error for error in log.errors))
        counts = runtime.store.counts()
    assert set(log.acks) == set(ids)
    assert (counts.finished, counts.dead, sum(counts.scheduled.values())) == (3_000, 0, 0)
    told = [line for line in log.errors if "trying on: " in line or "answers again" in line]
    assert [line.partition(",")[0].partition(" ")[0] for line in told[:2]] == ["cannot", "Redis"], told
    # Not a line for each try; a machine that stands still for a moment is told too.
    assert len(told) <= 8, told
    # What was printed and could not be settled is settled when Redis is back: only a claim whose answer was lost with
    # the connection runs again, and says so by its attempt.
    assert all(attempts == sorted(set(attempts)) for attempts in log.acks.values()), "a repeat without a higher attempt"


def test_connections_that_redis_closes_are_opened_again(redis_url: str, redis_client: redis.Redis) -> None:
    log = Counting()
    with Running(redis_url, logger=log) as runtime:
        runtime.store.pause()
        ids = runtime.add(2_000)
        runtime.store.resume()
        log.wait_for(300)
        redis_client.client_kill_filter(_type="normal", skipme=True)
        log.wait_for(2_000)
        wait_for("settled", lambda: runtime.store.counts().processing == 0)
        assert runtime.store.counts().finished == 2_000
    assert set(log.acks) == set(ids)


def test_a_redis_that_stands_still_is_waited_for_no_longer_than_its_time_limit(short_tmp: Path) -> None:
    short = with_settings(lock_seconds=SHORT_LOCK)
    with RedisServer(short_tmp) as server, Running(server.url, settings=short) as runtime:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            runtime.logger.wait_for("trying on: ")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        [id] = runtime.add()
        runtime.logger.wait_for(f"ack id={id}")
