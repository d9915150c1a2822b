"""What a handler's result or exception means for its message."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scheduler.channels.job import outcomes
from scheduler.channels.job.outcomes import KEPT_TRACEBACK, LARGEST_RESULT, Verdict, of_error, of_result
from scheduler.jobs import Dead, Retry, TimeLimitExceeded


def raised(error: BaseException) -> BaseException:
    """The error with a traceback of two frames, as a handler's has."""
    secret = "a local variable's value"

    def handler() -> None:
        raise error

    try:
        handler()
    except BaseException as caught:  # noqa: BLE001 - it is what the test asks for
        assert secret
        return caught
    raise AssertionError


def of(error: BaseException, *, stopping: bool = False) -> Verdict:
    return of_error(raised(error), 300.0, stopping)


class TestResult:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(None, None), (False, "false"), ({"a": [1, "ü"]}, '{"a":[1,"ü"]}'), ((1, 2), "[1,2]"), ("", '""')],
    )
    def test_is_kept_as_json(self, value: Any, text: str | None) -> None:
        assert of_result(value) == Verdict("ack", result=text)

    @pytest.mark.parametrize("value", [math.nan, {1, 2}, object(), b"x", "\ud800", {("a",): 1}])
    def test_that_is_no_json_is_dead(self, value: Any) -> None:
        verdict = of_result(value)
        assert verdict.kind == "dead"
        assert verdict.error is not None
        assert verdict.error.startswith("the handler did its work and returned what is no JSON: ")

    def test_that_holds_itself_is_dead(self) -> None:
        value: list[Any] = []
        value.append(value)
        assert of_result(value).kind == "dead"

    def test_that_fails_when_it_is_read_is_dead(self) -> None:
        class Row(dict[str, int]):
            def items(self) -> Any:
                raise KeyError("the connection is closed")

        assert of_result(Row(a=1)).kind == "dead"

    def test_is_bounded_in_bytes(self) -> None:
        assert of_result("ü" * (LARGEST_RESULT // 2 - 1)).kind == "ack"
        verdict = of_result("ü" * (LARGEST_RESULT // 2))
        assert verdict.kind == "dead"
        assert f"returned {LARGEST_RESULT + 2} bytes" in (verdict.error or "")


class TestError:
    def test_retry_and_dead_are_answers_and_leave_no_traceback(self) -> None:
        assert of(Retry("later", after=1.5)) == Verdict("retry", "later", 1500)
        assert of(Retry("later")) == Verdict("retry", "later", None)
        assert of(Retry(after=0)).delay_ms == 0
        assert of(Dead("no such user")) == Verdict("dead", "no such user")
        assert of(Dead()).error == "the handler gave up"

    def test_retry_and_dead_of_a_handlers_own_class(self) -> None:
        class Unprintable(Dead):
            def __str__(self) -> str:
                raise SystemExit(1)

        class Limited(Retry):
            def __init__(self, user: str) -> None:
                self.user = user

        assert of(Unprintable()) == Verdict("dead", "(its text cannot be read)")
        assert of(Limited("a")).delay_ms is None
        for after in (math.nan, -1.0, "30"):
            later = Retry("later")
            later.after = after  # type: ignore[assignment]
            assert of(later) == Verdict("retry", "later", None)

    def test_giving_way_to_a_stop_is_no_failed_attempt(self) -> None:
        assert of(Retry("stopped"), stopping=True) == Verdict("release")
        assert of(Retry(after=2), stopping=True) == Verdict("release", delay_ms=2000)
        assert of(ValueError("x"), stopping=True).kind == "retry"

    def test_any_other_is_tried_again_with_its_traceback(self) -> None:
        verdict = of(KeyError("user"))
        assert (verdict.kind, verdict.error, verdict.delay_ms) == ("retry", "KeyError: 'user'", None)
        text = (verdict.evidence or {})["traceback"]
        assert text.startswith("Traceback (most recent call last):\n")
        assert "in handler\n    raise error\n" in text
        assert text.endswith("KeyError: 'user'\n")
        assert "variable's value" not in text

    def test_the_services_own_frame_is_left_out(self) -> None:
        assert "in raised" not in (of(KeyError("user")).evidence or {})["traceback"]

    def test_the_end_of_a_long_traceback_is_kept(self) -> None:
        verdict = of(ValueError("x" * 10_000 + "end"))
        text = (verdict.evidence or {})["traceback"]
        assert len(text) == KEPT_TRACEBACK
        assert text.startswith("…")
        assert text.endswith("end\n")
        assert len(verdict.error or "") == 500

    def test_an_endless_recursion(self) -> None:
        def deeper() -> None:
            deeper()

        with pytest.raises(RecursionError) as caught:
            deeper()
        assert len((of_error(caught.value, 1, False).evidence or {})["traceback"]) <= KEPT_TRACEBACK

    def test_is_one_line_without_secrets_and_can_be_stored(self) -> None:
        verdict = of(ValueError("forged\nack id=1 redis://me:password@host \ud800"))
        assert verdict.error == "ValueError: forged\\nack id=1 redis://me:***@host \\ud800"
        text = (verdict.evidence or {})["traceback"]
        assert "password" not in text
        text.encode()

    def test_an_exception_that_cannot_be_printed(self) -> None:
        class Unprintable(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        assert of(Unprintable()).error == "Unprintable: (its text cannot be read)"

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
    def test_what_ends_a_program_is_a_failed_attempt(self, error: BaseException) -> None:
        assert of(error).kind == "retry"

    def test_a_time_limit(self) -> None:
        verdict = of(TimeLimitExceeded())
        assert (verdict.kind, verdict.error) == ("retry", "timed out after 300 s")
        assert "raise error" in (verdict.evidence or {})["traceback"]

    def test_left_behind(self) -> None:
        verdict = outcomes.timed_out(0.5, "stack", left_behind=True)
        assert verdict.error == "timed out after 0.5 s; the handler did not stop, and its thread was left behind"
        assert verdict.evidence == {"traceback": "stack"}
