"""What tests of the webhook channel share."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from scheduler.channels.webhook import WebhookChannel, WebhookTarget
from scheduler.clock import SystemClock
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome, Priority
from scheduler.store.destinations import Destinations

CLOCK = SystemClock()


class Outcomes:
    """Takes reports, and lets a test wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._all: list[Outcome] = []

    def __call__(self, outcomes: Sequence[Outcome]) -> None:
        with self._changed:
            self._all += outcomes
            self._changed.notify_all()

    @property
    def now(self) -> list[Outcome]:
        """What was reported so far."""
        with self._changed:
            return list(self._all)

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Outcome]:
        """Block until so many outcomes came; AssertionError after ``seconds``."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._all) >= count, seconds), (
                f"{len(self._all)} of {count} outcomes"
            )
            return list(self._all)


class Channels:
    """Starts channels that may reach loopback, and stops them at the end; a context manager."""

    def __init__(self) -> None:
        self._started: list[WebhookChannel] = []

    def __call__(
        self,
        lookup: Any = socket.getaddrinfo,
        api_token: str = "",
        start: bool = True,
        now_ms: Callable[[], float] = CLOCK.now_ms,
        board: Destinations | None = None,
        **settings: Any,
    ) -> WebhookChannel:
        channel = WebhookChannel(
            WebhookSettings(**{"allow_private_networks": True, **settings}),
            clock=CLOCK,
            now_ms=now_ms,
            log=adapt(logging.getLogger("test")),
            api_token=api_token,
            lookup=lookup,
            board=board,
        )
        if start:
            channel.start()
        self._started.append(channel)
        return channel

    def __enter__(self) -> Channels:
        return self

    def __exit__(self, *_: object) -> None:
        for channel in self._started:
            channel.stop(0)


def claim(url: str, number: int = 1, payload: str = '{"a": 1}', attempt: int = 1, **webhook: Any) -> Claim:
    """A claim on message ``id<number>`` that is due now."""
    target = WebhookTarget(url=url, **webhook).encode()
    return Claim(
        f"id{number}", "token", attempt, CLOCK.now_ms(), "webhook", payload, target, None, None, Priority.NORMAL, 0, 0
    )


def task(url: str, number: int = 1, **webhook: Any) -> Claim:
    """A claim on a task of ``/schedule``, which keeps its seconds beside its webhook."""
    made = claim(url, number, **webhook)
    return made._replace(target=json.dumps({**json.loads(made.target or ""), "ttl": 5}))


def deliver(channel: WebhookChannel, *claims: Claim) -> list[Outcome]:
    """Deliver and wait for the outcomes, in the order of the claims."""
    outcomes = Outcomes()
    channel.deliver(claims, outcomes)
    by_id = {outcome.claim.id: outcome for outcome in outcomes.wait_for(len(claims))}
    return [by_id[c.id] for c in claims]


def resolves_to(*addresses: str) -> Callable[..., list[Any]]:
    """A resolver that gives every name these addresses."""
    return lambda *_args, **_options: [
        (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0)) for a in addresses
    ]
