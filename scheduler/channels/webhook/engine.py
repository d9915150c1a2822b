"""The work of the transfer thread, in turns: take new deliveries, wait for sockets, finish transfers, report.

One thread is enough, because transfers mostly wait.  The limit is CPU time, and the GIL keeps a second thread from
using more of it.  Figures: docs/benchmarks.md.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pycurl

from scheduler.channels.base import Report, cut_short
from scheduler.channels.webhook import spans
from scheduler.channels.webhook.breaker import Breakers
from scheduler.channels.webhook.destination import Destination
from scheduler.channels.webhook.onward import next_send
from scheduler.channels.webhook.poller import Poller
from scheduler.channels.webhook.reporter import Reporter
from scheduler.channels.webhook.request import RequestBuilder
from scheduler.channels.webhook.resolver import Lookup, Resolver
from scheduler.channels.webhook.response import (
    BROKEN_OFF,
    LOST,
    NAMELESS,
    REFUSED,
    Answer,
    AnswerVerdict,
    judge,
    one_line,
    readable,
)
from scheduler.channels.webhook.ssrf import AddressPolicy
from scheduler.channels.webhook.transfer import Delivery, Progress, Transfer
from scheduler.channels.webhook.urls import Url
from scheduler.clock import Clock
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.destination import Tally
from scheduler.logs.sinks import ServiceLog
from scheduler.message import Outcome
from scheduler.telemetry.lateness import lateness_ms

if TYPE_CHECKING:
    from scheduler.otel.tracing import Tracing

SWEEP_SECONDS = 0.1
"""How often each queue is compared with the number of messages that its destination may hold."""
MAX_DESTINATIONS = 10_000
"""Destinations whose state is kept while they hold no message."""

_UNREACHABLE = frozenset({pycurl.E_COULDNT_CONNECT, pycurl.E_OPERATION_TIMEDOUT, pycurl.E_PEER_FAILED_VERIFICATION})
"""libcurl's codes when no server, or another one, was at the address."""

Key = tuple[str, str, int]


def _key(url: Url) -> Key:
    return (url.scheme, url.host, url.port)


class Engine:
    """The state of the transfer thread.  Other threads may only call ``wake`` and read the counters."""

    def __init__(
        self,
        *,
        settings: WebhookSettings,
        builder: RequestBuilder,
        policy: AddressPolicy,
        clock: Clock,
        now_ms: Callable[[], float],
        outside_ms: Callable[[], float],
        log: ServiceLog,
        reporter: Reporter,
        lookup: Lookup,
        breakers: Breakers | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``now_ms``: Redis's clock, for lateness.  ``outside_ms``: the endpoints', for dates in ``Retry-After``.
        ``breakers``, ``tracing``: None where there are none.
        """
        self._settings = settings
        self._builder = builder
        self._policy = policy
        self._clock = clock
        self._now_ms = now_ms
        self._outside_ms = outside_ms
        self._log = log
        self._reporter = reporter
        self._breakers = breakers
        self._tracing = tracing
        self._held: dict[int, Delivery] = {}
        """Deliveries that are not reported yet, by identity: in flight, or waiting for their destination."""
        self._incoming: deque[Delivery] = deque()
        self._destinations: dict[Key, Destination[Delivery]] = {}
        self._queued: dict[Key, Destination[Delivery]] = {}
        """Destinations with waiting deliveries."""
        self._idle: list[Transfer] = []
        self._running: dict[pycurl.Curl, Transfer] = {}
        self._outcomes: defaultdict[Report, list[Outcome]] = defaultdict(list)
        self._swept_at = 0.0
        self._poller = Poller(clock, settings.max_in_flight)
        self.wake = self._poller.wake
        self._resolver = Resolver(clock, self.wake, lookup)

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def turn(self, deliveries: Iterable[Delivery], max_wait: float | None) -> None:
        """Take new deliveries, wait until something happens, and report the deliveries that are finished.

        ``max_wait``: seconds; None: no limit.
        """
        self._incoming.extend(deliveries)
        while self._incoming:
            self._admit(self._incoming.popleft())
        self._flush()
        if self._queued:
            max_wait = SWEEP_SECONDS if max_wait is None else min(SWEEP_SECONDS, max_wait)
        self._poller.poll(max_wait)
        if self._resolver.collect():
            for key in list(self._queued):
                self._pump(key)
        for curl, code, message in self._poller.finished():
            self._finish(self._running.pop(curl), code, message)
        if self._queued and self._clock.monotonic() - self._swept_at >= SWEEP_SECONDS:
            self._sweep()
        self._flush()

    def release_waiting(self) -> None:
        """Release every delivery that is not in flight."""
        for destination in self._queued.values():
            while destination.waiting:
                self._release(destination.waiting.popleft(), None)
        self._queued.clear()
        self._flush()

    def close(self) -> None:
        """Report all deliveries, those in flight as cut short, and close all sockets."""
        now = self._clock.monotonic()
        for transfer in self._running.values():
            took = (now - transfer.progress.started) * 1000
            if transfer.span:
                transfer.span.ended(0, "cut_short")
            self._settle(transfer.delivery, cut_short(transfer.delivery.claim, took, transfer.progress.lateness_ms))
        self._held.update((id(delivery), delivery) for delivery in self._incoming)
        for delivery in list(self._held.values()):
            self._release(delivery, None)
        self._flush()
        for curl in self._running:
            self._poller.multi.remove_handle(curl)
        for transfer in [*self._running.values(), *self._idle]:
            transfer.close()
        self._resolver.stop()
        self._poller.close()

    # ------------------------------------------------------------------------------------------------- way in

    def _admit(self, delivery: Delivery) -> None:
        self._held[id(delivery)] = delivery
        now = self._clock.monotonic()
        key = _key(delivery.prepared.url)
        destination = self._destination(key)
        if not destination.may_hold(self._free(), now):
            self._release(delivery, destination.release_delay_ms(now, random.uniform))
            return
        destination.enqueue(delivery, now)
        self._queued[key] = destination
        self._pump(key)

    def _free(self) -> int:
        """Return how many claims fit if the one at hand is not counted."""
        return self._settings.max_in_flight - len(self._held) + 1

    def _destination(self, key: Key) -> Destination[Delivery]:
        destination = self._destinations.get(key)
        if destination is None:
            if len(self._destinations) >= MAX_DESTINATIONS:
                self._destinations = {k: d for k, d in self._destinations.items() if d.held}
            destination = Destination(key[1], self._settings.max_in_flight_per_host)
            self._destinations[key] = destination
        return destination

    def _pump(self, key: Key) -> None:
        """Begin waiting transfers of a destination, up to its limit."""
        destination = self._queued[key]
        while destination.waiting and destination.in_flight < destination.limit:
            if (delay := self._put_off(destination.waiting[0])) is not None:
                self._release(destination.waiting.popleft(), delay)
                continue
            addresses: tuple[str, ...] = ()
            if not destination.waiting[0].prepared.url.is_address:
                resolved = self._resolver.resolve(destination.host)
                if resolved is None:
                    return
                if resolved.error:
                    self._fail_waiting(destination, resolved.error)
                    break
                addresses = resolved.addresses
            self._begin(destination, destination.waiting.popleft(), addresses)
        if not destination.waiting:
            del self._queued[key]

    def _put_off(self, delivery: Delivery) -> int | None:
        """Return for how long (ms) a message has to wait that came before its destination was left alone."""
        if self._breakers is None or delivery.probe or delivery.progress:
            return None
        return self._breakers.delay_ms(delivery.prepared.url.origin)

    def _begin(self, destination: Destination[Delivery], delivery: Delivery, addresses: tuple[str, ...]) -> None:
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        transfer.delivery = delivery
        transfer.destination = destination
        spent = self._clock.monotonic() - delivery.progress.started if delivery.progress else 0.0
        span = transfer.span = spans.begin(self._tracing, delivery) if self._tracing else None
        try:
            request = self._builder.build(delivery.claim, delivery.prepared, span.traceparent if span else None)
            transfer.begin(delivery.prepared, request, addresses, spent)
            self._poller.multi.add_handle(transfer.curl)
        except Exception as error:  # noqa: BLE001 - a message that cannot be sent must not end the thread
            self._log.error(f"message {delivery.claim.id} could not be sent: {error}", exception=error)
            transfer.close()
            if span:
                span.ended(0, type(error).__name__)
            self._settle(delivery, Outcome(delivery.claim, "retry", error=f"could not be sent: {type(error).__name__}"))
            return
        transfer.started = self._clock.monotonic()
        transfer.progress = delivery.progress or Progress(transfer.started, lateness_ms(delivery.claim, self._now_ms()))
        self._running[transfer.curl] = transfer
        destination.begun(transfer.started)

    def _new_transfer(self) -> Transfer:
        return Transfer(self._settings, self._policy, self._poller.unwatch_dropped)

    # ------------------------------------------------------------------------------------------------ way out

    def _finish(self, transfer: Transfer, code: int, message: str) -> None:
        now = self._clock.monotonic()
        delivery, destination = transfer.delivery, transfer.destination
        destination.ended(now - transfer.started, now)
        answer = transfer.answer()
        if answer.status:
            destination.http2 = transfer.http2
        if transfer.span:
            spans.end(transfer.span, transfer, answer.status, code)
        self._idle.append(transfer)
        try:
            onward = next_send(transfer, answer, self._builder)
        except ValueError as error:
            # It has answered: a probe that is never reported would keep it half open for as long as a probe may take.
            self._saw(delivery, Tally(good=1))
            verdict = AnswerVerdict("retry", one_line(f"HTTP {answer.status}: the redirect was not followed: {error}"))
            self._settle(delivery, self._outcome(transfer, answer, verdict))
        else:
            if onward:
                if answer.status:
                    self._saw(delivery, Tally(good=1))
                self._send_on(delivery, onward._replace(probe=delivery.probe and not answer.status))
            else:
                verdict = self._verdict(transfer, answer, code, message)
                if not transfer.refusal:
                    self._saw(delivery, self._tally(transfer, answer, verdict))
                self._settle(delivery, self._outcome(transfer, answer, verdict))
        key = _key(delivery.prepared.url)
        if key in self._queued:
            self._pump(key)

    def _tally(self, transfer: Transfer, answer: Answer, verdict: AnswerVerdict) -> Tally:
        hold_ms = (verdict.delay_ms or 0) if self._settings.slow_destinations and answer.asks_for_pause else 0
        if answer.is_failure or not transfer.complete or transfer.stopped:
            return Tally(bad=1, after=1, hold_ms=hold_ms, error=verdict.error or "")
        return Tally(good=1, hold_ms=hold_ms)

    def _saw(self, delivery: Delivery, tally: Tally) -> None:
        """Tell the circuit breaker of the destination how an attempt ended."""
        if self._breakers:
            probe = ("bad" if tally.bad else "good") if delivery.probe else ""
            self._breakers.saw(delivery.prepared.url.origin, tally._replace(probe=probe))

    def _send_on(self, delivery: Delivery, onward: Delivery) -> None:
        """Continue an attempt with its next transfer, ahead of the deliveries that wait for that destination."""
        del self._held[id(delivery)]
        self._held[id(onward)] = onward
        key = _key(onward.prepared.url)
        destination = self._destination(key)
        destination.enqueue(onward, self._clock.monotonic(), first=True)
        self._queued[key] = destination
        self._pump(key)

    def _verdict(self, transfer: Transfer, answer: Answer, code: int, message: str) -> AnswerVerdict:
        if transfer.stopped:
            return AnswerVerdict("retry", REFUSED if transfer.untouched else LOST)
        if code and not transfer.cut:
            if code in _UNREACHABLE:
                self._resolver.refresh(transfer.destination.host)
            error = one_line(message) or NAMELESS.get(code, f"libcurl error {code}")
            return AnswerVerdict("retry", transfer.refusal or error)
        if not transfer.complete:
            return AnswerVerdict("retry", BROKEN_OFF)
        return judge(
            answer,
            client_errors_final=self._settings.client_errors_final,
            retry_after_cap=self._settings.retry_after_cap_seconds,
            now_ms=self._outside_ms(),
            follows=transfer.delivery.prepared.follows,
        )

    def _outcome(self, transfer: Transfer, answer: Answer, verdict: AnswerVerdict) -> Outcome:
        evidence = None
        if answer.status:
            response = transfer.delivery.prepared.masked(readable(bytes(transfer.body)))
            evidence = {"status_code": answer.status, "response": response}
        duration_ms = (self._clock.monotonic() - transfer.progress.started) * 1000
        claim = transfer.delivery.claim
        return Outcome(
            claim, verdict.kind, duration_ms, transfer.progress.lateness_ms, verdict.delay_ms, verdict.error, evidence
        )

    def _fail_waiting(self, destination: Destination[Delivery], error: str) -> None:
        waited_ms = (self._clock.monotonic() - destination.progress_at) * 1000
        while destination.waiting:
            delivery = destination.waiting.popleft()
            self._saw(delivery, Tally(bad=1, after=1, error=error))
            self._settle(delivery, Outcome(delivery.claim, "retry", waited_ms, error=error))

    def _release(self, delivery: Delivery, delay_ms: int | None) -> None:
        self._settle(delivery, Outcome(delivery.claim, "release", delay_ms=delay_ms))

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        if delivery.probe and self._breakers:
            # Whatever became of it, another message may be the probe: it may have been given back unsent.
            self._breakers.saw(delivery.prepared.url.origin, Tally(probe="none"))
        del self._held[id(delivery)]
        self._outcomes[delivery.report].append(outcome._replace(destination=delivery.prepared.url.destination))

    def _flush(self) -> None:
        """Report the outcomes of this turn together: the store settles a hundred of them in one round trip."""
        if not self._outcomes:
            return
        outcomes, self._outcomes = self._outcomes, defaultdict(list)
        for report, group in outcomes.items():
            self._reporter.put(report, group)

    def _sweep(self) -> None:
        """Release deliveries that wait for a slow destination; fail those whose host cannot be resolved in time."""
        self._swept_at = now = self._clock.monotonic()
        for key, destination in list(self._queued.items()):
            patience = self._settings.connect_timeout_seconds
            if not destination.in_flight and now - destination.progress_at > patience:
                self._fail_waiting(destination, f"{destination.host} could not be resolved in {patience:g} s")
            while destination.waiting:
                delivery = destination.waiting.pop()
                if destination.may_hold(self._free(), now):
                    destination.waiting.append(delivery)
                    break
                self._release(delivery, destination.release_delay_ms(now, random.uniform))
            if not destination.waiting:
                del self._queued[key]
