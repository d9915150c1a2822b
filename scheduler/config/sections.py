"""Every setting: its default, its bounds and what it means; a section of config/appsettings.json is a class here."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from scheduler.config.connection_string import ACCEPTED, target_of
from scheduler.config.database_url import ACCEPTED as HISTORY_ACCEPTED
from scheduler.config.database_url import database_url
from scheduler.config.fields import Section, checked, commas, number, plain, text, token_list, whole
from scheduler.flow import LIMITS_ACCEPTED, FlowRules, rules_of
from scheduler.retry import UNLIMITED, RetryPolicy

_PORT: Final = r"(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?"
ADDRESS: Final = rf"([\w][\w.-]*|\[[0-9a-f:.]+(%\w+)?\]){_PORT}"
_SIGNING_FORM: Final = r"whsec_[A-Za-z0-9+/]{32,86}={0,2}"
_ORIGIN: Final = rf"https?://{ADDRESS}"
_RATE: Final = r"(?i)^([1-9]\d{0,8}/(second|minute|hour|day))?$"
_RATE_ACCEPTED: Final = "a number per time like 600/minute (second, minute, hour or day); empty for no limit"
_DAY: Final = 86_400.0
_PRINTABLE: Final = r"[!-+\--~]+"
_YEARS: Final = 3_650 * _DAY
_PIB: Final = 2**50


class RedisSettings(Section):
    connection_string: str = checked("embedded", ACCEPTED)
    """Where Redis is; `embedded` starts a private one for this machine."""
    partitions: int = whole(1, 1, 1024)
    """Parts that the messages are spread over, for a Redis Cluster. Written to Redis at the first start and fixed from
    then on."""
    data_directory: str = text("data", r"^[^\x00-\x1f]+$", "the path of a folder")
    """Folder of the embedded Redis: its append-only files and its socket."""
    wait_replicas: int = whole(0, 0, 16)
    """Replicas that must confirm a write before its client is answered: a message that is accepted, changed, cancelled,
    redriven or purged, or a pause; 0 for none. When all replicas must, a failover loses none of these."""
    socket_timeout_seconds: float = number(5.0, 0.05, 300)
    """Longest wait for Redis to connect or to answer; at most `Scheduler.LockSeconds`. Locks are renewed on connections
    of their own, which wait a quarter of a lock's life at most."""
    wait_at_start: bool = True
    """A start waits for a Redis that does not answer, with one line a minute. With false it fails at once, as it always
    does for wrong settings."""

    @field_validator("connection_string")
    @classmethod
    def _names_a_redis(cls, value: str) -> str:
        target_of(value)
        return value


class ServerSettings(Section):
    host: str = text("127.0.0.1", r"^[A-Za-z0-9_.:%\[\]-]+$", "a host name or an IP address")
    """Address that the HTTP API listens on; `0.0.0.0` is all addresses of this machine."""
    port: int = whole(3000, 0, 65_535)
    """TCP port of the HTTP API; 0 takes any free one."""
    role: Literal["all", "api", "worker"] = "all"
    """What this server runs: the HTTP API, the delivery, or both."""
    api_processes: int = whole(1, 1, 64)
    """Processes that answer HTTP requests."""
    api_threads: int = whole(8, 1, 1024)
    """Threads of one API process for requests that do not accept messages, and for those that wait for Redis by
    themselves (a batch, an `Idempotency-Key`, a rate limit). Slow clients hold none."""
    name: str = text("", r"^[A-Za-z0-9_.:-]{0,100}$", "up to 100 letters, digits and _ . : -")
    """Name of this server among its peers, also in `/metrics`; empty for host name and port, or process id where no
    HTTP is served."""
    drain_seconds: float = number(0.5, 0, 3600)
    """Time between the signal to stop and the end of HTTP: `/health` answers 503 meanwhile, and every answer closes its
    connection. Behind a balancer that asks `/health`: longer than it takes to notice."""
    public_url: str = text(
        "",
        rf"(?i)^(https?://{ADDRESS}(/[\w.~%-]+)*)?$",
        "an address like https://ops.example.com/scheduler, with a path or without; empty for none",
    )
    """Where browsers and clients find this service behind a proxy. Addresses in answers (`Location`, `Link`,
    `events_url`) begin with it, and its pages may use the API and watch live events."""

    @field_validator("public_url", mode="before")
    @classmethod
    def _as_browsers_write_it(cls, value: object) -> object:
        if isinstance(value, str) and (parts := re.fullmatch(r"(\w+://[^/]*)(.*)", value.strip().rstrip("/"))):
            return parts[1].lower() + parts[2]
        return value

    @model_validator(mode="after")
    def _one_process_on_a_free_port(self) -> Self:
        if self.port == 0 and self.api_processes > 1:
            raise ValueError("Server.Port: 0 would give each API process a port of its own; accepted: a port from 1 on")
        return self


class SchedulerSettings(Section):
    batch_size: int = whole(100, 1, 1000)
    """Messages that are claimed at once."""
    workers: int = whole(10, 1, 1000)
    """Threads that deliver messages; job handlers have their own (Jobs.Workers)."""
    serves: str = text(
        "",
        r"^((echo|webhook|job(:[A-Za-z0-9_.:-]{1,128})?)(,(echo|webhook|job(:[A-Za-z0-9_.:-]{1,128})?))*)?$",
        "echo, webhook, job or job:<type>, several as a list or separated by commas; empty: everything",
    )
    """What this server delivers: echo and webhook messages, all jobs, or jobs of certain types. Empty: everything. So
    slow work can have servers of its own."""
    poll_seconds: float = number(1.0, 0.01, 3600)
    """Longest sleep of the scheduler: the safety net for a wake-up that was lost."""
    lock_seconds: float = number(5.0, 0.05, 3600)
    """Life of a lock on a message in flight, renewed at a third of it; the messages of a server that crashed run again
    after it."""
    reap_seconds: float = number(1.0, 0.01, 3600)
    """Time between two searches for expired locks."""
    heartbeat_seconds: float = number(1.0, 0.05, 10)
    """Time between two heartbeats of this server. After three missing ones it counts as gone."""
    grace_seconds: float = number(10.0, 0, 3600)
    """Time that attempts get to finish when the service stops; messages that have not finished by then are given
    back."""
    past: Literal["deliver", "reject"] = "deliver"
    """What happens to a message whose moment has passed when it is scheduled: it is delivered at once, or refused."""

    @field_validator("serves", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)

    @property
    def served(self) -> list[str]:
        """``serves`` as a list."""
        return self.serves.split(",") if self.serves else []


class RetrySettings(Section):
    max_attempts: int = Field(
        default=5, ge=-1, le=1_000_000, json_schema_extra={"accepted": "-1, or a whole number from 1 to 1000000"}
    )
    """Attempts to deliver a message, the first included; -1 is without limit. A message may bring its own."""
    base_seconds: float = number(1.0, 0, _DAY)
    """Backoff after the first failed attempt."""
    factor: float = number(2.0, 1, 1000)
    """Growth of the backoff from one attempt to the next."""
    cap_seconds: float = number(300.0, 0, _YEARS)
    """The longest backoff."""
    jitter: bool = True
    """Draw each delay evenly between 0 and the backoff, so that messages that failed together are not tried again
    together."""

    @field_validator("max_attempts")
    @classmethod
    def _not_zero(cls, value: int) -> int:
        if value == 0:
            raise ValueError("a message is tried at least once")
        return value

    @model_validator(mode="after")
    def _cap_above_base(self) -> Self:
        if self.cap_seconds < self.base_seconds:
            raise ValueError(
                f"Retry.CapSeconds: {plain(self.cap_seconds)} is less than Retry.BaseSeconds, "
                f"{plain(self.base_seconds)}; accepted: a cap that is not below the base"
            )
        return self

    def policy(self) -> RetryPolicy:
        """The policy of every message that brings none of its own."""
        return RetryPolicy(self.max_attempts, self.base_seconds, self.factor, self.cap_seconds, self.jitter)


class RetentionSettings(Section):
    max_count: int = whole(10_000, 0, 1_000_000_000)
    """Delivered and cancelled messages that are kept."""
    max_age_seconds: float = number(7 * _DAY, 0, _YEARS)
    """How long delivered and cancelled messages are kept."""
    max_bytes: int = whole(64 * 2**20, 0, _PIB)
    """Memory in Redis that delivered and cancelled messages may take."""
    dead_max_count: int = whole(100_000, 0, 1_000_000_000)
    """Dead letters that are kept."""
    dead_max_age_seconds: float = number(30 * _DAY, 0, _YEARS)
    """How long dead letters are kept."""
    dead_max_bytes: int = whole(256 * 2**20, 0, _PIB)
    """Memory in Redis that dead letters may take."""
    trim_seconds: float = number(1.0, 0.01, 3600)
    """Time between two deletions of finished messages beyond these limits."""


class HistorySettings(Section):
    url: str = checked("auto", HISTORY_ACCEPTED)
    """Database for every finished message, the same for all servers. `auto` is SQLite in `Redis.DataDirectory` where
    Redis is the private one, and otherwise none; `off` or empty is none."""
    payloads: Literal["full", "hash", "none"] = "full"
    """What is kept of payloads: all, their SHA-256, or nothing. Targets and the evidence of attempts are kept in any
    case."""
    max_age_days: float = number(365.0, 0, 36_500)
    """How long finished messages are kept in the database; 0 is without limit."""
    max_rows: int = whole(10_000_000, 0, 10_000_000_000)
    """Finished messages that are kept in the database, the newest; 0 is without limit."""
    outbox_max_bytes: int = whole(256 * 2**20, 2**20, _PIB)
    """Memory in Redis for messages that wait until the database has them."""
    when_full: Literal["drop", "wait"] = "drop"
    """What happens when they are more: the oldest are dropped from the history and counted, or no message ends until
    the database has taken some, and so deliveries stand still."""

    @field_validator("url")
    @classmethod
    def _names_a_database(cls, value: str) -> str:
        return database_url(value)


class ApiSettings(Section):
    auth_token: str = text(
        "",
        rf"^({_PRINTABLE}(,{_PRINTABLE})*)?$",
        "printable ASCII characters without spaces and commas; several as a list or separated by commas",
        secret=True,
    )
    """Token that requests must have as `Authorization`. Several may be set, and each is accepted, so that one can be
    replaced while clients still use another. Empty for none."""
    max_body_bytes: int = whole(2**20, 1, 2**30)
    """Largest body of a request."""
    idempotency_seconds: float = number(_DAY, 1, _YEARS)
    """How long an `Idempotency-Key` is remembered."""
    rate_limit: str = text("", _RATE, _RATE_ACCEPTED)
    """Writing requests (all but GET) that one client may send. A client is an address, and where tokens are set an
    address with a token. A client beyond the limit gets 429."""
    trusted_proxies: str = text(
        "",
        r"^([0-9A-Fa-f:./]+(,[0-9A-Fa-f:./]+)*)?$",
        "addresses and networks like 10.0.0.0/8, several as a list or separated by commas",
    )
    """Proxies whose `X-Forwarded-For` is believed when clients are counted. Empty: none, and a client's address is that
    of its connection."""
    cors_origins: str = text(
        "",
        rf"(?i)^({_ORIGIN}(,{_ORIGIN})*|\*)?$",
        "origins like https://ops.example.com:8443, several as a list or separated by commas; or * for every one",
    )
    """Origins of other sites whose pages may use this API. Empty: none."""

    echo_answers: Literal["json", "text"] = "json"
    """Form of the answers of `/echoAtTime` to clients that do not choose one: JSON, or plain text as one of the systems
    before this one answered. A client chooses with `Accept: application/json` or `Accept: text/plain`."""

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)

    @field_validator("auth_token", mode="before")
    @classmethod
    def _one_text_of_tokens(cls, value: object) -> object:
        return token_list(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for network in value.split(",") if value else ():
            ip_network(network, strict=False)
        return value

    @property
    def tokens(self) -> list[str]:
        return self.auth_token.split(",") if self.auth_token else []


class WebhookSettings(Section):
    timeout_seconds: float = number(30.0, 0.1, 3600)
    """Time for a whole attempt, unless the message brings its own."""
    connect_timeout_seconds: float = number(10.0, 0.1, 300)
    """Time for the name to resolve, and again for the connection with its TLS handshake."""
    max_in_flight: int = whole(1000, 1, 50_000)
    """Messages that one process sends at once, those that wait for their destination included."""
    max_in_flight_per_host: int = whole(100, 1, 50_000)
    """Transfers at once to one destination: scheme, host and port."""
    secrets: str = text(
        "",
        rf"^({_SIGNING_FORM}(,{_SIGNING_FORM})*)?$",
        "whsec_ and the base64 of 24 to 64 bytes; several as a list or separated by commas",
        secret=True,
    )
    """Secrets that requests are signed with (Standard Webhooks). Each request carries a signature by every one, so that
    one can be replaced while the other still holds; empty for no signatures."""
    send_api_token: bool = False
    """Send `Api.AuthToken` (of several the first) as `Authorization` to every target, as one of the systems before this
    one did. Only where all targets are your own."""
    allow_private_networks: bool = False
    """Allow targets in private, loopback and carrier-grade NAT networks. Metadata, link-local and reserved addresses
    stay refused."""
    allowed_networks: str = text(
        "",
        r"^([\w.:/\[\]-]+(,[\w.:/\[\]-]+)*)?$",
        "host names, addresses and networks like 10.0.0.0/8; several as a list or separated by commas",
    )
    """Targets that are allowed in any case. A host name is allowed whatever it resolves to."""
    client_errors_final: bool = False
    """A 4xx other than 408, 425 and 429 makes a dead letter at once instead of being tried again."""
    retry_after_cap_seconds: float = number(3600.0, 0, _YEARS)
    """The longest `Retry-After` of an endpoint that is followed."""
    slow_destinations: bool = True
    """`Retry-After` and `RateLimit-*` of an answer with status 429 or 503 hold for all messages to that destination
    (scheme, host and port), and not only for the one that got it."""
    breaker_failures: int = whole(20, 0, 10_000)
    """A destination is left alone when this many attempts in a row have failed, over at least 10 s; 0: never. A failure
    is no answer, or 5xx, 408 or 410."""
    breaker_failure_rate: float = number(0.9, 0.5, 1)
    """It is also left alone when this part of the attempts of a window has failed, of at least five times
    `BreakerFailures`."""
    breaker_window_seconds: float = number(60.0, 10, 86_400)
    """The window of `BreakerFailureRate`."""
    breaker_probe_seconds: float = number(5.0, 1, 3600)
    """One message goes to a destination that is left alone after this time, as a probe; the time doubles after each
    probe that fails."""
    breaker_max_probe_seconds: float = number(60.0, 1, 86_400)
    """The longest time between two probes, and about the longest that messages still wait when it works again."""

    @field_validator("secrets", "allowed_networks", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)


class TaskSettings(Section):
    retries: int = whole(5, -1, 1_000_000)
    """How often a task of `/schedule` is tried again after it failed; -1 is without limit."""
    retry_seconds: float = number(60.0, 0, _YEARS)
    """Time between two tries of a task of `/schedule`."""


class JobsSettings(Section):
    modules: str = text(
        "scheduler.jobs.examples",
        r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*(,[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)*)?$",
        "names of Python modules, several as a list or separated by commas",
    )
    """Modules that register job handlers. They are imported from the working folder, the folder of app.py or the
    environment of Python, by every process of a server."""
    fallback: str = text("", r"^[A-Za-z0-9_.:-]{0,128}$", "the name of a registered handler; empty for none")
    """Handler of the jobs whose type has none of its own; it sees the type as `context.type`. Empty: such jobs are
    refused."""
    workers: int = whole(10, 1, 1000)
    """Jobs of one type that run at once, at most. One of these threads belongs to the type, so that it never waits for
    the jobs of another; all types share the others."""
    rate_limit_per_user: str = text("60/minute", _RATE, _RATE_ACCEPTED)
    """Jobs that one `user_id` may submit to `POST /api/jobs`. Jobs beyond the limit get 429."""
    max_retries: int = whole(3, -1, 1_000_000)
    """How often a job of `/api/jobs` is tried again after it failed; -1 is without limit. The backoff is that of the
    section Retry."""

    @field_validator("modules", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)

    def policy(self, retry: RetrySettings) -> RetryPolicy:
        """The policy of every job of `/api/jobs`: `MaxRetries`, with the backoff of ``retry``."""
        return replace(retry.policy(), max_attempts=UNLIMITED if self.max_retries < 0 else self.max_retries + 1)

    @property
    def module_names(self) -> list[str]:
        return self.modules.split(",") if self.modules else []


class FlowSettings(Section):
    defaults: str = checked("", "entries like tenant-* concurrency=5 rate=10/1m ordered, as a list or with commas")
    """Limits of flow keys for which no message and no pin says any: a pattern and its limits. `*` stands for any
    characters, and the first entry that fits counts."""
    per_destination: str = checked("", LIMITS_ACCEPTED)
    """A flow key for each destination (scheme, host and port) of webhooks that come without one, and its limits; empty:
    webhooks have a flow key only where they ask for one."""

    @field_validator("defaults", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        return token_list(value)

    @field_validator("defaults")
    @classmethod
    def _readable(cls, value: str) -> str:
        rules_of(value, "")
        return value

    @field_validator("per_destination")
    @classmethod
    def _limits(cls, value: str) -> str:
        rules_of("", value.strip())
        return value.strip()

    @property
    def rules(self) -> FlowRules:
        """Both, read."""
        return rules_of(self.defaults, self.per_destination)


class SchedulesSettings(Section):
    file: str = text("", r"^[^\x00-\x1f]*$", "the path of a JSON or TOML file; empty for none")
    """Schedules that are to exist: each start puts them by id, and what has not changed stays as it is. Others are left
    alone unless the file says so."""


class EventsSettings(Section):
    enabled: bool = True
    """Record what happens to messages in Redis, and show it to viewers (WebSocket). With false there are no events."""
    port: int = whole(3001, 0, 65_535)
    """TCP port of the live events, on the address of `Server.Host`; 0 takes any free one. Only a server that delivers
    has it."""
    kept: int = whole(2000, 100, 1_000_000)
    """Entries of each partition's event stream that Redis keeps, to go on from after a disconnect. One entry is one
    script call and holds up to 100 events; 2000 full ones take 7 MB."""
    ping_seconds: float = number(20.0, 1, 3600)
    """Time between two pings to a viewer; one that has not answered by the next is gone."""
    buffer_bytes: int = whole(2**20, 1024, 2**30)
    """Events that one viewer may be behind; a slower one is closed, with a reason, and can go on where it was."""
    max_viewers: int = whole(1000, 1, 100_000)
    """Viewers at the same time."""
    allowed_origins: str = text(
        "",
        rf"(?i)^({_ORIGIN}(,{_ORIGIN})*|\*)?$",
        "origins like https://ops.example.com:8443, several as a list or separated by commas; or * for every one",
    )
    """Pages that may watch, besides those of this service itself: the ones on the host name that the viewer calls, at
    `Server.Port` or at the port that it calls."""

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)


class MetricsSettings(Section):
    port: int = whole(0, 0, 65_535)
    """TCP port on which the scheduler process of this server shows its own figures (`/metrics`) and whether it works
    (`/health`); 0 for none. The HTTP API has the figures of all processes, so this is for workers."""
    host: str = text("", r"^[A-Za-z0-9_.:%\[\]-]*$", "a host name or an IP address; empty for Server.Host")
    """Address that `Metrics.Port` is on; empty for that of `Server.Host`."""


class ForTestsSettings(Section):
    clock: bool = False
    """Let `POST /v1/test/clock` move the clock of the whole service forward, so that a test need not wait for next
    March. Never with real messages: anyone who may use the API can make all of them due."""


class LogSettings(Section):
    directory: str = text("logs", r"^[^\x00-\x1f]+$", "the path of a folder")
    """Folder of the log files."""
    level: Literal["INFO", "WARNING", "ERROR"] = "INFO"
    """The lowest level that is logged."""
    max_bytes: int = whole(100 * 2**20, 1024, _PIB)
    """Size at which a log file is rotated, besides every midnight of the server's zone (`TZ`)."""
    keep: int = whole(14, 1, 10_000)
    """Archives kept of each log file, the newest; a day with more than `Logs.MaxBytes` has several."""
    console: bool = True
    """Show on stderr what the service logs about itself. Messages to the `echo` channel are on stdout either way."""
    console_attempts: bool = False
    """Show each attempt of a webhook or job on stderr too: delivered, or tried again. Needs `Logs.Console`."""
