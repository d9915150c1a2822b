"""``doctor``: does everything work, in plain sentences, and what to do when it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote

import typer

from scheduler.cli.command import on_service
from scheduler.cli.config import Config, read
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, line
from scheduler.cli.remote import Remote, json_of, path_of

SKEW_MS: Final = 1000
_WEBHOOK_SECONDS: Final = 40.0
_NOT_DURABLE: Final = {
    "none": "keeps nothing on disk: its restart loses every message.",
    "rdb": "keeps snapshots only: a crash loses what came since the last one.",
}
_MARKS: Final = {"ok": "ok      ", "warning": "WARNING ", "problem": "PROBLEM "}


class Finding(NamedTuple):
    """What one check found."""

    state: str
    """``ok``, ``warning`` or ``problem``."""
    check: str
    says: str
    do: str = ""
    """What helps; empty when nothing has to be done."""


@on_service
def doctor(
    remote: Remote,
    *,
    config: Config = None,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="May this endpoint be called? A real message is sent to it, one attempt."),
    ] = None,
) -> Iterator[Answer]:
    """Check the settings here, Redis, the clocks, the service at --url and its schedulers; exit code 1 with a problem.

    The settings and the Redis are those that a service started here would use.
    """
    problems = 0
    for finding in _findings(remote, config, webhook):
        problems += finding.state == "problem"
        text = f"{_MARKS[finding.state]} {finding.check}: {finding.says}"
        yield Answer(finding._asdict(), line(f"{text} {finding.do}".rstrip()))
    if problems:
        raise Failure(Exit.FAILED, f"{problems} {'problem' if problems == 1 else 'problems'}, see above.")


def _findings(remote: Remote, config: Path | None, webhook: str | None) -> Iterator[Finding]:
    yield from _settings_and_redis(config)
    try:
        stats = remote.call("GET", "/v1/stats")
    except Failure as failure:
        yield Finding("problem", "service", str(failure))
        return
    yield Finding("ok", "service", f"{remote.url} answers this client.")
    yield from _health(remote)
    yield from _schedulers(stats)
    yield from _redis_of(stats)
    yield _events(remote, stats)
    if webhook is not None and (stats["paused"] or not _working(stats)):
        yield Finding("problem", "webhook", f"{webhook} was not tried, because nothing is delivered: see above.")
    elif webhook is not None:
        yield _called(remote, webhook)


# ---------------------------------------------------------------------------------------------------------- from here
def _settings_and_redis(config: Path | None) -> Iterator[Finding]:
    from scheduler.config.reading import ignored_variables, settings_file

    try:
        settings, _ = read(config)
    except Failure as failure:
        yield Finding("problem", "settings", str(failure))
        return
    yield Finding("ok", "settings", f"those of {config or settings_file()} and of the environment can be used.")
    for sentence in ignored_variables():
        yield Finding("warning", "settings", sentence)
    yield from _redis(settings)


def _redis(settings: Any) -> Iterator[Finding]:
    from scheduler.config.connection_string import parse
    from scheduler.errors import ServiceError
    from scheduler.redis_server.connections import check_server, connect
    from scheduler.redis_server.private import socket_path

    url = settings.redis.connection_string
    if parse(url).kind == "embedded":
        folder = Path(settings.redis.data_directory).absolute()
        if not socket_path(folder).exists():
            yield Finding("ok", "Redis here", f"none runs in {folder}: a service that is started here brings its own.")
            return
        url = f"unix://{quote(str(socket_path(folder)))}"
    try:
        with closing(connect(url, socket_timeout=min(settings.redis.socket_timeout_seconds, 5))) as client:
            report = check_server(client)
            skew = _skew_ms(client)
    except ServiceError as error:
        yield Finding("problem", "Redis here", str(error))
        return
    yield Finding("ok", "Redis here", f"{report.product} {report.version} at {parse(url)}, {report.persistence}.")
    for sentence in report.warnings:
        yield Finding("warning", "Redis here", sentence)
    for sentence in report.notices:
        yield Finding("ok", "Redis here", sentence)
    if skew is not None:
        yield _clock("clock here", "this machine", skew)


def _skew_ms(client: Any) -> float | None:
    """Return how far this machine's clock is ahead of Redis's; None for a cluster, whose nodes have one each."""
    from scheduler.clock import SystemClock
    from scheduler.redis_server.connections import cluster_of

    if cluster_of(client):
        return None
    clock = SystemClock()
    before = clock.now_ms()
    seconds, microseconds = client.time()
    redis_ms: float = seconds * 1000 + microseconds / 1000
    return (before + clock.now_ms()) / 2 - redis_ms


def _clock(check: str, whose: str, skew_ms: float) -> Finding:
    if abs(skew_ms) <= SKEW_MS:
        return Finding("ok", check, f"{whose} differs from Redis by {abs(skew_ms):.0f} ms.")
    side = "ahead of" if skew_ms > 0 else "behind"
    return Finding(
        "warning",
        check,
        f"{whose} is {abs(skew_ms) / 1000:.1f} s {side} Redis, whose clock decides what is due.",
        "Run NTP on both: log lines have wrong times until then.",
    )


# --------------------------------------------------------------------------------------------------- from the service
def _health(remote: Remote) -> Iterator[Finding]:
    answer = remote.send("GET", "/health")
    body = json_of(answer) or {}
    if answer.status_code != 200:
        yield Finding("problem", "delivery", str(body.get("message") or f"/health answers {answer.status_code}"))
    for sentence in body.get("warnings", []):
        yield Finding("warning", "delivery", sentence)


def _schedulers(stats: dict[str, Any]) -> Iterator[Finding]:
    if working := _working(stats):
        yield Finding("ok", "schedulers", f"{len(working)} at work: {', '.join(working)}.")
    else:
        yield Finding(
            "problem",
            "schedulers",
            "no server delivers.",
            "Start one with Server.Role all or worker, and the same Redis.",
        )
    for each in _all_schedulers(stats):
        if each["failure"] is not None:
            yield Finding("problem", "schedulers", f"{each['name']}: {each['failure']}.", "Restart it.")
        if each["clock_skew_ms"] is not None:
            yield _clock("clocks", each["name"], each["clock_skew_ms"])
    if stats["paused"]:
        yield Finding("warning", "schedulers", "everything is paused.", "message-scheduler resume ends that.")


def _all_schedulers(stats: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in stats["servers"] if each["role"] == "scheduler"]


def _working(stats: dict[str, Any]) -> list[str]:
    """Return the names of those that deliver."""
    return [each["name"] for each in _all_schedulers(stats) if each["failure"] is None]


def _redis_of(stats: dict[str, Any]) -> Iterator[Finding]:
    redis = stats["redis"]
    if redis["full"]:
        yield Finding("problem", "its Redis", "is full: nothing is accepted.", "Raise maxmemory, or purge and cancel.")
    if redis["maxmemory_policy"] not in ("noeviction", "unknown"):
        yield Finding(
            "warning",
            "its Redis",
            f"may throw messages away: maxmemory-policy is {redis['maxmemory_policy']}.",
            "CONFIG SET maxmemory-policy noeviction.",
        )
    if redis["persistence"] in _NOT_DURABLE:
        yield Finding(
            "warning",
            "its Redis",
            _NOT_DURABLE[redis["persistence"]],
            "Set appendonly yes: docs/production.md says how.",
        )
    else:
        yield Finding("ok", "its Redis", f"version {redis['version']}, persistence: {redis['persistence']}.")


def _events(remote: Remote, stats: dict[str, Any]) -> Finding:
    from scheduler.cli.tail import connected

    if stats["events_url"] is None:
        return Finding("warning", "live events", "no server shows them.", "Events.Enabled is false, or none delivers.")
    try:
        with connected(remote, [], None):
            pass
    except Failure as failure:
        return Finding("warning", "live events", str(failure), "Is the port open, or Server.PublicUrl to be set?")
    return Finding("ok", "live events", f"{stats['events_url']} answers.")


def _called(remote: Remote, url: str) -> Finding:
    body = {"message": {"from": "message-scheduler doctor"}, "webhook": {"url": url}, "retry": {"max_attempts": 1}}
    try:
        id = remote.call("POST", "/v1/messages", body)["id"]
    except Failure as failure:
        return Finding("problem", "webhook", str(failure))
    for _ in range(round(_WEBHOOK_SECONDS / 0.1)):
        found = remote.call("GET", path_of("messages", id))
        if found["status"] in ("delivered", "dead"):
            break
        threading.Event().wait(0.1)
    last = (found["attempts"] or [{}])[-1]
    if found["status"] == "delivered":
        return Finding("ok", "webhook", f"{url} was called and took it after {last['duration_ms']:.0f} ms.")
    why = last.get("error") or f"it is still {found['status']}"
    return Finding("problem", "webhook", f"{url} was not delivered: {why}.", f"message-scheduler get {id} shows more.")
