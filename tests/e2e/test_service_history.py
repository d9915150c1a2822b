"""The history of the real service with its default database: readable at any moment, after retention and a kill."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from pathlib import Path

from tests.support.service import Service
from tests.support.waiting import wait_for

COUNT = 40
ENV = {"HISTORY__URL": "auto", "RETENTION__MAXCOUNT": "0", "RETENTION__TRIMSECONDS": "0.05"}
"""Redis deletes what has ended as soon as the history has it."""


def is_delivered(service: Service, id: str) -> bool:
    answer = service.get(f"/v1/messages/{id}")
    assert answer.status == 200, f"{id} is neither in Redis nor in the history: {answer}"
    return bool(answer.json()["status"] == "delivered")


def test_a_message_is_always_readable_and_outlives_redis_and_a_kill(short_tmp: Path) -> None:
    with Service(short_tmp / "s", env=ENV) as service:
        batch = {"messages": [{"message": f"m{n}"} for n in range(COUNT)]}
        ids = [one["id"] for one in service.request("POST", "/v1/messages/batch", batch).json()["messages"]]
        for id in ids:
            wait_for("delivered, and readable all the time", partial(is_delivered, service, id))

        def forgotten() -> bool:
            assert is_delivered(service, ids[0])
            return bool(service.get("/v1/stats").json()["finished"] == 0)

        wait_for("Redis has deleted them all", forgotten)
        assert service.get("/v1/messages").json()["messages"] == []
        later = service.request("POST", "/v1/messages", {"message": "after"}).json()["id"]
        wait_for("delivered", lambda: is_delivered(service, later))
        service.kill()
        service.start()
        listed = wait_for("archived", lambda: _all_of(service, COUNT + 1))
        assert sorted(listed) == sorted([*ids, later])
        assert is_delivered(service, later)
        lines = service.request("GET", "/v1/history", headers={"Accept": "application/x-ndjson"}).text.splitlines()
        assert {json.loads(line)["id"] for line in lines} == {*ids, later}
        table = service.request("GET", "/v1/history?limit=3", headers={"Accept": "text/csv"}).text
        assert [row["status"] for row in csv.DictReader(io.StringIO(table))] == ["delivered"] * 3
        (slot,) = service.get("/v1/history/summary").json()["slots"][-1:]
        assert slot["delivered"] > 0
        assert (service.data / "history.db").is_file()


def _all_of(service: Service, count: int) -> list[str] | None:
    answer = service.get("/v1/history?limit=1000")
    ids = [str(one["id"]) for one in answer.json()["messages"]] if answer.status == 200 else []
    return ids if len(ids) == count else None
