"""A shop that uses the service: what it schedules, and the endpoint that its webhooks go to."""

from __future__ import annotations

import math
import random
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.support.service import Service

AHEAD = 2_400
"""Messages of the hours to come, scheduled once."""
DEAD = 5
NAMES = ("Ada", "Grace", "Linus", "Margaret", "Dennis", "Barbara")
TEXTS = ("Good morning, {}", "{}: your table is ready", "Water the plants, {}", "{}, the parcel has arrived")


class Shop:
    """The endpoint.  ``/orders`` answers well, ``/crm`` fails the first attempts of some, ``/old`` always fails.

    A context manager.
    """

    def __enter__(self) -> Shop:
        failures: Counter[str] = Counter()

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                id = self.headers["webhook-id"]
                # The id decides, so that a message fails as often at every run of it.
                first = {"/crm": ord(id[-1]) % 3, "/old": math.inf}.get(self.path, 0)
                failures[id] += 1
                failed = failures[id] <= first
                body = b'{"error": "closed for maintenance until 14:00"}' if failed else b'{"ok": true}'
                self.send_response(503 if failed else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"


class Load:
    """Schedules a mix of messages each second until it is left; a context manager."""

    def __init__(self, service: Service, shop: Shop) -> None:
        self._service = service
        self._shop = shop
        self._random = random.Random(7)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._service.schedule([self._message(f"{self._random.randint(1200, 90_000)}s") for _ in range(AHEAD)])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def dead_letters(self, count: int = DEAD) -> list[str]:
        """The ids of new messages that no attempt can deliver; they end within seconds."""
        hook = {"url": self._shop.url("/old")}
        retry = {"max_attempts": 3, "base": 0.5}
        customers = self._random.sample(range(1000, 9999), count)
        return self._service.schedule(
            [
                {"message": {"customer": f"c_{n}", "change": "address"}, "webhook": hook, "retry": retry}
                for n in customers
            ]
        )

    def schedules(self) -> None:
        """Make some schedules: most run well, one fails, one is paused."""
        orders, old = self._shop.url("/orders"), self._shop.url("/old")
        for id, body in {
            "sync-crm": {"every": "40s", "message": {"full": False}, "webhook": {"url": self._shop.url("/crm")}},
            "thumbnails": {"cron": "* * * * *", "message": {"image": 7, "width": 320}, "job": {"type": "resize_image"}},
            "morning-report": {
                "cron": "0 8 * * mon-fri",
                "timezone": "Europe/Berlin",
                "message": {"report": "sales"},
                "webhook": {"url": orders},
                "labels": ["reports"],
                "overlap": "skip",
            },
            "month-end": {"cron": "0 18 L * *", "timezone": "Europe/Berlin", "message": "Close the books"},
            "old-supplier": {
                "every": "2m",
                "message": {"stock": "all"},
                "webhook": {"url": old},
                "retry": {"max_attempts": 1},
            },
            "exchange-rates": {"cron": "*/15 * * * *", "message": {"rates": "EUR"}, "webhook": {"url": orders}},
        }.items():
            self._service.request("PUT", f"/v1/schedules/{id}", body)
        self._service.request("POST", "/v1/schedules/exchange-rates/pause", {"note": "the bank is closed"})
        self._service.request("PUT", "/v1/flows/ledger", {"concurrency": 1, "ordered": True})
        self._service.request("POST", "/v1/flows/payroll/pause")
        self._service.schedule([{"message": n, "flow": {"key": "payroll"}} for n in range(31)])

    def _run(self) -> None:
        second = 0
        while not self._stop.wait(1):
            second += 1
            rate = (
                22
                + 9 * math.sin(second / 70)
                + 5 * math.sin(second / 17)
                + (60 if second % 420 in range(200, 230) else 0)
            )
            self._service.schedule([self._message(f"{self._random.uniform(0.2, 40):.2f}s") for _ in range(round(rate))])

    def _message(self, delay: str) -> dict[str, Any]:
        common = {"delay": delay, "priority": self._random.choice(("high", "normal", "normal", "normal", "low"))}
        number = self._random.randint(10_000, 99_999)
        kind = self._random.random()
        if kind < 0.5:
            order = {"order": number, "total": f"{number % 300}.50", "items": self._random.randint(1, 9)}
            return {**common, "message": order, "webhook": {"url": self._shop.url("/orders")}}
        if kind < 0.56:
            tenant = f"tenant-{number % 5}"
            flow = {"key": tenant, "concurrency": 2} if number % 2 else {"key": "crm", "rate": 20, "period": "10s"}
            return {
                **common,
                "message": {"tenant": tenant},
                "webhook": {"url": self._shop.url("/orders")},
                "flow": flow,
            }
        if kind < 0.66:
            customer = {"customer": f"c_{number}", "change": self._random.choice(("address", "name", "consent"))}
            return {**common, "message": customer, "webhook": {"url": self._shop.url("/crm")}}
        if kind < 0.8:
            image = {"image": number, "width": self._random.choice((320, 640, 1280))}
            return {**common, "message": image, "job": {"type": "resize_image"}}
        text = self._random.choice(TEXTS).format(self._random.choice(NAMES))
        return {**common, "message": text}
