"""The answers as models, for ``/openapi.json`` and for the tests that compare live answers with it.

Answers are not built from these (convert.py builds them, at a fraction of the cost): a test validates what was sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from scheduler.api.v1.flow_models import MessageFlowOut
from scheduler.api.v1.models import PriorityName, StatusName
from scheduler.channels.base import Json
from scheduler.channels.registry import CHANNELS

Moment = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "description": "ISO 8601, UTC, milliseconds."})
]


class AnswerModel(BaseModel):
    """The base of all answers: no other fields than these."""

    model_config = ConfigDict(extra="forbid")


class AttemptOut(BaseModel):
    """One try to deliver.  Channels add evidence of their own: status_code, response, traceback."""

    attempt: int
    started_at: Moment
    outcome: Literal["delivered", "failed", "lost"] = Field(
        description="lost: its server stopped answering, and the lock expired."
    )
    duration_ms: float | None = Field(default=None, description="Not there of a lost attempt: nobody measured it.")
    lateness_ms: float | None = Field(
        default=None, description="Begin of the attempt after its moment; not there of a lost one."
    )
    flow_wait_ms: int | None = Field(
        default=None, description="The part of the lateness for which its flow key kept it back."
    )
    error: str | None = Field(default=None, description="What went wrong; not there of one that delivered.")


class _Shown(AnswerModel):
    id: str
    status: StatusName
    channel: str
    message: Json
    scheduled_for: Moment = Field(
        description="The moment asked for.  A change of it and a redrive move it; retries and back-pressure do not."
    )
    due_at: Moment = Field(description="Of the next attempt; of the last one once there is none to come.")
    due_at_ms: int
    priority: PriorityName
    flow: MessageFlowOut | None = Field(description="Null: it has no flow key.")
    attempt: int = Field(description="Attempts made so far.")
    max_attempts: int = Field(description="-1: without limit.")
    created_at: Moment
    updated_at: Moment
    last_error: str | None = Field(
        description="Of the last attempt that failed; null once delivered.  The attempts keep what went wrong before."
    )
    schedule_id: str | None = Field(default=None, description="Only of a message that a schedule made.")
    origin: Literal["plan", "catch_up", "backfill", "run"] | None = Field(
        default=None, description="How the schedule came to make it."
    )
    redriven_from: str | None = Field(
        default=None, description="The message of the history that this one repeats; not there for any other."
    )
    message_kept: bool | None = Field(
        default=None, description="False: the history left the payload out, and message is null."
    )
    message_sha256: str | None = Field(default=None, description="Of the payload that was left out, in hexadecimal.")


_of_channels: dict[str, Any] = {name: field for kind in CHANNELS.values() for name, field in kind.answer_fields.items()}
_WithChannels: Any = create_model("_WithChannels", __base__=_Shown, **_of_channels)


class MessageOut(_WithChannels):  # type: ignore[misc]  # mypy cannot see the fields that the channels add
    """A message."""


class MessageDetail(MessageOut):
    """A message with the evidence of its last 20 attempts, oldest first."""

    attempts: list[AttemptOut]


class PageOut(AnswerModel):
    """One page of a list."""

    messages: list[MessageOut]
    next_cursor: str | None


class AcceptedOut(AnswerModel):
    """A message of a batch."""

    id: str
    due_at: Moment


class BatchOut(AnswerModel):
    """What became of a batch, in its order."""

    accepted: int
    messages: list[AcceptedOut]


class RedrivenOut(AnswerModel):
    """How many dead letters were scheduled again; of a dry run how many would be."""

    redriven: int | None = Field(default=None, description="Not there for a dry run.")
    would_redrive: int | None = Field(default=None, description="Only there for a dry run, which changes nothing.")


class PreviewOut(AnswerModel):
    """When a message would be due."""

    due_at: Moment
    due_at_ms: int
    local: str | None = Field(description="In the time zone, ISO 8601; null where that is beyond the year 9999.")
    timezone: str


class ClockOut(AnswerModel):
    """The service's clock, which tests may move."""

    now: Moment
    now_ms: int
    moved_ms: int = Field(description="How far it is ahead of Redis's.")


class PausedOut(AnswerModel):
    """Whether claiming stands still."""

    paused: bool


class ServerOut(AnswerModel):
    """One process of the service, alive, or silent for less than a minute."""

    name: str
    role: Literal["scheduler", "api"]
    in_flight: int
    last_beat_age_ms: int
    progress_age_ms: int | None = Field(
        description="At the last beat, how long ago its scheduler thread finished a step; null of role api."
    )
    clock_skew_ms: int | None = Field(description="So far its clock is ahead of Redis's; below 0 behind it.")
    failure: str | None = Field(description="Why it reports and delivers nothing, in words; null while all is well.")
    log_lines_lost: int | None = Field(
        description="Log lines that it could not write since its start, as on a full disk."
    )
    version: str | None
    pid: int | None
    host: str | None
    started_at: Moment | None


class ScheduledCounts(AnswerModel):
    """Scheduled messages by priority."""

    total: int
    high: int
    normal: int
    low: int


class HistoryPoint(AnswerModel):
    """Ten seconds of the whole service."""

    at: int = Field(description="When they began, ms since the epoch.")
    accepted: int
    delivered: int
    failed: int = Field(description="Attempts that failed.")
    p50: float | None = Field(description="Lateness, ms.")
    p99: float | None


class LatenessOut(AnswerModel):
    """Begin of an attempt after its moment, ms, over the last minute; null when there was none."""

    p50: float | None
    p99: float | None


class ThroughputOut(AnswerModel):
    """Per second, over the last minute."""

    accepted_per_s: float
    delivered_per_s: float
    failed_per_s: float = Field(description="Attempts that failed.")


class RedisOut(AnswerModel):
    """The Redis behind the service."""

    version: str
    used_memory: int | None = Field(description="Bytes; null when Redis does not tell (no right to INFO).")
    maxmemory: int | None = Field(description="Bytes; 0 is without limit, null when Redis does not tell.")
    maxmemory_policy: str = Field(description="`unknown` when Redis does not tell.")
    persistence: str = Field(description="`aof`, `rdb` (snapshots only), `none`, or `unknown`: Redis does not tell.")
    full: bool = Field(description="At maxmemory: new messages are refused, due ones are delivered.")
    clients: int | None = Field(description="Null when Redis does not tell.")
    keys: int


class DestinationOut(AnswerModel):
    """A destination that takes no more for now."""

    destination: str = Field(description="host:port")
    put_off: int = Field(description="Times that a message for it was put off within the last minute.")
    oldest_age_ms: int = Field(description="For how long the first of these messages had been due.")


class HeldBackOut(AnswerModel):
    """Messages that are due and were put off, because their destination had no room."""

    messages: int
    oldest_age_ms: int | None
    destinations: list[DestinationOut] = Field(description="At most 20, those that put off most first.")


class FlowCounts(AnswerModel):
    """Flow keys, and the messages that are due and have one."""

    keys: int
    waiting: int = Field(description="Those of due that have a flow key.")
    oldest_age_ms: int | None = Field(description="For how long the first of them has been due.")


class LaneOut(AnswerModel):
    """What waits for one channel, or for one job type."""

    lane: str = Field(description="echo, webhook, or job: and the name of the handler.")
    scheduled: int
    due: int = Field(description="Those of scheduled whose moment has come.")
    oldest_due_age_ms: int | None = Field(description="For how long the first of them has been due.")
    served: bool = Field(description="Whether a living server delivers this lane.")


class ScheduleCountsOut(AnswerModel):
    """Schedules by state."""

    active: int
    paused: int
    ended: int
    failing: int = Field(description="Those whose last run ended dead.")
    overdue: int = Field(description="Active ones whose moment passed more than 5 s ago and that nobody planned.")
    oldest_overdue_age_ms: int | None


class ArchiveOut(AnswerModel):
    """Finished messages on their way into the history."""

    messages: int = Field(description="Finished, and not in the database yet.")
    bytes: int
    max_bytes: int = Field(description="History.OutboxMaxBytes: with more, the oldest are dropped, or settling waits.")
    oldest_age_ms: int | None = Field(description="For how long the first of them has been finished.")
    dropped: int = Field(description="Messages that the history will never have, since this Redis is in use.")
    away: list[str] = Field(description="Processes that the database did not answer at their last try.")


class StatsOut(AnswerModel):
    """The service at a glance."""

    redis_time: Moment = Field(description="The clock that decides what is due.")
    scheduled: ScheduledCounts
    due: int = Field(description="Those of scheduled whose moment has come.")
    retrying: int = Field(description="Those of scheduled that have an attempt behind them.")
    processing: int
    dead: int
    finished: int = Field(description="Delivered and cancelled, within retention.")
    paused: bool
    partitions_away: int = Field(
        description="Parts of a Redis Cluster that do not answer; their messages are not counted, the others go on."
    )
    oldest_due_age_ms: int | None = Field(
        description="How long the message that waits longest for an attempt has been due, those held back included."
    )
    held_back: HeldBackOut
    flow: FlowCounts
    schedules: ScheduleCountsOut
    lanes: list[LaneOut] = Field(
        description="Lanes in which something waits, 100 at most: first what is due and has no server, then most due."
    )
    next_due_at: Moment | None
    finished_bytes: int
    throughput: ThroughputOut
    lateness_ms: LatenessOut
    history: list[HistoryPoint] = Field(description="The last 15 minutes, oldest first; quiet times are left out.")
    servers: list[ServerOut]
    redis: RedisOut
    archive: ArchiveOut | None = Field(description="Null where there is no history (History.Url).")
    events_url: str | None = Field(description="Live events (WebSocket); null when no server shows any.")


class HealthOut(AnswerModel):
    """The service can accept and deliver."""

    status: Literal["success"]
    message: Literal["server is ok!"]
    schedulers: int = Field(description="Scheduler processes that make progress.")
    paused: bool
    partitions_away: int = Field(description="Parts of a Redis Cluster that do not answer; the others go on.")
    warnings: list[str] = Field(description="Lanes with messages that are due and that no living server serves.")


class RootOut(AnswerModel):
    """The service runs."""

    status: Literal[200]
    data: str


class MessageError(AnswerModel):
    """What was wrong."""

    status: Literal["error"]
    message: str


class PlainError(AnswerModel):
    """What was wrong."""

    status: int
    error: str


class Unauthorized(AnswerModel):
    """The token is missing or wrong."""

    status: Literal[401]
    data: Literal["Unauthorized."]


class FieldFault(AnswerModel):
    """One field at fault."""

    field: str = Field(description="Dotted path, list indexes included; empty for the body as a whole.")
    message: str


class Problem(AnswerModel):
    """What was wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldFault] | None = None
