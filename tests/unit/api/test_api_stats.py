"""``/v1/stats`` and ``/v1/preview``: what the dashboard reads."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.api.v1.answers import PreviewOut, StatsOut
from scheduler.message import Outcome
from scheduler.telemetry.figures import Telemetry
from tests.support.api import SERVER, Api
from tests.support.clock import START_MS, FakeClock
from tests.support.store import message, take

REDIS = {
    "version": "7.4.6",
    "used_memory": 1_000_000,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "persistence": "aof",
    "clients": 3,
    "keys": 7,
    "full": False,
}


@pytest.fixture
def api(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(clock)
    # The Redis inside this process does not know INFO; tests/integration asks a real one.
    monkeypatch.setattr(api.store, "redis_info", lambda: REDIS)
    return api


def beat(api: Api, name: str = f"{SERVER}/scheduler", **snapshot: Any) -> None:
    api.store.beat(name, {"role": "scheduler", "progress_age_ms": 0, **snapshot})


def stats(api: Api, **more: Any) -> dict[str, Any]:
    """The answer, checked against its model."""
    answer = api.get("/v1/stats", **more)
    assert answer.status_code == 200, answer.text
    StatsOut.model_validate(answer.json)
    found: dict[str, Any] = answer.json
    return found


class TestStats:
    def test_of_nothing(self, api: Api) -> None:
        shown = stats(api)
        assert shown["scheduled"] == {"total": 0, "high": 0, "normal": 0, "low": 0}
        assert [shown[name] for name in ("due", "retrying", "processing", "dead", "finished")] == [0, 0, 0, 0, 0]
        assert (shown["history"], shown["servers"], shown["events_url"]) == ([], [], None)
        assert (shown["oldest_due_age_ms"], shown["next_due_at"]) == (None, None)
        assert shown["redis_time"] == "2027-01-15T08:00:00.000Z"

    def test_counts(self, api: Api, clock: FakeClock) -> None:
        api.message(priority="high")
        api.message(delay=None)
        api.message(delay=None, priority="low")
        take(api.store, 1, 5000)
        clock.advance(2.5)
        shown = stats(api)
        assert shown["scheduled"] == {"total": 2, "high": 1, "normal": 0, "low": 1}
        assert (shown["due"], shown["processing"]) == (1, 1)
        assert (shown["oldest_due_age_ms"], shown["next_due_at"]) == (2500, "2027-01-15T09:00:00.000Z")

    def test_what_waits_for_another_attempt(self, api: Api) -> None:
        for _ in range(3):
            api.message(delay=None)
        claims = take(api.store, 2, 5000).claims
        api.store.settle([Outcome(claims[0], "retry", delay_ms=1000), Outcome(claims[1], "ack")])
        shown = stats(api)
        assert (shown["scheduled"]["total"], shown["retrying"]) == (2, 1)
        assert 'scheduler_messages{state="retrying"} 1.0' in api.get("/metrics").text

    def test_an_endpoint_that_hangs_hides_nothing(self, api: Api, clock: FakeClock) -> None:
        """5,000 webhooks to it: the age of the oldest was 1 ms, four minutes long."""
        telemetry = Telemetry(clock)
        webhook = {"url": "https://slow.example/hook"}
        id = api.message(delay=None, webhook=webhook)
        for _ in range(12):
            claims = take(api.store, 10, 30_000).claims
            released = [Outcome(c, "release", delay_ms=20_000, destination="slow.example:443") for c in claims]
            telemetry.attempts(released)
            api.store.settle(released)
            clock.advance(20)
        api.message(delay=None)
        beat(api, **telemetry.snapshot())
        shown = stats(api)
        assert shown["oldest_due_age_ms"] == 240_000
        assert shown["held_back"] == {
            "messages": 1,
            "oldest_age_ms": 240_000,
            "destinations": [{"destination": "slow.example:443", "put_off": 3, "oldest_age_ms": 240_000}],
        }
        text = api.get("/metrics").text
        assert "scheduler_oldest_due_age_seconds 240.0" in text
        assert 'scheduler_held_back_total{channel="webhook",destination="slow.example:443"' in text
        claim = next(c for c in take(api.store, 10, 30_000).claims if c.id == id)
        assert clock.now_ms() - claim.due_at == 240_000, "lateness counts from the moment that was asked for"
        api.store.settle([Outcome(claim, "ack", lateness_ms=240_000)])
        assert stats(api)["held_back"]["messages"] == 0

    def test_lanes_and_who_serves_them(self, api: Api, clock: FakeClock) -> None:
        api.message(delay=None)
        api.message()
        api.message(webhook={"url": "https://a.example/"})
        clock.advance(2)
        beat(api, lanes=["webhook"])
        assert stats(api)["lanes"] == [
            {"lane": "echo", "scheduled": 2, "due": 1, "oldest_due_age_ms": 2000, "served": False},
            {"lane": "webhook", "scheduled": 1, "due": 0, "oldest_due_age_ms": None, "served": True},
        ]
        beat(api, "of an older version")
        assert all(lane["served"] for lane in stats(api)["lanes"])

    def test_a_hundred_lanes_are_told_of_at_most(self, api: Api) -> None:
        of_type = [message(f"m{n}", channel="job", type=f"t{n}") for n in range(101)]
        api.store.schedule(of_type)
        assert len(stats(api)["lanes"]) == 100
        assert api.get("/metrics").text.count("scheduler_lane_due{") == 100

    def test_clocks_of_the_servers(self, api: Api) -> None:
        beat(api, clock_skew_ms=-3_600_000)
        assert [server["clock_skew_ms"] for server in stats(api)["servers"]] == [-3_600_000]

    def test_history_of_the_last_15_minutes(self, api: Api, clock: FakeClock) -> None:
        telemetry = Telemetry(clock)
        api.message(delay=None)
        claim = take(api.store, 1, 1000).claims[0]
        telemetry.accepted("echo", 3)
        telemetry.attempts([Outcome(claim, "ack", duration_ms=1, lateness_ms=2), Outcome(claim, "dead")])
        clock.advance(10)
        api.store.beat(f"{SERVER}/scheduler", {"role": "scheduler"}, telemetry.history())
        (point,) = stats(api)["history"]
        assert (point["at"], point["accepted"], point["delivered"], point["failed"]) == (START_MS, 3, 1, 1)
        telemetry.accepted("echo", 5)
        clock.advance(10)
        api.store.beat(f"{SERVER}/scheduler", {"role": "scheduler"}, telemetry.history())
        assert [point["accepted"] for point in stats(api)["history"]] == [3, 5], "what is reported later is seen"
        api.store.beat("another/scheduler", {"role": "scheduler"}, telemetry.history())
        assert [point["accepted"] for point in stats(api)["history"]] == [6, 10]
        clock.advance(15 * 60 - 20)
        assert [point["accepted"] for point in stats(api)["history"]] == [10], "without another report"
        clock.advance(10)
        assert stats(api)["history"] == []

    def test_servers_with_their_role_their_load_and_their_last_sign_of_life(self, api: Api, clock: FakeClock) -> None:
        beat(api, version="1.0.0", pid=7, host="one", started_at=START_MS, in_flight=12, log_lines_lost=3)
        api.store.beat(f"{SERVER}/api-9", {"role": "api", "version": "1.0.0", "pid": 9, "host": "one"})
        clock.advance(2)
        worker, http = sorted(stats(api)["servers"], key=lambda server: str(server["role"]), reverse=True)
        assert worker == {
            "name": f"{SERVER}/scheduler",
            "role": "scheduler",
            "in_flight": 12,
            "last_beat_age_ms": 2000,
            "progress_age_ms": 0,
            "failure": None,
            "clock_skew_ms": None,
            "log_lines_lost": 3,
            "version": "1.0.0",
            "pid": 7,
            "host": "one",
            "started_at": "2027-01-15T08:00:00.000Z",
        }
        assert (http["role"], http["in_flight"], http["started_at"]) == ("api", 0, None)
        assert (http["progress_age_ms"], http["failure"]) == (None, None)

    @pytest.mark.parametrize(
        ("snapshot", "failure"),
        [
            ({"progress_age_ms": 4000}, None),
            ({"progress_age_ms": 42_400}, "no progress for 42 s"),
            ({"failure": "channel webhook: OSError: no more"}, "channel webhook: OSError: no more"),
            ({"role": "api", "progress_age_ms": None}, None),
        ],
    )
    def test_a_server_that_reports_and_delivers_nothing_says_why(
        self, api: Api, snapshot: dict[str, Any], failure: str | None
    ) -> None:
        beat(api, **snapshot)
        (server,) = stats(api)["servers"]
        assert server["failure"] == failure

    def test_a_server_that_went_silent_is_not_taken_for_one_that_hangs(self, api: Api, clock: FakeClock) -> None:
        beat(api)
        clock.advance(30)
        assert [server["failure"] for server in stats(api)["servers"]] == [None]

    def test_a_server_that_went_silent_is_shown_for_a_minute(self, api: Api, clock: FakeClock) -> None:
        beat(api)
        clock.advance(60)
        assert [server["last_beat_age_ms"] for server in stats(api)["servers"]] == [60_000]
        clock.advance(0.001)
        assert stats(api)["servers"] == []


class TestEventsUrl:
    def test_on_the_host_name_that_the_client_used(self, clock: FakeClock) -> None:
        api = Api(clock, {"server": {"host": "0.0.0.0"}})
        beat(api, events_port=3001)
        assert (
            stats(api, headers={"Host": "ops.example.com:8080"})["events_url"] == "ws://ops.example.com:3001/v1/events"
        )
        assert stats(api, headers={"Host": "[::1]:3000"})["events_url"] == "ws://[::1]:3001/v1/events"

    def test_of_this_server_before_another(self, api: Api) -> None:
        beat(api, "another/scheduler", events_port=3001)
        assert stats(api)["events_url"] == "ws://localhost:3001/v1/events"
        beat(api, events_port=4001)
        assert stats(api)["events_url"] == "ws://localhost:4001/v1/events"

    def test_null_when_nobody_shows_any(self, api: Api, clock: FakeClock) -> None:
        beat(api, events_port=None)
        assert stats(api)["events_url"] is None
        beat(api, events_port=3001)
        clock.advance(3.1)
        assert stats(api)["events_url"] is None

    @pytest.mark.parametrize(
        ("public", "expected"),
        [
            ("https://ops.example.com/scheduler/", "wss://ops.example.com/scheduler/v1/events"),
            ("http://ops.example.com:8080", "ws://ops.example.com:8080/v1/events"),
        ],
    )
    def test_where_the_public_url_is_whichever_server_answers(
        self, clock: FakeClock, public: str, expected: str
    ) -> None:
        api = Api(clock, {"server": {"public_url": public}})
        assert stats(api)["events_url"] is None
        beat(api, "another/scheduler", events_port=3001)
        assert stats(api)["events_url"] == expected


class TestPreview:
    @pytest.mark.parametrize(
        ("body", "due_at", "local", "zone"),
        [
            ({}, "2027-01-15T08:00:00.000Z", "2027-01-15T08:00:00.000+00:00", "UTC"),
            ({"delay": "1h30m"}, "2027-01-15T09:30:00.000Z", "2027-01-15T09:30:00.000+00:00", "UTC"),
            (
                {"time": "2027-07-01T09:00:00", "timezone": "Europe/Berlin"},
                "2027-07-01T07:00:00.000Z",
                "2027-07-01T09:00:00.000+02:00",
                "Europe/Berlin",
            ),
            # The clocks skip from 02:00 to 03:00.
            (
                {"time": "2027-03-28T02:30:00", "timezone": "Europe/Berlin"},
                "2027-03-28T01:30:00.000Z",
                "2027-03-28T03:30:00.000+02:00",
                "Europe/Berlin",
            ),
            (
                {"time": "9999-12-31T23:00:00Z", "timezone": "Europe/Berlin"},
                "9999-12-31T23:00:00.000Z",
                None,
                "Europe/Berlin",
            ),
        ],
    )
    def test_says_when_and_stores_nothing(
        self, api: Api, body: dict[str, Any], due_at: str, local: str | None, zone: str
    ) -> None:
        answer = api.post("/v1/preview", body)
        assert answer.status_code == 200, answer.text
        PreviewOut.model_validate(answer.json)
        assert (answer.json["due_at"], answer.json["local"], answer.json["timezone"]) == (due_at, local, zone)
        assert stats(api)["scheduled"]["total"] == 0

    def test_goes_by_the_clock_of_redis(self, api: Api, clock: FakeClock) -> None:
        api.redis_time.synchronise(clock.now_ms() - 3_600_000)
        assert api.post("/v1/preview", {"delay": 60}).json["due_at"] == "2027-01-15T07:01:00.000Z"

    def test_is_what_a_message_would_get(self, api: Api) -> None:
        when = {"time": "2027-07-01T09:00:00", "timezone": "Europe/Berlin"}
        preview = api.post("/v1/preview", when).json
        message = api.post("/v1/messages", {"message": "x", **when}).json
        assert (preview["due_at"], preview["due_at_ms"]) == (message["due_at"], message["due_at_ms"])

    @pytest.mark.parametrize(
        ("body", "field"),
        [({"time": "tomorrow"}, "time"), ({"time": 9e9, "delay": 1}, "delay"), ({"timezone": "UTC"}, "timezone")],
    )
    def test_refuses_what_a_message_would_be_refused_for(self, api: Api, body: dict[str, Any], field: str) -> None:
        answer = api.post("/v1/preview", body)
        assert answer.status_code == 400
        assert [fault["field"] for fault in answer.json["errors"]] == [field]
