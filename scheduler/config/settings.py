"""All settings as one: typed, checked as a whole before anything starts.

A setting is one line with a docstring in sections/, in the file of its section (``Webhook``: webhook.py).  Its key in
config/appsettings.json is the same in PascalCase (``Scheduler.BatchSize``), its environment variable
``SCHEDULER__BATCH_SIZE`` or ``SCHEDULER__BATCHSIZE``.  docs/configuration.md explains every one; a test compares the
three.  reading.py reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, Self, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import Field, model_validator
from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo

from scheduler.config.connection_string import secrets_in
from scheduler.config.database_url import AUTO
from scheduler.config.fields import Section, plain
from scheduler.config.sections.api import ApiSettings
from scheduler.config.sections.events import EventsSettings
from scheduler.config.sections.flow import FlowSettings
from scheduler.config.sections.history import HistorySettings
from scheduler.config.sections.jobs import JobsSettings
from scheduler.config.sections.logs import LogSettings
from scheduler.config.sections.metrics import MetricsSettings
from scheduler.config.sections.open_telemetry import OpenTelemetrySettings
from scheduler.config.sections.redis import RedisSettings
from scheduler.config.sections.retention import RetentionSettings
from scheduler.config.sections.retry import RetrySettings
from scheduler.config.sections.scheduler import SchedulerSettings
from scheduler.config.sections.schedules import SchedulesSettings
from scheduler.config.sections.server import ServerSettings
from scheduler.config.sections.tasks import TaskSettings
from scheduler.config.sections.test import ForTestsSettings
from scheduler.config.sections.webhook import WebhookSettings


class Settings(Section):
    """All settings.  Frozen, picklable; ``Settings.model_validate_json(settings.model_dump_json())`` is equal to it."""

    redis: RedisSettings = Field(default_factory=RedisSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    scheduler: SchedulerSettings = Field(default_factory=SchedulerSettings)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    history: HistorySettings = Field(default_factory=HistorySettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    tasks: TaskSettings = Field(default_factory=TaskSettings)
    jobs: JobsSettings = Field(default_factory=JobsSettings)
    flow: FlowSettings = Field(default_factory=FlowSettings)
    schedules: SchedulesSettings = Field(default_factory=SchedulesSettings)
    events: EventsSettings = Field(default_factory=EventsSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    open_telemetry: OpenTelemetrySettings = Field(default_factory=OpenTelemetrySettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    test: ForTestsSettings = Field(default_factory=ForTestsSettings)

    @property
    def history_url(self) -> str:
        """``History.Url`` with its ``auto`` resolved; empty: there is no history."""
        if self.history.url != AUTO:
            return self.history.url
        return f"sqlite:///{self.redis.data_directory}/history.db" if self.redis_is_private else ""

    @property
    def redis_is_private(self) -> bool:
        """Return whether this service starts its own Redis."""
        return self.redis.connection_string.strip().lower() == "embedded"

    @model_validator(mode="after")
    def _locks_outlive_calls(self) -> Self:
        wait, lock = self.redis.socket_timeout_seconds, self.scheduler.lock_seconds
        if wait > lock:
            raise ValueError(
                f"Redis.SocketTimeoutSeconds: {plain(wait)} is more than Scheduler.LockSeconds, {plain(lock)}: "
                "a claim could be answered when its locks have expired; accepted: at most Scheduler.LockSeconds"
            )
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        role = self.server.role
        taken: dict[int, str] = {}
        for key, port, used, otherwise in (
            ("Server.Port", self.server.port, role != "worker", ""),
            ("Events.Port", self.events.port, role != "api" and self.events.enabled, "Events.Enabled false"),
            ("Metrics.Port", self.metrics.port, role != "api", "0 for none"),
        ):
            if not used or port == 0:
                continue
            if other := taken.get(port):
                raise ValueError(f"{key}: {port} is also {other}; accepted: another port, or {otherwise}")
            taken[port] = key
        return self

    @model_validator(mode="after")
    def _somebody_delivers(self) -> Self:
        if self.server.role == "api" and self.redis_is_private:
            raise ValueError(
                "Server.Role: api delivers nothing, and a private Redis is reached by the processes of its own server "
                "only, so no other server could deliver; accepted: all, or api with a Redis.ConnectionString (env "
                "REDIS_URL) that a worker has too"
            )
        return self


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as people see it."""

    section: str
    name: str
    field: FieldInfo

    @property
    def key(self) -> str:
        """``Scheduler.BatchSize``."""
        return f"{to_pascal(self.section)}.{to_pascal(self.name)}"

    @property
    def variable(self) -> str:
        """``SCHEDULER__BATCH_SIZE``."""
        return f"{self.section}__{self.name}".upper()

    @property
    def unit(self) -> str:
        """``seconds``, ``bytes`` or nothing."""
        last_word = self.name.rpartition("_")[2]
        return last_word if last_word in ("seconds", "bytes") else ""

    @property
    def secret(self) -> bool:
        extra = self.field.json_schema_extra
        return isinstance(extra, dict) and bool(extra.get("secret"))

    @property
    def accepted(self) -> str:
        """What the setting accepts, in words."""
        extra, annotation = self.field.json_schema_extra, self.field.annotation
        if isinstance(extra, dict) and "accepted" in extra:
            return str(extra["accepted"])
        if annotation is bool:
            return "true or false"
        if get_origin(annotation) is Literal:
            return "one of " + ", ".join(get_args(annotation))
        low = next(bound.ge for bound in self.field.metadata if isinstance(bound, Ge))
        high = next(bound.le for bound in self.field.metadata if isinstance(bound, Le))
        kind = ("a whole number" if annotation is int else "a number") + (f" of {self.unit}" if self.unit else "")
        return f"{kind} from {plain(low)} to {plain(high)}"


@cache
def every_setting() -> tuple[Setting, ...]:
    """All settings in the order of the file."""
    return tuple(
        Setting(section, name, field)
        for section, model in ((name, field.annotation) for name, field in Settings.model_fields.items())
        if isinstance(model, type) and issubclass(model, Section)
        for name, field in model.model_fields.items()
    )


def secrets_of(settings: Settings) -> list[str]:
    """Return the secrets among the values, for ``masking.Masker``: tokens, and the passwords inside addresses."""
    values = [
        getattr(getattr(settings, setting.section), setting.name) for setting in every_setting() if setting.secret
    ]
    found = [secret for value in values for secret in value.split(",")]
    found += secrets_in(settings.redis.connection_string) + secrets_in(settings.history.url)
    return [secret for secret in found if secret]
