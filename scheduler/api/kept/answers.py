"""The answers of ``/echoAtTime``, ``/schedule`` and ``/stats`` as models.  See ``v1/answers.py``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scheduler.api.v1.answers import AnswerModel, Moment
from scheduler.channels.base import Json


class TextOut(AnswerModel):
    """It was done; data says what, or is the key."""

    status: Literal[200]
    data: str


class TaskInfo(AnswerModel):
    """What a task is."""

    key: str
    ttl: float = Field(description="Seconds, as given.")
    retry: int = Field(description="Attempts made.")
    webhook: str
    expires: Moment


class TaskData(AnswerModel):
    """A task and what it sends."""

    info: TaskInfo
    data: Json


class TaskOut(AnswerModel):
    """A task."""

    status: Literal[200]
    data: TaskData


class TasksOut(AnswerModel):
    """Tasks, soonest first."""

    status: Literal[200]
    data: list[TaskData]


class TaskFigures(AnswerModel):
    """Redis and this process."""

    total_redis_keys: int
    running_schedules: int
    cpu_usage: float
    ram_usage: str
    ram_usage_bytes: int
    system_uptime: str
    go_routines: int


class TaskStatsOut(AnswerModel):
    """Figures."""

    status: Literal[200]
    data: TaskFigures


class EchoOut(AnswerModel):
    """The message was stored."""

    status: Literal["success"]
    message: Literal["message scheduled"]
    id: str
    due_at: Moment


class DoneOut(AnswerModel):
    """It was done."""

    status: Literal["success"]
    message: str
