"""``Schedules.File``: the schedules that a deployment wants to exist, put at the start as PUT would."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from scheduler.api.http.body import parse_json
from scheduler.api.http.validate import validate
from scheduler.api.v1.names import OwnScheduleId
from scheduler.api.v1.schedule_convert import definition
from scheduler.api.v1.schedule_models import Label, SchedulePut
from scheduler.config.settings import Settings
from scheduler.errors import ConfigError, Conflict, InvalidInput
from scheduler.logs.sinks import ServiceLog
from scheduler.schedule import Definition
from scheduler.schedules import changing
from scheduler.store import MessageStore

_KEY = "Schedules.File"


class _Entry(SchedulePut):
    """One schedule of the file: the body of PUT, and its id."""

    id: OwnScheduleId


class ScheduleFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    label: Label | None = Field(default=None, description="Given to each of its schedules.")
    delete_others: bool = Field(default=False, description="Delete what has the label and is not in the file any more.")
    schedules: Annotated[list[dict[str, Any]], Field(max_length=10_000)] = []


def apply(settings: Settings, store: MessageStore, log: ServiceLog) -> None:
    """Put the schedules of the file.  Raises ``ConfigError`` that names what is wrong; none is put then."""
    if not settings.schedules.file:
        return
    file = _read(Path(settings.schedules.file))
    now_ms = store.counts().redis_ms
    asked = _asked(file, now_ms, settings)
    changed = 0
    for id, (wanted, paused) in asked.items():
        before = store.find_schedule(id)
        try:
            after, _ = changing.put(store, id, wanted, paused=paused, now_ms=now_ms)
        except Conflict as error:
            # Another server that starts at the same time puts the same schedules.
            log.warning(f"{_KEY}: {error}")
            continue
        except InvalidInput as error:
            # Its end may have passed since the file was written: the service must start all the same.
            log.warning(f"{_KEY}: schedule {id!r} is left out: {error}")
            continue
        changed += before is None or before.revision != after.revision
    deleted = _delete_others(file, asked, store) if file.delete_others else 0
    log.info(f"{_KEY}: schedules: {len(asked)}, of them new or changed: {changed}, others deleted: {deleted}.")


def _read(path: Path) -> ScheduleFile:
    try:
        text = path.read_text("utf-8-sig")
        data = _parsed(_from_toml(text) if path.suffix.lower() == ".toml" else text)
        file = validate(ScheduleFile, data)
    except OSError as error:
        raise ConfigError([f"{_KEY}: {path} cannot be read: {error.strerror or error}"]) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ConfigError([f"{_KEY}: {path} is not valid {path.suffix[1:].upper() or 'JSON'}: {error}"]) from None
    except InvalidInput as error:
        raise ConfigError(
            [f"{_KEY}: {path}: {fault.field or 'the file'}: {fault.message}" for fault in error.errors]
        ) from None
    if file.delete_others and file.label is None:
        raise ConfigError(
            [f"{_KEY}: {path}: delete_others: needs a label, by which the schedules of the file are known"]
        )
    return file


def _from_toml(text: str) -> str:
    # TOML has dates and times of its own; everything else here takes them as text.
    return json.dumps(tomllib.loads(text), default=lambda value: value.isoformat())


def _parsed(text: str) -> Any:
    """Return the value of a JSON text, by the rules of a request.  Raises ``ValueError``."""
    try:
        return parse_json(text.encode())
    except InvalidInput as error:
        raise ValueError(error.errors[0].message.removeprefix("the body is not valid JSON: ")) from None


def _asked(file: ScheduleFile, now_ms: int, settings: Settings) -> dict[str, tuple[Definition, bool | None]]:
    """By id what each asks for, and whether it is paused (None: as it is)."""
    asked: dict[str, tuple[Definition, bool | None]] = {}
    problems: list[str] = []
    for number, body in enumerate(file.schedules, 1):
        name = f"{settings.schedules.file}: schedule {body.get('id', number)!r}"
        try:
            entry = validate(_Entry, body)
            if entry.id in asked:
                problems.append(f"{_KEY}: {name}: id: is given twice")
            if file.label is not None:
                entry.labels = [*(entry.labels or ()), file.label]
            asked[entry.id] = (definition(entry, entry.id, now_ms, settings), entry.paused)
        except InvalidInput as error:
            problems += [f"{_KEY}: {name}: {fault.field}: {fault.message}" for fault in error.errors]
    if problems:
        raise ConfigError(problems)
    return asked


def _delete_others(file: ScheduleFile, asked: dict[str, tuple[Definition, bool | None]], store: MessageStore) -> int:
    others: list[str] = []
    cursor: str | None = None
    while True:
        page = store.schedules(label=file.label, limit=500, cursor=cursor)
        others += [schedule.id for schedule in page.schedules if schedule.id not in asked]
        if (cursor := page.next_cursor) is None:
            break
    for id in others:
        changing.delete(store, id)
    return len(others)
