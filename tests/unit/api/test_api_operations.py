"""What operators and machines ask: the front door, health, metrics, pause and resume, the heartbeat of a process."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scheduler.api.http.services import Services, services
from scheduler.api.runtime import ApiRuntime
from scheduler.config.reading import Settings
from scheduler.errors import StoreUnavailable
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome, Priority
from scheduler.telemetry.figures import Telemetry
from tests.support.api import SERVER, Api, AwayStore, memory_store
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger
from tests.support.store import take
from tests.support.waiting import wait_for

OUTCOME = Outcome(Claim("a", "t", 1, 1, "echo", "1", None, None, None, Priority.NORMAL, 1, 0), "ack")


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


def beat(api: Api, name: str = SERVER, progress_age_ms: int = 0, **snapshot: Any) -> None:
    api.store.beat(name, {"role": "scheduler", "progress_age_ms": progress_age_ms, **snapshot})


class TestFrontDoor:
    @pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain"])
    def test_says_that_the_service_runs(self, api: Api, accept: str) -> None:
        answer = api.get("/", headers={"Accept": accept})
        assert (answer.status_code, answer.json) == (200, {"status": 200, "data": "Scheduler service is running."})


class TestHealth:
    def test_well(self, api: Api) -> None:
        beat(api)
        answer = api.get("/health")
        assert answer.status_code == 200
        assert answer.json == {
            "status": "success",
            "message": "server is ok!",
            "schedulers": 1,
            "paused": False,
            "partitions_away": 0,
            "warnings": [],
        }

    def test_paused_is_well(self, api: Api) -> None:
        beat(api)
        api.post("/v1/pause")
        answer = api.get("/health")
        assert (answer.status_code, answer.json["paused"]) == (200, True)

    def test_a_redis_that_loads_says_how_far_it_is(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        def loads(*_: Any) -> Any:
            raise StoreUnavailable("LOADING", reason="Redis is loading its data")

        monkeypatch.setattr(api.store, "servers", loads)
        monkeypatch.setattr(api.store, "loading", lambda: "43 % of 2.9 GiB")
        answer = api.get("/health")
        assert (answer.status_code, answer.json["message"]) == (503, "Redis is loading its data: 43 % of 2.9 GiB.")

    def test_no_scheduler(self, api: Api) -> None:
        api.store.beat(f"{SERVER}/api-1", {"role": "api"})
        answer = api.get("/health")
        assert answer.status_code == 503
        assert answer.json == {
            "status": "error",
            "message": "No scheduler is making progress: nothing is delivered.",
        }
        assert answer.headers["Retry-After"] == "1"

    @pytest.mark.parametrize(
        ("silent_s", "stuck_ms", "status"),
        [(4.0, 0, 200), (4.1, 0, 503), (0, 4000, 200), (0, 4001, 503), (3, 1100, 503)],
    )
    def test_tied_to_progress(self, api: Api, clock: FakeClock, silent_s: float, stuck_ms: int, status: int) -> None:
        beat(api, progress_age_ms=stuck_ms)
        clock.advance(silent_s)
        assert api.get("/health").status_code == status

    def test_a_longer_poll_means_more_patience(self, clock: FakeClock) -> None:
        api = Api(clock, {"scheduler": {"poll_seconds": 5}})
        beat(api, progress_age_ms=16_000)
        assert api.get("/health").status_code == 200
        beat(api, progress_age_ms=16_001)
        assert api.get("/health").status_code == 503

    def test_any_scheduler_of_the_service_will_do(self, api: Api) -> None:
        beat(api, progress_age_ms=60_000)
        beat(api, "another-server")
        assert api.get("/health").json["schedulers"] == 1

    def test_says_what_hangs(self, api: Api) -> None:
        beat(api, failure="channel echo: a delivery hangs, and has not returned for 42 s")
        answer = api.get("/health")
        assert answer.status_code == 503
        assert answer.json["message"] == (
            "No scheduler is making progress: nothing is delivered "
            "(channel echo: a delivery hangs, and has not returned for 42 s)."
        )

    @pytest.mark.parametrize(
        ("due_s", "more", "status"),
        [
            (61, {}, 503),
            (60, {}, 200),
            (61, {"ended": True}, 200),
            (61, {"paused": True}, 200),
            (61, {"working": ["job"]}, 200),
            (61, {"held_back": True}, 200),
        ],
    )
    def test_messages_that_are_due_while_nothing_ends(
        self, api: Api, clock: FakeClock, due_s: float, more: dict[str, Any], status: int
    ) -> None:
        api.message(delay=None)
        if more.get("held_back"):
            api.store.settle([Outcome(c, "release", delay_ms=90_000) for c in take(api.store, 1, 1000).claims])
        if more.get("paused"):
            api.post("/v1/pause")
        clock.advance(due_s)
        figures = Telemetry(clock)
        if more.get("ended"):
            figures.attempts([OUTCOME])
        beat(api, working=more.get("working", []), **figures.snapshot())
        answer = api.get("/health")
        assert answer.status_code == status
        if status == 503:
            assert answer.json["message"] == "Messages have been due for 61 s, and no attempt has ended for a minute."

    def test_what_nobody_serves_is_a_warning_and_no_failure(self, api: Api, clock: FakeClock) -> None:
        api.message(delay=None)
        clock.advance(61)
        beat(api, lanes=["webhook"])
        answer = api.get("/health")
        assert answer.status_code == 200
        assert answer.json["warnings"] == [
            "1 message is due in the lane echo, the first for 61 s, and no living server serves it."
        ]
        beat(api, "other", lanes=["echo"])
        assert api.get("/health").status_code == 503, "of a lane that is served it is a standstill"

    def test_redis_away(self, clock: FakeClock) -> None:
        answer = Api(clock, store=AwayStore()).get("/health")
        assert answer.status_code == 503
        assert answer.json == {"status": "error", "message": "Redis does not answer."}

    def test_redis_full(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        """It was said that no scheduler makes progress: start a server, said the runbook."""
        beat(api)
        monkeypatch.setattr(api.store, "redis_info", lambda: {"full": True})
        answer = api.get("/health")
        assert (answer.status_code, answer.json["message"][:26]) == (503, "Redis is full (maxmemory):")


class TestControl:
    def test_pause_and_resume(self, api: Api) -> None:
        assert api.post("/v1/pause").json == {"paused": True}
        id = api.message(delay=None)
        assert take(api.store, 1, 1000).claims == []
        assert api.post("/v1/resume").json == {"paused": False}
        assert [claim.id for claim in take(api.store, 1, 1000).claims] == [id]


class TestMetrics:
    def test_counts_of_the_store(self, api: Api, clock: FakeClock) -> None:
        api.message(priority="high")
        api.message(delay=None)
        clock.advance(2.5)
        lines = api.get("/metrics").text.splitlines()
        for line in (
            'scheduler_messages{state="scheduled"} 2.0',
            'scheduler_messages{state="due"} 1.0',
            'scheduler_messages{state="dead"} 0.0',
            'scheduler_scheduled{priority="high"} 1.0',
            'scheduler_scheduled{priority="low"} 0.0',
            "scheduler_oldest_due_age_seconds 2.5",
            "scheduler_paused 0.0",
        ):
            assert line in lines

    def test_counts_of_each_lane(self, api: Api, clock: FakeClock) -> None:
        api.message(delay=None)
        api.message(webhook={"url": "https://a.example/"})
        clock.advance(2.5)
        beat(api, lanes=["webhook"])
        lines = api.get("/metrics").text.splitlines()
        for line in (
            'scheduler_lane_due{lane="echo"} 1.0',
            'scheduler_lane_due{lane="webhook"} 0.0',
            'scheduler_lane_oldest_due_age_seconds{lane="echo"} 2.5',
            'scheduler_lane_oldest_due_age_seconds{lane="webhook"} 0.0',
            'scheduler_lane_served{lane="echo"} 0.0',
            'scheduler_lane_served{lane="webhook"} 1.0',
        ):
            assert line in lines

    def test_all_processes_of_all_servers(self, api: Api, clock: FakeClock) -> None:
        mine, other = Telemetry(clock), Telemetry(clock)
        api.message(delay=None)
        outcome = Outcome(take(api.store, 1, 1000).claims[0], "ack", duration_ms=2, lateness_ms=0.5)
        for telemetry in (mine, other):
            telemetry.attempts([outcome])
        beat(api, f"{SERVER}/scheduler", **mine.snapshot())
        beat(api, "worker-without-http/scheduler", **other.snapshot())
        text = api.get("/metrics").text
        assert set(re.findall(r'server="([^"]*)"', text)) == {SERVER, "worker-without-http"}
        for server in (SERVER, "worker-without-http"):
            labels = f'channel="echo",outcome="ack",process="scheduler",server="{server}"'
            assert f"scheduler_attempts_total{{{labels}}} 1.0" in text
        assert "scheduler_lateness_seconds_bucket{" in text
        assert 'route="/v1/messages",server="here",status="201"' in text, "its own figures need no heartbeat"

    def test_what_the_dead_held_is_left_out_and_their_progress_ages(self, api: Api, clock: FakeClock) -> None:
        beat(api, SERVER, gauges={"scheduler_in_flight": 3})
        assert "scheduler_in_flight{" in api.get("/metrics").text
        clock.advance(3.1)
        text = api.get("/metrics").text
        assert "scheduler_in_flight{" not in text
        assert f'scheduler_progress_age_seconds{{process="scheduler",server="{SERVER}"}} 3.1' in text
        assert 'scheduler_processes{process="scheduler"} 0.0' in text

    def test_redis_s_memory(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api.store, "redis_info", lambda: {"used_memory": 1000, "maxmemory": None})
        text = api.get("/metrics").text
        assert "scheduler_redis_used_memory_bytes 1000.0" in text
        assert "scheduler_redis_max_memory_bytes" not in text, "a managed Redis may not tell"
        assert "scheduler_redis_up 1.0" in text

    def test_while_redis_is_away_its_own_figures_and_the_last_of_the_others(
        self, api: Api, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        beat(api, f"{SERVER}/scheduler")
        assert api.get("/metrics").status_code == 200

        def away() -> None:
            raise StoreUnavailable("Redis does not answer")

        monkeypatch.setattr(api.store, "servers", away)
        clock.advance(42)
        answer = api.get("/metrics")
        assert answer.status_code == 200
        assert 'route="/metrics"' in answer.text
        assert f'scheduler_progress_age_seconds{{process="scheduler",server="{SERVER}"}} 42.0' in answer.text
        assert "scheduler_redis_up 0.0" in answer.text
        assert "scheduler_messages" not in answer.text
        assert "scheduler_redis_up 0.0" in Api(clock, store=AwayStore()).get("/metrics").text

    def test_is_what_prometheus_reads(self, api: Api) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        answer = api.get("/metrics")
        assert answer.mimetype == "text/plain"
        names = {family.name for family in text_string_to_metric_families(answer.text)}
        assert {"scheduler_messages", "scheduler_http_requests", "scheduler_oldest_due_age_seconds"} <= names


class TestHeartbeat:
    def runtime(self, clock: FakeClock, log: RecordingLogger, store: Any = None) -> ApiRuntime:
        settings = Settings.model_validate({"server": {"name": SERVER}})
        return ApiRuntime(settings, store or memory_store(clock), clock, adapt(log))

    def test_reports_until_it_stops(self, clock: FakeClock) -> None:
        runtime = self.runtime(clock, RecordingLogger())
        store = runtime.services.store
        assert store.servers() == {}
        runtime.start()
        clock.wait_for_sleeper()
        ((name, snapshot),) = store.servers().items()
        assert name == runtime.name
        assert name.startswith(f"{SERVER}/api-")
        assert snapshot["role"] == "api"
        assert (snapshot["log_lines_lost"], snapshot["gauges"]) == (0, {"scheduler_log_lines_lost": 0})
        clock.advance(1)
        wait_for("the next heartbeat", lambda: store.servers()[name]["age_ms"] == 0)
        runtime.stop()
        assert store.servers() == {}

    def test_stop_without_start_and_without_redis(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runtime(clock, RecordingLogger()).stop()
        runtime = self.runtime(clock, RecordingLogger(), AwayStore())
        runtime.start()
        clock.wait_for_sleeper()
        runtime.stop()
        runtime.stop()


@pytest.mark.parametrize("path", ["/", "/health", "/v1/messages/none"])
def test_before_the_end_answers_close_their_connection_and_health_says_that_it_stops(
    clock: FakeClock, path: str
) -> None:
    api = Api(clock)
    assert "Connection" not in api.get(path).headers
    services_of(api).stopping.set()
    answer = api.get(path)
    assert answer.headers["Connection"] == "close"
    if path == "/health":
        assert (answer.status_code, answer.json["message"]) == (503, "stopping")


def services_of(api: Api) -> Services:
    with api.app.app_context():
        return services()
