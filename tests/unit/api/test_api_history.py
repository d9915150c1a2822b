"""``/v1/history``: finished messages from the database, as pages, as streams, summed up, and sent again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from scheduler.api.v1.answers import ArchiveOut, MessageDetail, PageOut
from scheduler.api.v1.history_models import SummaryOut
from scheduler.errors import HistoryUnavailable
from scheduler.history import Database, open_database
from scheduler.jobs import load
from scheduler.telemetry.histograms import bucket_of
from tests.support.api import Api
from tests.support.clock import START_MS, FakeClock
from tests.support.history import finished

HOUR = 3_600_000
WEBHOOK: dict[str, Any] = {"channel": "webhook", "destination": "hooks.example.com"}


@pytest.fixture
def api(clock: FakeClock, database: Database) -> Api:
    return Api(clock, {"webhook": {"allowed_networks": "hooks.example.com"}}, history=database)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    PageOut.model_validate(answer.json)
    return [message["id"] for message in answer.json["messages"]]


def test_a_list_reads_as_that_of_messages_does(api: Api, database: Database) -> None:
    database.write([finished("a"), finished("b", 1, status="dead", last_error="boom")])
    answer = api.get("/v1/history")
    assert ids(answer) == ["b", "a"]
    assert answer.json["next_cursor"] is None
    assert answer.json["messages"][1] == {
        "id": "a",
        "status": "delivered",
        "channel": "echo",
        "message": "a",
        "scheduled_for": "2027-01-15T07:59:59.995Z",
        "due_at": "2027-01-15T07:59:59.995Z",
        "due_at_ms": START_MS - 5,
        "priority": "normal",
        "flow": None,
        "attempt": 1,
        "max_attempts": 5,
        "created_at": "2027-01-15T07:59:59.990Z",
        "updated_at": "2027-01-15T08:00:00.000Z",
        "last_error": None,
    }


def test_a_message_of_a_schedule_names_it(api: Api, database: Database) -> None:
    database.write([finished("daily:1800000000000", schedule_id="daily", run="1 catch_up"), finished("b")])
    (shown,) = api.get("/v1/history?schedule=daily").json["messages"]
    assert (shown["schedule_id"], shown["origin"]) == ("daily", "catch_up")


def test_pages_and_filters(api: Api, database: Database) -> None:
    database.write([finished(f"m{n:02}", n, status="dead" if n % 2 else "delivered") for n in range(20)])
    first = api.get("/v1/history?status=dead&limit=4")
    assert ids(first) == ["m19", "m17", "m15", "m13"]
    rest = api.get(f"/v1/history?status=dead&limit=100&cursor={first.json['next_cursor']}")
    assert ids(rest) == ["m11", "m09", "m07", "m05", "m03", "m01"]
    assert ids(api.get("/v1/history?since=2027-01-15T08:00:00.018Z")) == ["m19", "m18"]
    assert ids(api.get("/v1/history?by=due&until=2027-01-15T07:59:59.996Z")) == ["m01", "m00"]
    assert ids(api.get("/v1/history?text=M07")) == ["m07"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=scheduled", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("by=birth", "by"),
        ("destination=", "destination"),
        ("destination=a%00", "destination"),
        ("text=%00", "text"),
        ("schedule=a%00", "schedule"),
        ("flow_key=a%00", "flow_key"),
        ("type=a%00", "type"),
        ("channel=fax", "channel"),
        ("since=yesterday-ish", "since"),
        ("nonsense=1", "nonsense"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(api: Api, query: str, field: str) -> None:
    answer = api.get(f"/v1/history?{query}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == field


def test_a_cursor_of_another_order_is_refused(api: Api, database: Database) -> None:
    database.write([finished(f"m{n}", n) for n in range(3)])
    cursor = api.get("/v1/history?limit=1").json["next_cursor"]
    assert api.get(f"/v1/history?by=due&cursor={cursor}").status_code == 400


def test_without_a_history(clock: FakeClock) -> None:
    api = Api(clock)
    for path in ("/v1/history", "/v1/history/a", "/v1/history/summary"):
        answer = api.get(path)
        assert answer.status_code == 404
        assert "History.Url" in answer.json["detail"]
    assert api.get("/v1/messages/a").status_code == 404


def test_the_database_is_away(clock: FakeClock) -> None:
    class Away:
        def __getattr__(self, name: str) -> Any:
            def refuse(*_: Any) -> Any:
                raise HistoryUnavailable("password=hunter2 refused")

            return refuse

    away: Any = Away()
    api = Api(clock, history=away)
    for path in ("/v1/history", "/v1/history/a", "/v1/history/summary", "/v1/messages/a"):
        for accept in ("application/json", "text/csv"):
            answer = api.get(path, headers={"Accept": accept})
            assert answer.status_code == 503, path
            assert answer.headers["Retry-After"]
            assert "database of the history" in answer.json["detail"]
            assert "hunter2" not in answer.text
    assert api.get(f"/v1/messages/{api.message()}").status_code == 200


def test_one_message_with_its_attempts_here_and_at_messages(api: Api, database: Database) -> None:
    attempts = [{"attempt": 1, "started_at": START_MS, "duration_ms": 1.5, "lateness_ms": 0.5, "outcome": "delivered"}]
    database.write([finished("a", attempts=json.dumps(attempts))])
    answer = api.get("/v1/history/a")
    MessageDetail.model_validate(answer.json)
    assert answer.json["attempts"] == [{**attempts[0], "started_at": "2027-01-15T08:00:00.000Z"}]
    assert api.get("/v1/messages/a").json == answer.json
    assert api.get("/v1/history/b").status_code == 404
    assert api.get("/v1/messages/b").status_code == 404
    assert api.get("/v1/history/%20").status_code == 404


def test_a_message_that_redis_has_is_read_from_redis(api: Api, database: Database) -> None:
    id = api.message()
    database.write([finished(id, status="dead")])
    assert api.get(f"/v1/messages/{id}").json["status"] == "scheduled"


def test_a_payload_that_was_left_out(api: Api, database: Database) -> None:
    database.write([finished("a", payload=None, payload_sha256="0" * 64), finished("b", 1, payload=None)])
    hashed, gone = api.get("/v1/history/a").json, api.get("/v1/history/b").json
    assert (hashed["message"], hashed["message_kept"], hashed["message_sha256"]) == (None, False, "0" * 64)
    assert (gone["message"], gone["message_kept"], "message_sha256" in gone) == (None, False, False)
    answer = api.post("/v1/history/a/redrive")
    assert answer.status_code == 409
    assert "did not keep its payload" in answer.json["detail"]


def test_a_redrive_is_a_new_message_that_names_the_old_one(api: Api, database: Database, clock: FakeClock) -> None:
    target = json.dumps({"url": "https://hooks.example.com/x", "method": "PUT", "headers": {"X-Order": "7"}})
    more = {"target": target, "priority": "high", "retry": "7,1.0,2.0,60.0,1", **WEBHOOK}
    database.write([finished("old", status="dead", **more)])
    answer = api.post("/v1/history/old/redrive")
    assert answer.status_code == 201, answer.text
    new = api.get(answer.headers["Location"]).json
    assert new["id"] != "old"
    assert (new["status"], new["message"], new["priority"], new["max_attempts"]) == ("scheduled", "old", "high", 7)
    assert new["webhook"] == {"url": "https://hooks.example.com/x", "method": "PUT", "headers": {"X-Order": "7"}}
    assert new["due_at_ms"] == clock.now_ms()
    assert new["redriven_from"] == answer.json["redriven_from"] == "old"
    assert ids(api.get("/v1/messages")) == [new["id"]]
    assert api.get("/v1/messages").json["messages"][0]["redriven_from"] == "old"


def test_a_redrive_that_is_sent_again_stores_nothing_more(api: Api, database: Database) -> None:
    database.write([finished("old")])
    key = {"Idempotency-Key": "once"}
    first, again = (api.post("/v1/history/old/redrive", headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json["id"] == again.json["id"]
    assert api.post("/v1/history/nobody/redrive").status_code == 404


@pytest.mark.parametrize(
    "target",
    [
        {"url": "https://***@hooks.example.com/"},
        {"url": "https://hooks.example.com/?token=***"},
        {"url": "https://hooks.example.com/", "headers": {"Authorization": "***"}},
        {"url": "http://169.254.169.254/latest"},
    ],
)
def test_what_cannot_be_sent_as_it_was_is_not_sent(api: Api, database: Database, target: dict[str, Any]) -> None:
    database.write([finished("old", target=json.dumps(target), **WEBHOOK)])
    answer = api.post("/v1/history/old/redrive")
    assert answer.status_code == 409
    assert "cannot be sent again as it was: webhook" in answer.json["detail"]
    assert ids(api.get("/v1/messages")) == []


def test_a_job_is_sent_again_to_the_handler_of_its_type(api: Api, database: Database) -> None:
    load(["scheduler.jobs.examples"], "")
    for id, type in (("j", "wait"), ("k", "gone")):
        database.write([finished(id, channel="job", type=type, payload="{}")])
    assert api.post("/v1/history/k/redrive").status_code == 409
    answer = api.post("/v1/history/j/redrive")
    assert answer.status_code == 201, answer.text
    assert answer.json["job"] == {"type": "wait"}


def test_csv_cannot_be_taken_for_formulas(api: Api, database: Database) -> None:
    database.write(
        [
            finished("a", payload='"1,2\\n3"', last_error="=HYPERLINK(1)"),
            finished("-b", 1, type="@x", payload="-1"),
        ]
    )
    answer = api.get("/v1/history", headers={"Accept": "text/csv"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "history.csv" in answer.headers["Content-Disposition"]
    first, second = csv.DictReader(io.StringIO(answer.text))
    assert (first["id"], first["type"], first["message"]) == ("'-b", "'@x", "'-1")
    assert (second["id"], second["last_error"], second["message"]) == ("a", "'=HYPERLINK(1)", '"1,2\\n3"')
    assert second["finished_at"] == "2027-01-15T08:00:00.000Z"


def test_everything_is_streamed_page_by_page(api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.api.v1.history.EXPORT_PAGE", 10)
    database.write([finished(f"m{n:03}", n) for n in range(95)])
    headers = {"Accept": "application/x-ndjson"}
    lines = [json.loads(line) for line in api.get("/v1/history", headers=headers).text.splitlines()]
    assert [line["id"] for line in lines] == [f"m{n:03}" for n in reversed(range(95))]
    MessageDetail.model_validate(lines[0])
    some = api.get("/v1/history?limit=25&until=2027-01-15T08:00:00.049Z", headers=headers).text.splitlines()
    assert [json.loads(line)["id"] for line in some] == [f"m{n:03}" for n in reversed(range(25, 50))]
    assert len(api.get("/v1/history", headers={"Accept": "text/csv"}).text.splitlines()) == 96
    assert len(api.get("/v1/history?limit=5", headers={"Accept": "text/html,*/*"}).json["messages"]) == 5


def test_an_export_holds_one_page_at_a_time(api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.api.v1.history.EXPORT_PAGE", 10)
    database.write([finished(f"m{n:03}", n) for n in range(100)])
    read: list[Any] = []
    page = database.page

    def counted(*asked: Any) -> Any:
        read.append(asked)
        return page(*asked)

    monkeypatch.setattr(database, "page", counted)
    answer = api.client.get("/v1/history", headers={"Accept": "text/csv"}, buffered=False)
    chunks = iter(answer.iter_encoded())
    next(chunks)
    next(chunks)
    assert len(read) == 1, "the next page is read when somebody takes it"
    answer.close()


def test_the_summary_counts_by_slot_and_channel(api: Api, database: Database) -> None:
    def row(name: str, at_hour: float, status: str = "delivered", late: float | None = 1.0, **more: Any) -> Any:
        bucket = bucket_of(late) if late is not None else None
        return finished(name, round(at_hour * HOUR), status=status, lateness_bucket=bucket, **more)

    rows = [row(f"e{n}", -2 + n / 100, late=n + 1.0) for n in range(100)]
    rows += [row("d", -1.5, "dead", 100.0), row("c", -1.4, "cancelled", None), row("w", -1.3, "dead", **WEBHOOK)]
    rows += [row("old", -49.1), row("later", -0.5)]
    database.write(rows)
    answer = api.get("/v1/history/summary")
    SummaryOut.model_validate(answer.json)
    assert answer.json["by"] == "hour"
    first, web, last = answer.json["slots"]
    assert (first["at"], first["channel"]) == ("2027-01-15T06:00:00.000Z", "echo")
    assert (first["delivered"], first["dead"], first["cancelled"]) == (100, 1, 1)
    assert first["failure_rate"] == round(1 / 101, 4)
    assert first["lateness_ms"]["p50"] == pytest.approx(50, rel=0.06)
    assert first["lateness_ms"]["p99"] == pytest.approx(100, rel=0.06)
    assert (web["channel"], web["dead"], web["failure_rate"]) == ("webhook", 1, 1.0)
    assert (last["at"], last["delivered"]) == ("2027-01-15T07:00:00.000Z", 1)
    days = api.get("/v1/history/summary?by=day&channel=echo").json["slots"]
    assert [(slot["at"], slot["delivered"]) for slot in days] == [
        ("2027-01-13T00:00:00.000Z", 1),
        ("2027-01-15T00:00:00.000Z", 101),
    ]


def test_a_summary_of_a_day_with_only_cancelled_messages_has_no_rate(api: Api, database: Database) -> None:
    database.write([finished("c", -1, status="cancelled", lateness_bucket=None)])
    (slot,) = api.get("/v1/history/summary").json["slots"]
    assert (slot["cancelled"], slot["failure_rate"]) == (1, None)
    assert slot["lateness_ms"] == {"p50": None, "p99": None}


@pytest.mark.parametrize("query", ["since=2026-01-01", "since=2027-06-01", "by=minute", "since=2020-01-01&by=day"])
def test_a_summary_of_too_long_a_time_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/v1/history/summary?{query}").status_code == 400


def test_stats_health_and_metrics_tell_what_waits_for_the_database(clock: FakeClock, tmp_path: Path) -> None:
    from tests.support.store import outcomes, store_on, take

    settings: dict[str, Any] = {"history": {"url": f"sqlite:///{tmp_path}/history.db", "outbox_max_bytes": 2**20}}
    store = store_on(fakeredis.FakeRedis(decode_responses=True), clock.now_ms, outbox_bytes=2**20)
    api = Api(clock, settings, store=store, history=open_database(settings["history"]["url"]))
    api.message(delay=0)
    store.settle(outcomes(take(store, 1, 1000)))
    clock.advance(2)
    beat = {"role": "scheduler", "progress_age_ms": 0, "counters": [], "gauges": {"scheduler_history_up": 0.0}}
    store.beat("here/scheduler", beat)
    shown = api.get("/v1/stats").json["archive"]
    ArchiveOut.model_validate(shown)
    assert shown.pop("bytes") > 150
    assert shown == {
        "messages": 1,
        "max_bytes": 2**20,
        "oldest_age_ms": 2000,
        "dropped": 0,
        "away": ["here/scheduler"],
    }
    health = api.get("/health")
    assert health.status_code == 200
    assert "here/scheduler: finished messages wait" in health.json["warnings"][0]
    metrics = api.get("/metrics").text
    assert "scheduler_outbox_messages 1.0" in metrics
    assert "scheduler_outbox_oldest_age_seconds 2.0" in metrics


def test_stats_without_a_history(clock: FakeClock) -> None:
    assert Api(clock).get("/v1/stats").json["archive"] is None
