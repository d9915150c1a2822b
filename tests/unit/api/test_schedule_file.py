"""Schedules.File: put at the start, again and again; what is wrong with it is said before anything is put."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.api.v1.schedule_file import apply
from scheduler.config.settings import Settings
from scheduler.errors import ConfigError
from scheduler.logs.sinks import adapt
from scheduler.schedules import changing
from scheduler.store import MessageStore
from tests.support.api import memory_store
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger

TOML = """
label = "deploy"
delete_others = true

[[schedules]]
id = "nightly"
cron = "30 2 * * *"
timezone = "Europe/Berlin"
message = {report = "sales", since = 2026-12-31T00:00:00Z}
start = 2027-02-01T00:00:00Z

[[schedules]]
id = "ticks"
every = "15m"
message = "tick"
labels = ["ops"]
"""


@pytest.fixture
def store(clock: FakeClock) -> MessageStore:
    return memory_store(clock)


def put(store: MessageStore, path: Path, content: str) -> RecordingLogger:
    path.write_text(content)
    log = RecordingLogger()
    apply(Settings.model_validate({"schedules": {"file": str(path)}}), store, adapt(log))
    return log


def ids(store: MessageStore) -> set[str]:
    return {schedule.id for schedule in store.schedules().schedules}


def test_they_are_put_once_and_left_as_they_are(store: MessageStore, tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "schedules.toml"
    log = put(store, path, TOML)
    assert log.count("Schedules.File: schedules: 2, of them new or changed: 2, others deleted: 0.") == 1
    ticks = store.schedule_with("ticks")
    assert ticks.definition.labels == ("ops", "deploy")
    nightly = store.schedule_with("nightly").definition
    assert (nightly.start, nightly.template.payload) == (
        1_801_440_000_000, '{"report":"sales","since":"2026-12-31T00:00:00+00:00"}',
    )  # fmt: skip
    clock.advance(100)
    assert put(store, path, TOML).count("schedules: 2, of them new or changed: 0") == 1
    assert store.schedule_with("ticks") == ticks or store.schedule_with("ticks").next_run == ticks.next_run


def test_a_byte_order_mark_is_no_part_of_it(store: MessageStore, tmp_path: Path) -> None:
    put(store, tmp_path / "schedules.toml", "\ufeff" + TOML)
    assert ids(store) == {"nightly", "ticks"}


def test_an_end_that_has_passed_does_not_keep_the_service_from_starting(
    store: MessageStore, tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "schedules.toml"
    ending = TOML.replace('every = "15m"', 'every = "15m"\nend = 2027-01-15T09:00:00Z')
    put(store, path, ending)
    clock.advance(7200)
    assert put(store, path, ending).count("schedules: 2, of them new or changed: 0") == 1
    store.open()
    for schedule in ("ticks", "nightly"):
        changing.delete(store, schedule)
    assert put(store, path, ending).count("schedule 'ticks' is left out: end: lies before the first run") == 1
    assert ids(store) == {"nightly"}


def test_what_it_no_longer_names_goes_only_when_it_says_so(store: MessageStore, tmp_path: Path) -> None:
    path = tmp_path / "schedules.toml"
    put(store, path, TOML)
    only = TOML.split('\n[[schedules]]\nid = "ticks"', maxsplit=1)[0]
    put(store, path, only.replace("delete_others = true", ""))
    assert ids(store) == {"nightly", "ticks"}
    other = json.dumps({"schedules": [{"id": "by-hand", "every": "1h", "message": 1}]})
    put(store, tmp_path / "other.json", other)
    assert put(store, path, only).count("others deleted: 1") == 1
    assert ids(store) == {"nightly", "by-hand"}, "what has not its label is another's"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", "{", "is not valid JSON"),
        ("a.json", '{"schedules": [{"id": "x", "every": 90, "message": NaN}]}', "is not valid JSON"),
        ("a.json", '{"schedules": [{"id": "x", "every": 90, "message": "\\ud800"}]}', "is not valid JSON"),
        ("a.toml", '[[schedules]]\nid = "x"\nevery = 90\nmessage = inf', "is not valid TOML"),
        ("a.json", "[]", "the file: must be a JSON object"),
        ("a.toml", "schedules = [", "is not valid TOML"),
        ("a.json", {"schedule": []}, "schedule: unknown field; did you mean schedules?"),
        ("a.json", {"schedules": [{"every": "1h", "message": 1}]}, "schedule 1: id: is required"),
        ("a.json", {"schedules": [{"id": "preview", "every": "1h", "message": 1}]}, "id: 'preview' cannot be part of"),
        ("a.json", {"schedules": [{"id": "x", "cron": "61 * * * *", "message": 1}]}, "schedule 'x': cron: "),
        ("a.json", {"schedules": [{"id": "x", "every": "1h", "message": 1}] * 2}, "schedule 'x': id: is given twice"),
        ("a.json", {"delete_others": True}, "delete_others: needs a label"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_put(
    store: MessageStore, tmp_path: Path, name: str, content: Any, says: str
) -> None:
    good = {"id": "good", "every": "1h", "message": 1}
    if isinstance(content, dict) and "schedules" in content:
        content = {"schedules": [good, *content["schedules"]]}
        says = says.replace("schedule 1:", "schedule 2:")
    with pytest.raises(ConfigError) as caught:
        put(store, tmp_path / name, content if isinstance(content, str) else json.dumps(content))
    assert says in str(caught.value)
    assert str(caught.value).startswith("Schedules.File: ")
    assert ids(store) == set()


def test_a_file_that_is_not_there(store: MessageStore, tmp_path: Path) -> None:
    settings = Settings.model_validate({"schedules": {"file": str(tmp_path / "none.json")}})
    with pytest.raises(ConfigError, match=r"Schedules.File: .*none.json cannot be read: No such file or directory"):
        apply(settings, store, adapt(RecordingLogger()))
