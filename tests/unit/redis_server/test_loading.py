"""How far Redis is with loading its data, in words, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.redis_server.loading import EVERY_SECONDS, LoadingReport, progress_of
from tests.support.clock import FakeClock
from tests.support.logger import RecordingLogger

HALF = {"loading": 1, "loading_total_bytes": 3 * 2**30, "loading_loaded_perc": "50.25", "loading_eta_seconds": 12}


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (HALF, "50 % of 3.0 GiB, about 12 s left"),
        ({**HALF, "loading_total_bytes": "1000", "loading_eta_seconds": "-1"}, "50 % of 1000.0 bytes"),
        ({"loading": "1"}, "0 % of 0.0 bytes"),
        ({"loading": 0}, None),
        ({}, None),
    ],
)
def test_words(info: dict[str, Any], words: str | None) -> None:
    assert progress_of(info) == words


def test_a_start_says_it_now_and_then_and_tells_its_caller_once(clock: FakeClock) -> None:
    logger, told = RecordingLogger(), []
    report = LoadingReport(logger, clock, lambda: told.append(report.words))
    report.wait()
    for _ in range(4):
        assert report.note(HALF)
        report.wait()
        clock.advance(EVERY_SECONDS / 2)
    assert logger.infos == [f"Redis is loading its data: {progress_of(HALF)}."] * 2
    assert told == [progress_of(HALF)]
    assert not report.note({"loading": 0})
    assert report.words == ""
