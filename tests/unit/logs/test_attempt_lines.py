"""The log line of an attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.logs.attempts import attempt_line
from scheduler.message import Claim, Outcome, Priority


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (
            {"kind": "ack", "duration_ms": 0.04, "lateness_ms": 1.26, "detail": "hello"},
            "ack id=a channel=echo attempt=2 lateness_ms=1.3 duration_ms=0.0 message=hello",
        ),
        (
            {"kind": "retry", "delay_ms": 250, "error": "refused"},
            "retry id=a channel=echo attempt=2 lateness_ms=0.0 duration_ms=0.0 again_in_ms=250 error=refused",
        ),
        (
            {"kind": "dead", "error": "gone"},
            "dead id=a channel=echo attempt=2 lateness_ms=0.0 duration_ms=0.0 error=gone",
        ),
    ],
)
def test_an_attempt_is_one_line(outcome: dict[str, Any], line: str) -> None:
    claim = Claim("a", "t", 2, 0, "echo", "1", None, None, None, Priority.NORMAL, 0, 0)
    assert attempt_line(Outcome(claim, **outcome)) == line


def test_the_line_says_what_the_message_was_for() -> None:
    job = Claim("a", "t", 1, 0, "job", "1", None, "send_email", None, Priority.NORMAL, 0, 0)
    assert attempt_line(Outcome(job, "ack")).startswith("ack id=a channel=job type=send_email attempt=1 ")
    webhook = job._replace(id="L1vKQlWzI7GuBHxy", channel="webhook", type=None)
    line = attempt_line(
        Outcome(webhook, "retry", 31.2, 0.8, 900, error="HTTP 500", destination="shop.example:443"),
    )
    page = (Path(__file__).parents[3] / "docs" / "logs.md").read_text("utf-8")
    assert f" INFO    {line}\n" in page
