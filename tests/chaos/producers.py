"""Clients that send messages over HTTP and try again until they are told that a message is stored."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from tests.chaos import limits
from tests.chaos.ledger import OF_KEY, Accepted, Ledger, now_ms
from tests.chaos.receiver import TIMEOUT_SECONDS, Receiver
from tests.support.service import Service

THREADS = 3
"""Of each producer: one that waits for a stopped server does not silence it."""
_GIVE_UP_SECONDS = 60.0
_PATIENCE_SECONDS = 3.0
_RETRY = {"max_attempts": 20, "base": 0.2, "factor": 1.5, "cap": 2, "jitter": True}
_FLAKY = 0.15
"""Of the webhooks with a flow key those whose first attempt fails."""
_DOOMED_RETRY = {"max_attempts": 2, "base": 0.2}


class Producer:
    """``start``, ``stop``.  What it sends follows from ``seed``; where and when also from what breaks."""

    def __init__(
        self,
        name: str,
        seed: int,
        rate: float,
        servers: Sequence[Service],
        receiver: Receiver,
        ledger: Ledger,
        *,
        flows: bool = False,
    ) -> None:
        """``rate``: messages per second.  ``flows``: some of them have flow keys."""
        self.answers: Counter[int] = Counter()
        """HTTP status → how often; 0: no answer."""
        self.unconfirmed: list[str] = []
        """Labels of messages that nobody said are stored: they may be, or not."""
        self._name = name
        self._rate = rate
        self._servers = servers
        self._receiver = receiver
        self._ledger = ledger
        self._flows = flows
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(n, random.Random(f"{seed}-{name}-{n}"))) for n in range(THREADS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; returns when what was begun is stored or given up."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, thread: int, rng: random.Random) -> None:
        number = 0
        while not self._ended.wait(rng.expovariate(self._rate / THREADS)):
            number += 1
            self._send(f"{self._name}{thread}-{number}", rng)

    def _send(self, label: str, rng: random.Random) -> None:
        begun = int(now_ms())
        label, flow = limits.ask(label, rng) if self._flows else (label, {})
        body, not_before, doomed = self._message(label, begun, rng)
        flaky = bool(flow) and body["channel"] == "webhook" and not doomed and rng.random() < _FLAKY
        if flaky:
            body["webhook"]["url"] = self._receiver.url("/flaky")
        body |= flow
        # Of a message with a flow key the id is made where the key lies.
        own = not flow and rng.random() < 0.5
        if own:
            body["id"] = label
        headers = {} if own else {"Idempotency-Key": label}
        while now_ms() - begun < _GIVE_UP_SECONDS * 1000:
            status, answer = _post(rng.choice(self._servers).port, body, headers)
            self.answers[status] += 1
            # 409 for an id of our own: an earlier try, whose answer did not come, had stored it.
            if status == 201 or (status == 409 and own):
                id = answer["id"] if status == 201 else label
                attempts = body["retry"]["max_attempts"]
                delay_ms = body.get("delay", 0) * 1000
                key = flow["flow"]["key"] if flow else ""
                self._ledger.add(
                    Accepted(label, id, body["channel"], not_before, attempts, doomed, delay_ms, key, flaky)
                )
                return
            threading.Event().wait(0.1 + 0.2 * rng.random())
        self.unconfirmed.append(label)

    def _message(self, label: str, begun: int, rng: random.Random) -> tuple[dict[str, Any], float, bool]:
        """The body of the request, the moment before which it must not be delivered, whether it must end dead."""
        doomed = rng.random() < 0.02
        # The console does not show when an attempt ends.
        shares = (0, 60, 40) if OF_KEY in label else (50, 30, 20)
        channel = rng.choices(("echo", "webhook", "job"), shares)[0] if not doomed else "webhook"
        wait = round(rng.uniform(0, 4), 3)
        moments: tuple[tuple[dict[str, float], float], ...] = (
            ({}, begun),
            ({"delay": wait}, begun + wait * 1000),
            ({"time": begun + round(wait * 1000)}, begun + wait * 1000),
        )
        when, not_before = rng.choice(moments)
        body: dict[str, Any] = {
            "message": label,
            "channel": channel,
            "priority": rng.choice(("high", "normal", "normal", "low")),
            "retry": _DOOMED_RETRY if doomed else _RETRY,
            **when,
        }
        if channel == "webhook":
            url = self._receiver.url("/doomed" if doomed else "/")
            body["webhook"] = {"url": url, "timeout": TIMEOUT_SECONDS}
        elif channel == "job":
            doomed = rng.random() < 0.05
            body["job"] = {"type": "refuse" if doomed else "note"}
        return body, float(round(not_before)), doomed


def _post(port: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, Any]:
    """Status and JSON of the answer; 0 when there was none in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    with closing(connection):
        try:
            connection.request(
                "POST", "/v1/messages", json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
