"""The echo channel: what is printed, when, and what is reported."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest

from scheduler.channels.echo.channel import EchoChannel, text_of
from scheduler.logs.outlet import ConsoleWriter
from scheduler.message import Claim, Outcome, Priority

DUE = 1_800_000_000_000  # 2027-01-15T08:00:00Z


def claim(payload: str, due_at: int = DUE) -> Claim:
    return Claim(payload, "token", 1, due_at, "echo", payload, None, None, None, Priority.NORMAL, 0, 0)


class Printed:
    """A console that remembers each write."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.outcomes: list[Outcome] = []

    def write(self, lines: Sequence[str]) -> int:
        self.writes.append(list(lines))
        return len(lines)

    def report(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ('"hello"', "hello"),
        ('""', ""),
        (r'"a \"quoted\" word"', 'a "quoted" word'),
        (r'"caf\u00e9"', "café"),
        ('"ends with a quote: \\""', 'ends with a quote: "'),
        ('{"a": 1}', '{"a": 1}'),
        ("[1, 2]", "[1, 2]"),
        ("null", "null"),
        ("-1.5e3", "-1.5e3"),
    ],
)
def test_a_string_is_printed_as_its_text_and_anything_else_as_json(payload: str, text: str) -> None:
    assert text_of(payload) == text


def test_a_line_begins_with_the_moment_by_redis_clock() -> None:
    console = Printed()
    EchoChannel(console.write, lambda: DUE + 7.9).deliver([claim('"hello"')], console.report)
    assert console.writes == [["2027-01-15T08:00:00.007Z | hello"]]


def test_a_slice_is_printed_in_one_write_and_reported_at_once() -> None:
    console = Printed()
    claims = [claim(f'"m{n}"', DUE - n) for n in range(3)]
    EchoChannel(console.write, lambda: DUE + 2.5).deliver(claims, console.report)
    assert [len(lines) for lines in console.writes] == [3]
    assert [outcome.claim for outcome in console.outcomes] == claims
    assert [outcome.kind for outcome in console.outcomes] == ["ack"] * 3
    assert [outcome.lateness_ms for outcome in console.outcomes] == [2.5, 3.5, 4.5]
    assert [outcome.detail for outcome in console.outcomes] == ["m0", "m1", "m2"]


def test_nothing_is_reported_of_what_could_not_be_printed() -> None:
    console = Printed()

    def broken(_: Sequence[str]) -> int:
        raise BrokenPipeError("the reader has gone")

    with pytest.raises(BrokenPipeError):
        EchoChannel(broken, lambda: float(DUE)).deliver([claim('"hello"')], console.report)
    assert console.outcomes == []


@pytest.mark.parametrize(("unread", "delay_ms"), [(0.0, 1_000), (7.0, 7_000), (3600.0, 30_000)])
def test_what_nobody_reads_is_given_back_for_a_while_that_grows(unread: float, delay_ms: int) -> None:
    console, claims = Printed(), [claim(f'"m{n}"') for n in range(3)]
    EchoChannel(lambda _: 1, lambda: float(DUE), lambda: unread).deliver(claims, console.report)
    assert [(o.claim, o.kind, o.delay_ms, o.destination) for o in console.outcomes] == [
        (claims[0], "ack", None, None),
        (claims[1], "release", delay_ms, "stdout"),
        (claims[2], "release", delay_ms, "stdout"),
    ]


def test_a_console_that_nobody_reads_for_long_is_a_failure_until_somebody_does() -> None:
    unread = [10.0, 42.0, 0.0]
    channel = EchoChannel(lambda _: 0, lambda: float(DUE), lambda: unread.pop(0))
    assert [channel.failure for _ in range(3)] == [None, "nobody has read stdout for 42 s", None]


@pytest.mark.parametrize(
    "text",
    ["two\nlines", "return\rover", "\x1b[2Jcleared", "line\u2028separator", "half a pair \ud83d", "nul\x00", "tab\t"],
)
def test_whatever_a_message_holds_it_is_one_line_of_printable_text(text: str) -> None:
    stream, console = io.StringIO(), Printed()
    channel = EchoChannel(ConsoleWriter(stream).write, lambda: float(DUE))
    channel.deliver([claim(json.dumps(text)), claim('"next"')], console.report)
    first, second, *rest = stream.getvalue().split("\n")
    assert rest == [""]
    assert first.isprintable()
    assert first.encode()
    assert second == "2027-01-15T08:00:00.000Z | next"
    assert [outcome.kind for outcome in console.outcomes] == ["ack", "ack"]
