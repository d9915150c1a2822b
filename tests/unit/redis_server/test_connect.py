"""Connection strings, and what a Redis is told about its own settings."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from scheduler.config.connection_string import Target, parse
from scheduler.errors import ConfigError, RedisAway, StartCancelled, StartError
from scheduler.redis_server.connections import check_server, connect
from tests.support.clock import FakeClock
from tests.support.redis_server import RedisServer
from tests.support.waiting import free_port, wait_for


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("embedded", Target("embedded")),
        ("localhost", Target("tcp")),
        ("redis.example", Target("tcp", "redis.example")),
        ("10.0.0.7:6380", Target("tcp", "10.0.0.7", 6380)),
        ("[::1]:6380", Target("tcp", "::1", 6380)),
        ("redis://", Target("tcp")),
        ("redis://h/3", Target("tcp", "h", db=3)),
        ("redis://h?db=3", Target("tcp", "h", db=3)),
        ("redis://me:p%40ss@h:1/2", Target("tcp", "h", 1, db=2, username="me", password="p@ss")),
        ("redis://:pass@h", Target("tcp", "h", password="pass")),
        ("rediss://h", Target("tls", "h")),
        ("rediss://h?ssl_cert_reqs=none", Target("tls", "h", options={"ssl_cert_reqs": "none"})),
        ("unix:///run/redis.sock", Target("unix", path="/run/redis.sock")),
        ("unix://:pass@/run/redis.sock?db=1", Target("unix", path="/run/redis.sock", db=1, password="pass")),
        (" localhost\n", Target("tcp")),
    ],
)
def test_accepted(text: str, target: Target) -> None:
    assert parse(text) == target


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("http://h", "scheme is not known"),
        ("redis://h:port", "from 1 to 65535"),
        ("h:0", "from 1 to 65535"),
        ("h:65536", "from 1 to 65535"),
        ("redis://h/zero", "database"),
        ("redis://h?ssl_cert_reqs=none", "option"),
        ("redis://:pa#ss@h", "%23"),
        ("unix://relative.sock", "absolute path"),
        ("unix://", "absolute path"),
        ("two hosts", "white space"),
        ("redis://[::1", "host is malformed"),
        ("redis://a..b", "not a valid host name"),
        ("sentinel://a/s?sentinel_pass=x", "other than sentinel_username, sentinel_password"),
        ("cluster://a?sentinel_password=x", "other than sentinel_username, sentinel_password"),
        ("sentinel://a..b/s", "not a valid host name"),
        (f"redis://{'a' * 64}", "not a valid host name"),
        ("redis://h/" + "9" * 5000, "database"),
        ("unix:///a%00b", "absolute path"),
        ("unix://:not/encoded@/x", "absolute path"),
    ],
)
def test_refused_with_reason_and_what_is_accepted(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert reason in str(refused.value)
    assert "REDIS_URL" in str(refused.value)
    assert "accepted are" in str(refused.value)


@pytest.mark.parametrize("special", ["", "/", "?", "#", "@", ":", "[", "]", "[x]", " ", "%", "\u2100", "\x00", "://"])
@pytest.mark.parametrize(
    "form",
    [
        "redis://me:{}@h:1/0",
        "unix://:{}@/x",
        "sentinel://me:{}@h:1/s",
        "sentinel://h:1/s?sentinel_password={}",
        "cluster://me:{}@h",
    ],
)
def test_a_password_never_shows(form: str, special: str) -> None:
    url = form.format(f"Geheim{special}Wort")
    try:
        shown = f"{parse(url)} {parse(url)!r}"
    except ConfigError as error:
        shown = str(error)
    assert "Geheim" not in shown
    assert "Wort" not in shown


@given(st.text())
def test_any_text_is_a_target_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        assert parse(text).kind in {"embedded", "tcp", "tls", "unix"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("embedded", "embedded"),
        ("localhost", "redis://localhost:6379/0"),
        ("rediss://me:secret@[::1]:1/2", "rediss://me:***@[::1]:1/2"),
        ("unix://:secret@/run/redis.sock", "unix://:***@/run/redis.sock"),
    ],
)
def test_shown_to_people(text: str, shown: str) -> None:
    assert str(parse(text)) == shown


@pytest.mark.parametrize("text", ["localhost", "rediss://h?ssl_check_hostname=false", "unix:///run/redis.sock"])
def test_every_read_has_a_time_limit_and_nothing_is_sent_twice(text: str) -> None:
    with connect(text, socket_timeout=3) as client:
        connection: Any = client.connection_pool.make_connection()
    assert connection.socket_timeout == 3
    assert 0 < connection.socket_connect_timeout <= 5  # a unix socket keeps the default of redis-py
    assert connection.retry.get_retries() == 0


def test_a_redis_that_does_not_answer_is_given_up(short_tmp: Path) -> None:
    with RedisServer(short_tmp) as server, connect(server.url, socket_timeout=1) as client:
        client.ping()
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.kill()


def test_a_cluster_that_does_not_answer_is_reported_as_such() -> None:
    with pytest.raises(StartError, match=r"does not answer .* correct Redis\.ConnectionString"):
        connect(f"cluster://127.0.0.1:{free_port()}", socket_timeout=0.5)


def test_a_cluster_whose_nodes_have_no_slots_is_waited_for_and_said_so(short_tmp: Path) -> None:
    port = next(port for port in iter(free_port, 0) if port < 55_536)  # the cluster's own port is 10,000 above
    options = ("--port", str(port), "--cluster-enabled", "yes")
    with RedisServer(short_tmp, *options), pytest.raises(RedisAway, match="No node of the Redis Cluster has slots"):
        connect(f"cluster://127.0.0.1:{port}")


def test_embedded_has_no_address() -> None:
    with pytest.raises(ConfigError, match="no address"):
        connect("embedded")


def test_a_client_survives_that_redis_closed_its_connection(redis_url: str, redis_client: redis.Redis) -> None:
    with connect(redis_url) as client:
        mine = client.client_id()
        redis_client.client_kill_filter(_id=mine)
        assert client.ping()


# ------------------------------------------------------------------------------------------------------- check_server


class Answers:
    """A Redis that answers INFO with these, one after the other, or fails with them."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self._answers = list(answers)

    def execute_command(self, *command: str) -> str:
        assert command == ("PING",)
        if isinstance(self._answers[0], redis.ConnectionError | redis.TimeoutError):
            self.info()
        return "PONG"

    def info(self) -> dict[str, Any]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def config_get(self, _: str) -> dict[str, str]:
        raise redis.ResponseError("unknown command 'CONFIG'")


def client_of(*answers: dict[str, Any] | Exception) -> redis.Redis:
    return cast(redis.Redis, Answers(*answers))


GOOD = {"redis_version": "7.2.4", "aof_enabled": 1, "role": "master", "maxmemory_policy": "noeviction"}


def test_a_good_one_has_nothing_to_report() -> None:
    report = check_server(client_of(GOOD))
    assert (report.product, report.version, report.persistence) == ("Redis", "7.2.4", "append-only file")
    assert report.warnings == report.notices == []


def test_valkey_is_called_valkey() -> None:
    report = check_server(client_of({**GOOD, "server_name": "valkey", "valkey_version": "8.1.0"}))
    assert (report.product, report.version) == ("Valkey", "8.1.0")


@pytest.mark.parametrize("version", ["6.0.16", "5.0.7", "2.8"])
def test_too_old_is_refused(version: str) -> None:
    with pytest.raises(StartError, match=rf"{version} is too old: 6\.2"):
        check_server(client_of({**GOOD, "redis_version": version}))


@pytest.mark.parametrize("version", ["6.2.0", "7.0.15", "8.4.0", "10.0.1"])
def test_new_enough_is_taken(version: str) -> None:
    assert check_server(client_of({**GOOD, "redis_version": version})).version == version


def test_eviction_is_warned_of() -> None:
    (warning,) = check_server(client_of({**GOOD, "maxmemory_policy": "allkeys-lru"})).warnings
    assert "allkeys-lru" in warning
    assert "noeviction" in warning


def test_what_a_managed_redis_hides_is_a_notice() -> None:
    (notice,) = check_server(client_of({**GOOD, "aof_enabled": 0})).notices
    assert "CONFIG GET" in notice
    (notice,) = check_server(client_of(redis.exceptions.NoPermissionError("no INFO for you"))).notices
    assert "INFO" in notice


def test_loading_is_waited_for() -> None:
    loading = {**GOOD, "loading": 1}
    clock = ImpatientClock()
    report = check_server(client_of(redis.BusyLoadingError("LOADING"), loading, loading, GOOD), clock=clock)
    assert report.version == "7.2.4"
    assert len(clock.waits) == 3


def test_loading_is_not_waited_for_without_end() -> None:
    with pytest.raises(StartError, match="loading its data for 300 s"):
        check_server(client_of({**GOOD, "loading": 1}), clock=ImpatientClock())


def test_a_stop_ends_the_wait_for_one_that_loads_at_once() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(StartCancelled):
        check_server(client_of({**GOOD, "loading": 1}), cancel=cancel)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (redis.ConnectionError("Connection refused"), True),
        (redis.exceptions.MasterDownError("MASTERDOWN Link with MASTER is down"), True),
        (redis.ResponseError("CLUSTERDOWN The cluster is down"), True),
        (redis.ResponseError("DB index is out of range"), False),
        (redis.ResponseError("DENIED Redis is running in protected mode"), False),
        (redis.AuthenticationError("invalid username-password pair"), False),
    ],
)
def test_what_may_pass_is_told_from_what_is_set_wrongly(error: Exception, passes: bool) -> None:
    class Refusing(Answers):
        def execute_command(self, *_: str) -> str:
            raise error

    with pytest.raises(StartError) as refused:
        check_server(cast(redis.Redis, Refusing(GOOD)))
    assert isinstance(refused.value, RedisAway) is passes


class ImpatientClock(FakeClock):
    """Every wait is over at once."""

    def wait(self, event: Any, seconds: float) -> bool:
        self.waits.append(seconds)
        self.advance(seconds)
        return False


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (redis.ConnectionError("Connection refused"), "does not answer"),
        (redis.TimeoutError("Timeout reading"), "does not answer"),
        (redis.AuthenticationError("invalid username-password pair"), "refused the user or password"),
    ],
)
def test_one_that_cannot_be_talked_to_is_refused(error: Exception, words: str) -> None:
    with pytest.raises(StartError, match=words) as refused:
        check_server(client_of(error))
    assert "REDIS_URL" in str(refused.value)


def test_a_replica_is_refused_and_its_primary_named(short_tmp: Path) -> None:
    with (
        RedisServer(short_tmp, "--replicaof", "127.0.0.1", "1") as replica,
        connect(replica.url) as client,
        pytest.raises(StartError, match=r"replica of 127\.0\.0\.1:1"),
    ):
        check_server(client)


def test_persistence_is_read_from_a_real_one(short_tmp: Path) -> None:
    with RedisServer(short_tmp) as server, connect(server.url) as client:
        report = check_server(client)
        assert report.persistence == "no persistence"
        assert "appendonly yes" in report.warnings[0]
        client.config_set("save", "3600 1")
        report = check_server(client)
        assert report.persistence == "snapshots"
        assert "appendonly yes" in report.warnings[0]
        client.config_set("appendonly", "yes")
        client.config_set("maxmemory-policy", "allkeys-random")
        report = check_server(client)
        assert report.persistence == "append-only file"
        assert "allkeys-random" in report.warnings[0]
        # It would not end before, and its child would go on to write into a folder that is being removed.
        wait_for("its first append-only file is written", lambda: not rewriting(client))


def rewriting(client: redis.Redis) -> bool:
    state = client.info("persistence")
    return bool(state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"])


def test_a_wrong_password_is_said(short_tmp: Path) -> None:
    with RedisServer(short_tmp) as server, server.client() as admin, connect(server.url) as stranger:
        admin.config_set("requirepass", "right")
        with pytest.raises(StartError, match="refused the user or password"):
            check_server(stranger)
        admin.execute_command("AUTH", "right")
        admin.config_set("requirepass", "")
