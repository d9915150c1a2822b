"""The bodies of requests and answers.  Generated from the service's OpenAPI document: do not edit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, NotRequired, TypedDict

Json = Any
"""Any JSON value."""
Moment = str | float | datetime
"""A moment as the service reads it, or a datetime with a tzinfo."""
Delay = str | float | timedelta
"""A length of time as the service reads it (seconds, ``1h30m``, ``PT5M``), or a timedelta."""


class MessageFlow(TypedDict):
    """Null: it has no flow key."""

    key: str
    waited_ms: int
    """For how long it kept back the last attempt that began."""


class Webhook(TypedDict):
    """Where a message is sent; credentials are masked."""

    url: str
    method: str
    headers: dict[str, str]
    timeout: NotRequired[float | None]


class JobTarget(TypedDict):
    """The handler that runs a job."""

    type: str


class Message(TypedDict):
    """A message."""

    id: str
    status: Literal["scheduled", "processing", "delivered", "dead", "cancelled"]
    channel: str
    message: Json
    """Any JSON value."""
    scheduled_for: str
    """The moment asked for. A change of it and a redrive move it; retries and back-pressure do not."""
    due_at: str
    """Of the next attempt; of the last one once there is none to come."""
    due_at_ms: int
    priority: Literal["high", "normal", "low"]
    flow: MessageFlow | None
    """Null: it has no flow key."""
    attempt: int
    """Attempts made so far."""
    max_attempts: int
    """-1: without limit."""
    created_at: str
    """ISO 8601, UTC, milliseconds."""
    updated_at: str
    """ISO 8601, UTC, milliseconds."""
    last_error: str | None
    """Of the last attempt that failed; null once delivered. The attempts keep what went wrong before."""
    schedule_id: NotRequired[str | None]
    """Only of a message that a schedule made."""
    origin: NotRequired[Literal["plan", "catch_up", "backfill", "run"] | None]
    """How the schedule came to make it."""
    redriven_from: NotRequired[str | None]
    """The message of the history that this one repeats; not there for any other."""
    message_kept: NotRequired[bool | None]
    """False: the history left the payload out, and message is null."""
    message_sha256: NotRequired[str | None]
    """Of the payload that was left out, in hexadecimal."""
    webhook: NotRequired[Webhook | None]
    """Where a message is sent; credentials are masked."""
    job: NotRequired[JobTarget | None]
    """The handler that runs a job."""
    result: NotRequired[Json]
    """What the handler returned; only of a job, null until it succeeds."""


class Page(TypedDict):
    """One page of a list."""

    messages: list[Message]
    next_cursor: str | None


class MessagesListMessagesQuery(TypedDict):
    """Parameters of messages_list_messages."""

    status: NotRequired[Literal["scheduled", "processing", "delivered", "dead", "cancelled"]]
    channel: NotRequired[Literal["echo", "webhook", "job"]]
    priority: NotRequired[Literal["high", "normal", "low"]]
    type: NotRequired[str]
    """The type of a job, or of a webhook task."""
    schedule: NotRequired[str]
    """The schedule that made them."""
    flow_key: NotRequired[str]
    """Only messages with this flow key."""
    timezone: NotRequired[str]
    """IANA name of the zone of a since or until without an offset."""
    since: NotRequired[Moment]
    """Not before: of the time that the list is ordered by."""
    until: NotRequired[Moment]
    """Not after: of the time that the list is ordered by."""
    limit: NotRequired[int]
    cursor: NotRequired[str]
    """next_cursor of the page before."""


class RetryIn(TypedDict):
    """How failed attempts are repeated. What is left out comes from the settings (section Retry)."""

    max_attempts: NotRequired[int | None]
    """In all, the first included; -1 is without limit."""
    base: NotRequired[float | None]
    """Seconds of backoff after the first failed attempt."""
    factor: NotRequired[float | None]
    """Growth of the backoff from one attempt to the next."""
    cap: NotRequired[float | None]
    """Seconds; the backoff never grows past it."""
    jitter: NotRequired[bool | None]
    """Draw each backoff evenly between 0 and its length."""


class FlowIn(TypedDict):
    """Limits that it shares with other messages."""

    concurrency: NotRequired[int | None]
    """Messages in flight at once, over all servers."""
    rate: NotRequired[int | None]
    """Attempts that may begin in each period."""
    period: NotRequired[float | str | None]
    """How long a window of the rate is: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M; from 1 second to
    7 days."""
    ordered: NotRequired[bool | None]
    """One after the other, by moment and then as they were accepted."""
    key: str
    """Messages with the same key share the limits."""


class WebhookTarget(TypedDict):
    """The HTTP endpoint that the message is sent to."""

    url: str
    """http or https; a user and password in it are sent as Basic credentials"""
    method: NotRequired[Literal["GET", "POST", "PUT", "PATCH", "DELETE"]]
    """GET and DELETE are sent without a body"""
    headers: NotRequired[dict[str, str]]
    """Sent as they are. With a Content-Type among them a string is sent as it is"""
    timeout: NotRequired[float | None]
    """Seconds for the whole attempt"""


class MessageOptions(TypedDict):
    """MessageIn without the message."""

    time: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    delay: NotRequired[Delay | None]
    """How long from now, until the year 9999 at most: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M."""
    timezone: NotRequired[str | None]
    """IANA name of the zone in which a time without an offset is meant."""
    priority: NotRequired[Literal["high", "normal", "low"] | None]
    """Strict among the messages that are due; default normal."""
    retry: NotRequired[RetryIn | None]
    """How failed attempts are repeated. What is left out comes from the settings (section Retry)."""
    flow: NotRequired[FlowIn | None]
    """Limits that it shares with other messages."""
    channel: NotRequired[Literal["echo", "webhook", "job"] | None]
    """Where the message goes; follows from webhook or job, else echo."""
    webhook: NotRequired[WebhookTarget | None]
    """The HTTP endpoint that the message is sent to."""
    job: NotRequired[JobTarget | None]
    """The handler that gets the message."""
    id: NotRequired[str | None]
    """Your own id; refused with 409 when it exists."""


class MessageIn(MessageOptions):
    """A message to be delivered at ``time``, after ``delay``, or now."""

    message: Json
    """Any JSON value; it is delivered as it is."""


class Attempt(TypedDict):
    """One try to deliver. Channels add evidence of their own: status_code, response, traceback."""

    attempt: int
    started_at: str
    """ISO 8601, UTC, milliseconds."""
    outcome: Literal["delivered", "failed", "lost"]
    """lost: its server stopped answering, and the lock expired."""
    duration_ms: NotRequired[float | None]
    """Not there of a lost attempt: nobody measured it."""
    lateness_ms: NotRequired[float | None]
    """Begin of the attempt after its moment; not there of a lost one."""
    flow_wait_ms: NotRequired[int | None]
    """The part of the lateness for which its flow key kept it back."""
    error: NotRequired[str | None]
    """What went wrong; not there of one that delivered."""


class MessageDetail(TypedDict):
    """A message with the evidence of its last 20 attempts, oldest first."""

    id: str
    status: Literal["scheduled", "processing", "delivered", "dead", "cancelled"]
    channel: str
    message: Json
    """Any JSON value."""
    scheduled_for: str
    """The moment asked for. A change of it and a redrive move it; retries and back-pressure do not."""
    due_at: str
    """Of the next attempt; of the last one once there is none to come."""
    due_at_ms: int
    priority: Literal["high", "normal", "low"]
    flow: MessageFlow | None
    """Null: it has no flow key."""
    attempt: int
    """Attempts made so far."""
    max_attempts: int
    """-1: without limit."""
    created_at: str
    """ISO 8601, UTC, milliseconds."""
    updated_at: str
    """ISO 8601, UTC, milliseconds."""
    last_error: str | None
    """Of the last attempt that failed; null once delivered. The attempts keep what went wrong before."""
    schedule_id: NotRequired[str | None]
    """Only of a message that a schedule made."""
    origin: NotRequired[Literal["plan", "catch_up", "backfill", "run"] | None]
    """How the schedule came to make it."""
    redriven_from: NotRequired[str | None]
    """The message of the history that this one repeats; not there for any other."""
    message_kept: NotRequired[bool | None]
    """False: the history left the payload out, and message is null."""
    message_sha256: NotRequired[str | None]
    """Of the payload that was left out, in hexadecimal."""
    webhook: NotRequired[Webhook | None]
    """Where a message is sent; credentials are masked."""
    job: NotRequired[JobTarget | None]
    """The handler that runs a job."""
    result: NotRequired[Json]
    """What the handler returned; only of a job, null until it succeeds."""
    attempts: list[Attempt]


class MessagePatch(TypedDict):
    """What to change of a scheduled message; fields left out stay as they are."""

    time: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    delay: NotRequired[Delay | None]
    """How long from now, until the year 9999 at most: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M."""
    timezone: NotRequired[str | None]
    """IANA name of the zone in which a time without an offset is meant."""
    priority: NotRequired[Literal["high", "normal", "low"] | None]
    """Strict among the messages that are due; default normal."""
    retry: NotRequired[RetryIn | None]
    """How failed attempts are repeated. What is left out comes from the settings (section Retry)."""
    message: NotRequired[Json]
    """Any JSON value; it is delivered as it is."""
    webhook: NotRequired[WebhookTarget | None]
    """Replaces the whole webhook; only for a message that has one."""


class BatchIn(TypedDict):
    """Messages that are accepted together: all or none."""

    messages: list[MessageIn]


class Accepted(TypedDict):
    """A message of a batch."""

    id: str
    due_at: str
    """ISO 8601, UTC, milliseconds."""


class Batch(TypedDict):
    """What became of a batch, in its order."""

    accepted: int
    messages: list[Accepted]


class CatchUp(TypedDict):
    """What is made of moments that were missed."""

    policy: Literal["none", "latest", "all"]
    window: str
    limit: int


class PlannedRun(TypedDict):
    """A moment of the plan."""

    at: str
    """ISO 8601, UTC, milliseconds."""
    at_ms: int
    local: str
    """ISO 8601 in the zone of the schedule, with its offset."""


class Skipped(TypedDict):
    """Moments without a delivery, by reason."""

    overlap: int
    """The run before had not ended."""
    missed: int
    """No server planned in time, and they were not made up for."""
    changed: int
    """The schedule was changed before they began."""


class Counters(TypedDict):
    """Runs since the schedule was created."""

    made: int
    delivered: int
    dead: int
    cancelled: int
    caught_up: int
    skipped: Skipped


class LastRun(TypedDict):
    """A run that has ended, or did not begin."""

    scheduled_for: str | None
    """Null of a run that was asked for."""
    outcome: Literal["delivered", "dead", "cancelled", "skipped"]
    reason: Literal["overlap", "missed", "changed"] | None
    """Why it was skipped."""
    origin: Literal["plan", "catch_up", "backfill", "run"]
    message_id: str
    ended_at: str
    """ISO 8601, UTC, milliseconds."""
    count: int
    """Moments that it stands for: moments that were missed together have one entry."""


class Schedule(TypedDict):
    """A schedule."""

    id: str
    status: Literal["active", "paused", "ended"]
    cron: str | None
    every: str | None
    timezone: str
    start: str | None
    """ISO 8601, UTC, milliseconds."""
    end: str | None
    """ISO 8601, UTC, milliseconds."""
    max_runs: int | None
    jitter: str | None
    catch_up: CatchUp
    overlap: Literal["skip", "buffer", "allow"]
    labels: list[str]
    channel: str
    message: Json
    """Any JSON value."""
    priority: Literal["high", "normal", "low"]
    max_attempts: int
    """-1: without limit."""
    note: str | None
    """Given with the last pause or resume."""
    overdue: bool
    """Its moment passed more than 5 s ago, and no server has planned it."""
    next_run: PlannedRun | None
    """A moment of the plan."""
    running: str | None
    """The message under way; only with overlap skip and buffer."""
    buffered: str | None
    """The message that waits for its end."""
    counters: Counters
    created_at: str
    """ISO 8601, UTC, milliseconds."""
    updated_at: str
    """ISO 8601, UTC, milliseconds."""
    last_runs: list[LastRun]
    """Newest first; 10 in a list, else 20."""
    webhook: NotRequired[Webhook | None]
    """Where a message is sent; credentials are masked."""
    job: NotRequired[JobTarget | None]
    """The handler that runs a job."""


class SchedulePage(TypedDict):
    """One page of the list of schedules."""

    schedules: list[Schedule]
    next_cursor: str | None


class SchedulesListSchedulesQuery(TypedDict):
    """Parameters of schedules_list_schedules."""

    status: NotRequired[Literal["active", "paused", "ended"]]
    label: NotRequired[str]
    limit: NotRequired[int]
    cursor: NotRequired[str]
    """next_cursor of the page before."""


class CatchUpIn(TypedDict):
    """What to make of moments that were missed, while no server ran or the whole service was paused."""

    policy: NotRequired[Literal["none", "latest", "all"] | None]
    """Default latest."""
    window: NotRequired[Delay | None]
    """How far back missed moments are made up for, in the forms of delay; default 1h."""
    limit: NotRequired[int | None]
    """How many are made at most; only for all. Default 100."""


class ScheduleOptions(TypedDict):
    """ScheduleIn without the message."""

    cron: NotRequired[str | None]
    """Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front."""
    every: NotRequired[Delay | None]
    """The length of an interval, in the forms of delay; at least 1 second."""
    timezone: NotRequired[str | None]
    """IANA name of the zone in which a time without an offset is meant."""
    start: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    end: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    max_runs: NotRequired[int | None]
    """How many moments the plan has, from its start on."""
    jitter: NotRequired[Delay | None]
    """Each run is due later by up to this length, in the forms of delay; less than the time between runs."""
    catch_up: NotRequired[CatchUpIn | None]
    """What to make of moments that were missed, while no server ran or the whole service was paused."""
    overlap: NotRequired[Literal["skip", "buffer", "allow"] | None]
    """What becomes of a run while the one before has not ended. Default allow."""
    labels: NotRequired[list[str] | None]
    paused: NotRequired[bool | None]
    """Left out in a change: it stays as it is."""
    priority: NotRequired[Literal["high", "normal", "low"] | None]
    """Strict among the messages that are due; default normal."""
    retry: NotRequired[RetryIn | None]
    """How failed attempts are repeated. What is left out comes from the settings (section Retry)."""
    flow: NotRequired[FlowIn | None]
    """Limits that it shares with other messages."""
    channel: NotRequired[Literal["echo", "webhook", "job"] | None]
    """Where the message goes; follows from webhook or job, else echo."""
    webhook: NotRequired[WebhookTarget | None]
    """The HTTP endpoint that the message is sent to."""
    job: NotRequired[JobTarget | None]
    """The handler that gets the message."""
    id: NotRequired[str | None]
    """Your own id; refused with 409 when it exists."""


class ScheduleIn(ScheduleOptions):
    """A schedule to be created."""

    message: Json
    """Any JSON value; it is delivered as it is."""


class ScheduleDetail(TypedDict):
    """A schedule with its next five runs."""

    id: str
    status: Literal["active", "paused", "ended"]
    cron: str | None
    every: str | None
    timezone: str
    start: str | None
    """ISO 8601, UTC, milliseconds."""
    end: str | None
    """ISO 8601, UTC, milliseconds."""
    max_runs: int | None
    jitter: str | None
    catch_up: CatchUp
    overlap: Literal["skip", "buffer", "allow"]
    labels: list[str]
    channel: str
    message: Json
    """Any JSON value."""
    priority: Literal["high", "normal", "low"]
    max_attempts: int
    """-1: without limit."""
    note: str | None
    """Given with the last pause or resume."""
    overdue: bool
    """Its moment passed more than 5 s ago, and no server has planned it."""
    next_run: PlannedRun | None
    """A moment of the plan."""
    running: str | None
    """The message under way; only with overlap skip and buffer."""
    buffered: str | None
    """The message that waits for its end."""
    counters: Counters
    created_at: str
    """ISO 8601, UTC, milliseconds."""
    updated_at: str
    """ISO 8601, UTC, milliseconds."""
    last_runs: list[LastRun]
    """Newest first; 10 in a list, else 20."""
    webhook: NotRequired[Webhook | None]
    """Where a message is sent; credentials are masked."""
    job: NotRequired[JobTarget | None]
    """The handler that runs a job."""
    next_runs: list[PlannedRun]


class SchedulePatch(TypedDict):
    """What to change of a schedule; fields left out stay as they are."""

    cron: NotRequired[str | None]
    """Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front."""
    every: NotRequired[Delay | None]
    """The length of an interval, in the forms of delay; at least 1 second."""
    timezone: NotRequired[str | None]
    """IANA name of the zone in which a time without an offset is meant."""
    start: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    end: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    max_runs: NotRequired[int | None]
    """How many moments the plan has, from its start on."""
    jitter: NotRequired[Delay | None]
    """Each run is due later by up to this length, in the forms of delay; less than the time between runs."""
    catch_up: NotRequired[CatchUpIn | None]
    """What to make of moments that were missed, while no server ran or the whole service was paused."""
    overlap: NotRequired[Literal["skip", "buffer", "allow"] | None]
    """What becomes of a run while the one before has not ended. Default allow."""
    labels: NotRequired[list[str] | None]
    paused: NotRequired[bool | None]
    """Left out in a change: it stays as it is."""
    priority: NotRequired[Literal["high", "normal", "low"] | None]
    """Strict among the messages that are due; default normal."""
    retry: NotRequired[RetryIn | None]
    """How failed attempts are repeated. What is left out comes from the settings (section Retry)."""
    message: NotRequired[Json]
    """Any JSON value; it is delivered as it is."""
    webhook: NotRequired[WebhookTarget | None]
    """Replaces the whole webhook; only for a message that has one."""


class SchedulePutOptions(TypedDict):
    """SchedulePut without the message."""

    cron: NotRequired[str | None]
    """Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front."""
    every: NotRequired[Delay | None]
    """The length of an interval, in the forms of delay; at least 1 second."""
    timezone: NotRequired[str | None]
    """IANA name of the zone in which a time without an offset is meant."""
    start: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    end: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    max_runs: NotRequired[int | None]
    """How many moments the plan has, from its start on."""
    jitter: NotRequired[Delay | None]
    """Each run is due later by up to this length, in the forms of delay; less than the time between runs."""
    catch_up: NotRequired[CatchUpIn | None]
    """What to make of moments that were missed, while no server ran or the whole service was paused."""
    overlap: NotRequired[Literal["skip", "buffer", "allow"] | None]
    """What becomes of a run while the one before has not ended. Default allow."""
    labels: NotRequired[list[str] | None]
    paused: NotRequired[bool | None]
    """Left out in a change: it stays as it is."""
    priority: NotRequired[Literal["high", "normal", "low"] | None]
    """Strict among the messages that are due; default normal."""
    retry: NotRequired[RetryIn | None]
    """How failed attempts are repeated. What is left out comes from the settings (section Retry)."""
    flow: NotRequired[FlowIn | None]
    """Limits that it shares with other messages."""
    channel: NotRequired[Literal["echo", "webhook", "job"] | None]
    """Where the message goes; follows from webhook or job, else echo."""
    webhook: NotRequired[WebhookTarget | None]
    """The HTTP endpoint that the message is sent to."""
    job: NotRequired[JobTarget | None]
    """The handler that gets the message."""


class SchedulePut(SchedulePutOptions):
    """A schedule: when (cron or every), and the message of each moment."""

    message: Json
    """Any JSON value; it is delivered as it is."""


class BackfillIn(TypedDict):
    """A span of the past, both ends inclusive."""

    from_: Moment
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    to: Moment
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    timezone: NotRequired[str | None]
    """IANA name of the zone in which a time without an offset is meant."""
    limit: NotRequired[int | None]
    """Moments at most; default 1,000."""
    dry_run: NotRequired[bool | None]
    """Only say what it would make."""


class Backfill(TypedDict):
    """What a backfill made."""

    runs: int
    """Moments of the plan in the span, up to the limit."""
    made: NotRequired[int | None]
    """Messages that were made; not there for a dry run."""
    would_make: NotRequired[int | None]
    """Only there for a dry run, which changes nothing."""
    existing: int
    """Moments that have a message already."""
    more: bool
    """The span has more moments: ask again from behind last."""
    first: str | None
    """ISO 8601, UTC, milliseconds."""
    last: str | None
    """ISO 8601, UTC, milliseconds."""


class NoteIn(TypedDict):
    """Why."""

    note: NotRequired[str | None]
    """Kept with the schedule, and shown."""


class Run(TypedDict):
    """A run that the plan has."""

    at: str
    """ISO 8601, UTC, milliseconds."""
    at_ms: int
    local: str
    """ISO 8601 in the zone of the plan, with its offset."""


class SchedulePreview(TypedDict):
    """The next runs, in order. Fewer than were asked for when the plan ends."""

    runs: list[Run]


class SchedulesPreviewQuery(TypedDict):
    """Parameters of schedules_preview."""

    cron: NotRequired[str]
    """Five fields, or six with the second first; @hourly to @yearly; CRON_TZ=… in front."""
    every: NotRequired[str]
    """The length of an interval, in the forms of delay; at least 1 second."""
    timezone: NotRequired[str]
    """IANA name: the zone of the plan, and of a moment without an offset."""
    from_: NotRequired[Moment]
    """Every run lies strictly after this moment. Default: now."""
    count: NotRequired[int]
    start: NotRequired[Moment]
    """The first moment that the plan may have. Default: from; an interval begins one later."""
    end: NotRequired[Moment]
    """The last moment that the plan may have."""
    max_runs: NotRequired[int]
    """How many runs the plan has, counted from its start."""


class Limits(TypedDict):
    """What is in force; null where there is no limit."""

    concurrency: int | None
    rate: int | None
    period_ms: int | None
    ordered: bool


class Sources(TypedDict):
    """Where each limit in force comes from; null where there is none."""

    concurrency: Literal["message", "settings", "pinned"] | None
    rate: Literal["message", "settings", "pinned"] | None
    """Of rate and period."""
    ordered: Literal["message", "settings", "pinned"] | None


class Window(TypedDict):
    """The window of the rate that runs."""

    used: int
    """Attempts that began in it."""
    ends_at: str


class Flow(TypedDict):
    """A flow key as it is now."""

    key: str
    scheduled: int
    """Messages that wait for their moment, or for the key."""
    waiting: int
    """Those of scheduled that are due."""
    in_flight: int
    limits: Limits
    sources: Sources
    window: Window | None
    """The window of the rate that runs."""
    paused: bool
    paused_until: str | None
    """Null: not paused, or until it is resumed."""
    oldest_due_at: str | None
    """Since when the first of waiting is due."""
    next_at: str | None
    """From when a message may go; null when none waits, the key is full, or paused until it is resumed."""


class FlowPage(TypedDict):
    """One page of flow keys, by name."""

    flows: list[Flow]
    next_cursor: str | None


class FlowsListFlowsQuery(TypedDict):
    """Parameters of flows_list_flows."""

    limit: NotRequired[int]
    cursor: NotRequired[str]
    """next_cursor of the page before."""


class PinIn(TypedDict):
    """Limits that hold whatever messages say."""

    concurrency: NotRequired[int | None]
    """Messages in flight at once, over all servers."""
    rate: NotRequired[int | None]
    """Attempts that may begin in each period."""
    period: NotRequired[float | str | None]
    """How long a window of the rate is: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M; from 1 second to
    7 days."""
    ordered: NotRequired[bool | None]
    """One after the other, by moment and then as they were accepted."""


class FlowPauseIn(TypedDict):
    """Until when."""

    delay: NotRequired[Json]
    """For how long, in the forms of a message's delay; until it is resumed when left out."""


class Attempts(TypedDict):
    """Attempts of all servers, counted from the first one that failed."""

    began_at: str | None
    attempts: int
    failures: int


class Breaker(TypedDict):
    """A destination of webhooks that has failed lately, asked for a pause, or was opened by hand."""

    id: str
    """Scheme, host and port, such as https:api.example.com:443."""
    state: Literal["closed", "open", "half_open"]
    """open: no attempts but one probe every so often; half_open: a probe is under way."""
    by_hand: bool
    """Opened by hand: no probes either."""
    failures: int
    """Failed attempts in a row."""
    failing_since: str | None
    window: Attempts
    last_error: str | None
    opened_at: str | None
    closed_at: str | None
    next_probe_at: str | None
    probe_interval_ms: int | None
    held_until: str | None
    """Until when the endpoint asked for a pause (429, 503)."""
    note: str | None
    updated_at: str


class BreakerList(TypedDict):
    """Open ones first, then those that changed last."""

    destinations: list[Breaker]
    more: bool
    """Whether there are others beyond limit."""


class DestinationsListDestinationsQuery(TypedDict):
    """Parameters of destinations_list_destinations."""

    state: NotRequired[Literal["closed", "open", "half_open"]]
    limit: NotRequired[int]


class DestinationNoteIn(TypedDict):
    """Why somebody opens or closes a circuit breaker by hand."""

    note: NotRequired[str | None]


class HistoryListHistoryQuery(TypedDict):
    """Parameters of history_list_history."""

    status: NotRequired[Literal["delivered", "dead", "cancelled"]]
    channel: NotRequired[Literal["echo", "webhook", "job"]]
    type: NotRequired[str]
    """The type of a job, or of a webhook task."""
    schedule: NotRequired[str]
    """The id of a schedule."""
    flow_key: NotRequired[str]
    destination: NotRequired[str]
    """The host that webhooks were sent to."""
    text: NotRequired[str]
    """In the payload or the last error; upper and lower case do not matter."""
    by: NotRequired[Literal["finish", "due"]]
    """The moment that since and until bound, and that the list is ordered by."""
    timezone: NotRequired[str]
    """IANA name of the zone of a since or until without an offset."""
    since: NotRequired[Moment]
    """Not before: of the time that the list is ordered by."""
    until: NotRequired[Moment]
    """Not after: of the time that the list is ordered by."""
    limit: NotRequired[int]
    """Of a page 1 to 1000, default 50; of CSV and NDJSON any, default all."""
    cursor: NotRequired[str]
    """next_cursor of the page before."""


class Quantiles(TypedDict):
    """Begin of the last attempt after its moment, ms; null when there was none."""

    p50: float | None
    p99: float | None


class Slot(TypedDict):
    """One hour or day of one channel."""

    at: str
    """When it begins."""
    channel: str
    delivered: int
    dead: int
    cancelled: int
    failure_rate: float | None
    """dead out of delivered and dead; null when there are none."""
    lateness_ms: Quantiles


class Summary(TypedDict):
    """What ended in a time, by hour or day and by channel; oldest first, without empty slots."""

    by: Literal["hour", "day"]
    since: str
    """ISO 8601, UTC, milliseconds."""
    until: str
    """ISO 8601, UTC, milliseconds."""
    slots: list[Slot]


class HistorySummaryQuery(TypedDict):
    """Parameters of history_summary."""

    by: NotRequired[Literal["hour", "day"]]
    channel: NotRequired[Literal["echo", "webhook", "job"]]
    timezone: NotRequired[str]
    """IANA name of the zone of a since or until without an offset."""
    since: NotRequired[Moment]
    """Default: 48 hours ago, by day 30 days."""
    until: NotRequired[Moment]
    """Default: now."""


class RedriveIn(TypedDict):
    """Which dead letters to schedule again, oldest first."""

    limit: NotRequired[int | None]
    channel: NotRequired[Literal["echo", "webhook", "job"] | None]
    dry_run: NotRequired[bool | None]
    """Only say how many it would be."""


class Redriven(TypedDict):
    """How many dead letters were scheduled again; of a dry run how many would be."""

    redriven: NotRequired[int | None]
    """Not there for a dry run."""
    would_redrive: NotRequired[int | None]
    """Only there for a dry run, which changes nothing."""


class Paused(TypedDict):
    """Whether claiming stands still."""

    paused: bool


class PreviewIn(TypedDict):
    """A moment as MessageIn takes it."""

    time: NotRequired[Moment | None]
    """The moment: epoch seconds or milliseconds (from 1e8 on; below 1e11 it is seconds), as number or numeric
    string; ISO 8601; RFC 2822; or what JavaScript's Date writes. Without an offset it is UTC, unless timezone is
    given."""
    delay: NotRequired[Delay | None]
    """How long from now, until the year 9999 at most: seconds (number or its text), 1d2h30m45s, or ISO 8601 PT5M."""
    timezone: NotRequired[str | None]
    """IANA name of the zone in which a time without an offset is meant."""


class Preview(TypedDict):
    """When a message would be due."""

    due_at: str
    """ISO 8601, UTC, milliseconds."""
    due_at_ms: int
    local: str | None
    """In the time zone, ISO 8601; null where that is beyond the year 9999."""
    timezone: str


class ScheduledCounts(TypedDict):
    """Scheduled messages by priority."""

    total: int
    high: int
    normal: int
    low: int


class Destination(TypedDict):
    """A destination that takes no more for now."""

    destination: str
    """host:port"""
    put_off: int
    """Times that a message for it was put off within the last minute."""
    oldest_age_ms: int
    """For how long the first of these messages had been due."""


class HeldBack(TypedDict):
    """Messages that are due and were put off, because their destination had no room."""

    messages: int
    oldest_age_ms: int | None
    destinations: list[Destination]
    """At most 20, those that put off most first."""


class FlowCounts(TypedDict):
    """Flow keys, and the messages that are due and have one."""

    keys: int
    waiting: int
    """Those of due that have a flow key."""
    oldest_age_ms: int | None
    """For how long the first of them has been due."""


class ScheduleCounts(TypedDict):
    """Schedules by state."""

    active: int
    paused: int
    ended: int
    failing: int
    """Those whose last run ended dead."""
    overdue: int
    """Active ones whose moment passed more than 5 s ago and that nobody planned."""
    oldest_overdue_age_ms: int | None


class Lane(TypedDict):
    """What waits for one channel, or for one job type."""

    lane: str
    """echo, webhook, or job: and the name of the handler."""
    scheduled: int
    due: int
    """Those of scheduled whose moment has come."""
    oldest_due_age_ms: int | None
    """For how long the first of them has been due."""
    served: bool
    """Whether a living server delivers this lane."""


class Throughput(TypedDict):
    """Per second, over the last minute."""

    accepted_per_s: float
    delivered_per_s: float
    failed_per_s: float
    """Attempts that failed."""


class Lateness(TypedDict):
    """Begin of an attempt after its moment, ms, over the last minute; null when there was none."""

    p50: float | None
    p99: float | None


class HistoryPoint(TypedDict):
    """Ten seconds of the whole service."""

    at: int
    """When they began, ms since the epoch."""
    accepted: int
    delivered: int
    failed: int
    """Attempts that failed."""
    p50: float | None
    """Lateness, ms."""
    p99: float | None


class Server(TypedDict):
    """One process of the service, alive, or silent for less than a minute."""

    name: str
    role: Literal["scheduler", "api"]
    in_flight: int
    last_beat_age_ms: int
    progress_age_ms: int | None
    """At the last beat, how long ago its scheduler thread finished a step; null of role api."""
    clock_skew_ms: int | None
    """So far its clock is ahead of Redis's; below 0 behind it."""
    failure: str | None
    """Why it reports and delivers nothing, in words; null while all is well."""
    log_lines_lost: int | None
    """Log lines that it could not write since its start, as on a full disk."""
    version: str | None
    pid: int | None
    host: str | None
    started_at: str | None
    """ISO 8601, UTC, milliseconds."""


class Redis(TypedDict):
    """The Redis behind the service."""

    version: str
    used_memory: int | None
    """Bytes; null when Redis does not tell (no right to INFO)."""
    maxmemory: int | None
    """Bytes; 0 is without limit, null when Redis does not tell."""
    maxmemory_policy: str
    """`unknown` when Redis does not tell."""
    persistence: str
    """`aof`, `rdb` (snapshots only), `none`, or `unknown`: Redis does not tell."""
    full: bool
    """At maxmemory: new messages are refused, due ones are delivered."""
    clients: int | None
    """Null when Redis does not tell."""
    keys: int


class Archive(TypedDict):
    """Null where there is no history (History.Url)."""

    messages: int
    """Finished, and not in the database yet."""
    bytes: int
    max_bytes: int
    """History.OutboxMaxBytes: with more, the oldest are dropped, or settling waits."""
    oldest_age_ms: int | None
    """For how long the first of them has been finished."""
    dropped: int
    """Messages that the history will never have, since this Redis is in use."""
    away: list[str]
    """Processes that the database did not answer at their last try."""


class Stats(TypedDict):
    """The service at a glance."""

    redis_time: str
    """The clock that decides what is due."""
    scheduled: ScheduledCounts
    due: int
    """Those of scheduled whose moment has come."""
    retrying: int
    """Those of scheduled that have an attempt behind them."""
    processing: int
    dead: int
    finished: int
    """Delivered and cancelled, within retention."""
    paused: bool
    partitions_away: int
    """Parts of a Redis Cluster that do not answer; their messages are not counted, the others go on."""
    oldest_due_age_ms: int | None
    """How long the message that waits longest for an attempt has been due, those held back included."""
    held_back: HeldBack
    flow: FlowCounts
    schedules: ScheduleCounts
    lanes: list[Lane]
    """Lanes in which something waits, 100 at most: first what is due and has no server, then most due."""
    next_due_at: str | None
    """ISO 8601, UTC, milliseconds."""
    finished_bytes: int
    throughput: Throughput
    lateness_ms: Lateness
    history: list[HistoryPoint]
    """The last 15 minutes, oldest first; quiet times are left out."""
    servers: list[Server]
    redis: Redis
    archive: Archive | None
    """Null where there is no history (History.Url)."""
    events_url: str | None
    """Live events (WebSocket); null when no server shows any."""


class Clock(TypedDict):
    """The service's clock, which tests may move."""

    now: str
    """ISO 8601, UTC, milliseconds."""
    now_ms: int
    moved_ms: int
    """How far it is ahead of Redis's."""


class Health(TypedDict):
    """The service can accept and deliver."""

    status: Literal["success"]
    message: Literal["server is ok!"]
    schedulers: int
    """Scheduler processes that make progress."""
    paused: bool
    partitions_away: int
    """Parts of a Redis Cluster that do not answer; the others go on."""
    warnings: list[str]
    """Lanes with messages that are due and that no living server serves."""
