"""The ``webhook`` channel: send messages to HTTP endpoints."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from scheduler import __version__
from scheduler.channels.base import LaneSpec, Report
from scheduler.channels.webhook.breaker import GO, PROBE, Admission, Breakers
from scheduler.channels.webhook.engine import Engine
from scheduler.channels.webhook.reporter import Reporter
from scheduler.channels.webhook.request import Prepared, RequestBuilder
from scheduler.channels.webhook.resolver import Lookup
from scheduler.channels.webhook.response import one_line
from scheduler.channels.webhook.signing import Signer
from scheduler.channels.webhook.ssrf import AddressPolicy
from scheduler.channels.webhook.transfer import Delivery
from scheduler.clock import Clock
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.destination import BreakerRules
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Claim, Outcome
from scheduler.store.destinations import Destinations

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

_SPARE_FILES = 256
"""File descriptors for everything but webhooks."""
_STOP_MARGIN = 1.0
_OVERFLOW = 100
"""Messages that are claimed beyond ``Webhook.MaxInFlight`` while hardly any transfer ends.  Some of them may be for
endpoints that answer; the others are released.
"""
_DEAD_RELEASE_MS = 5_000
"""Delay of messages that a server releases because its transfer thread has died, so that it does not claim them again
at once."""

_PROBE_MARGIN_MS = 10_000
"""How much longer than an attempt a probe is waited for: the message may first wait for its turn here."""


class WebhookChannel:
    """Delivers over HTTP from one transfer thread; ``deliver`` never waits for an endpoint."""

    name = "webhook"
    slow = False

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        clock: Clock,
        now_ms: Callable[[], float],
        log: ServiceLog,
        api_token: str = "",
        lookup: Lookup = socket.getaddrinfo,
        outside_ms: Callable[[], float] | None = None,
        board: Destinations | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``now_ms``: Redis's clock, for every time that is sent or stored; ``clock`` only measures durations.
        ``outside_ms``: the clock that endpoints share, where tests have moved Redis's; None: ``now_ms``.

        ``api_token``: the token of this service, only sent when the settings say so.  ``lookup``: resolves host names.
        ``board``: where circuit breakers are kept; None: there are none.  ``tracing``: None where traces are not
        exported.
        Raises ConfigError for secrets or allowed networks that cannot be used.
        """
        self._settings = settings
        self._clock = clock
        self._now_ms = now_ms
        self._outside_ms = outside_ms or now_ms
        self._log = log
        self._lookup = lookup
        self._policy = AddressPolicy.from_settings(settings)
        self._builder = RequestBuilder(
            signer=Signer.from_settings(settings),
            policy=self._policy,
            user_agent=f"Message-Scheduling-Service/{__version__}",
            api_token=api_token if settings.send_api_token else "",
            now_ms=self._outside_ms,
        )
        self._breakers = _breakers(settings, board, clock, now_ms, log) if board else None
        self._tracing = tracing
        self._reporter = Reporter(log, self._breakers.tell if self._breakers else None)
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._open = False
        self._inbox: list[Delivery] = []
        self._deadline = 0.0
        self._failure: BaseException | None = None

    def start(self) -> None:
        _raise_file_limit(self._settings.max_in_flight, self._log)
        self._engine = Engine(
            settings=self._settings,
            builder=self._builder,
            policy=self._policy,
            clock=self._clock,
            now_ms=self._now_ms,
            outside_ms=self._outside_ms,
            log=self._log,
            reporter=self._reporter,
            breakers=self._breakers,
            lookup=self._lookup,
            tracing=self._tracing,
        )
        self._thread = threading.Thread(target=self._run, args=(self._engine,), name="webhooks", daemon=True)
        self._open = True
        self._reporter.start()
        self._thread.start()

    def lanes(self) -> Sequence[LaneSpec]:
        """Return the single lane, bounded by ``Webhook.MaxInFlight``."""
        return [LaneSpec(self.name, most=self._settings.max_in_flight, overflow=_OVERFLOW)]

    def slice_size(self, lane: str) -> int:
        """Return 100: the worker only passes a slice on."""
        return 100

    @property
    def failure(self) -> BaseException | None:
        """Return the error that ended the transfer thread, after which this process cannot send webhooks; else None."""
        return self._failure

    def deliver(self, claims: Sequence[Claim], report: Report) -> None:
        """Pass claims to the transfer thread, which reports their outcomes in groups.

        After ``stop``, and when that thread has died, they are reported as ``release``, so that other servers deliver
        them.
        """
        began = self._clock.monotonic()
        deliveries: list[Delivery] = []
        refused: list[Outcome] = []
        for claim in claims:
            try:
                prepared = self._builder.prepare(claim.target or "")
            except ValueError as error:
                refused.append(Outcome(claim, "dead", error=one_line(f"its webhook cannot be read: {error}")))
                continue
            destination = prepared.url.destination
            if prepared.refusal:
                refused.append(Outcome(claim, "retry", error=prepared.refusal, destination=destination))
                continue
            admission = self._admit(prepared, began)
            if admission.kind == "wait":
                refused.append(Outcome(claim, "release", delay_ms=admission.delay_ms, destination=destination))
            else:
                deliveries.append(Delivery(claim, prepared, report, probe=admission == PROBE))
        with self._lock:
            if self._open:
                self._inbox += deliveries
            else:
                delay_ms = None if self._failure is None else _DEAD_RELEASE_MS
                refused += [Outcome(delivery.claim, "release", delay_ms=delay_ms) for delivery in deliveries]
        if self._engine and deliveries:
            self._engine.wake()
        if refused:
            report(refused)

    def _admit(self, prepared: Prepared, claimed_at: float) -> Admission:
        if self._breakers is None:
            return GO
        timeout_ms = prepared.timeout_ms or round(self._settings.timeout_seconds * 1000)
        return self._breakers.admit(prepared.url.origin, timeout_ms + _PROBE_MARGIN_MS, claimed_at)

    def stop(self, grace: float) -> None:
        """Finish what is in flight within ``grace`` seconds and report the rest.  Safe to call twice."""
        if self._engine is None or self._thread is None:
            return
        with self._lock:
            self._open = False
            self._deadline = self._clock.monotonic() + grace
        self._engine.wake()
        self._thread.join(grace + _STOP_MARGIN)
        self._reporter.stop(_STOP_MARGIN)

    def _run(self, engine: Engine) -> None:
        try:
            while self._open:
                engine.turn(self._take(), None)
            self._drain(engine)
        except BaseException as error:  # noqa: BLE001 - /health must show any failure
            self._failure = error
            self._log.error("the webhook thread has died: this server must be restarted", exception=error)
        finally:
            with self._lock:
                self._open = False
            for delivery in self._take():
                self._reporter.put(delivery.report, [Outcome(delivery.claim, "release")])
            engine.close()

    def _take(self) -> list[Delivery]:
        with self._lock:
            taken, self._inbox = self._inbox, []
        return taken

    def _drain(self, engine: Engine) -> None:
        """Release the messages that wait, and give transfers in flight the rest of the grace period."""
        engine.release_waiting()
        while engine.in_flight and (left := self._deadline - self._clock.monotonic()) > 0:
            engine.turn((), left)


def _breakers(
    settings: WebhookSettings, board: Destinations, clock: Clock, now_ms: Callable[[], float], log: ServiceLog
) -> Breakers:
    rules = BreakerRules(
        failures=settings.breaker_failures,
        failure_rate=settings.breaker_failure_rate,
        window_ms=round(settings.breaker_window_seconds * 1000),
        probe_ms=round(settings.breaker_probe_seconds * 1000),
        max_probe_ms=round(max(settings.breaker_probe_seconds, settings.breaker_max_probe_seconds) * 1000),
    )
    return Breakers(board, rules, now_ms=now_ms, monotonic=clock.monotonic, log=log)


def _raise_file_limit(connections: int, log: ServiceLog) -> None:
    """Raise the limit of open files, usually 1024: every connection needs one."""
    needed = connections + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    if limit < needed:
        log.warning(f"Webhook.MaxInFlight {connections} needs {needed} open files; the system allows {limit}")
