"""Limits of flow keys as settings write them."""

from __future__ import annotations

import re

import pytest

from scheduler.config.settings import Settings
from scheduler.flow import Flow, FlowLimits, Rate, limits_of, rules_of
from scheduler.message import ID_PATTERN


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("concurrency=5", FlowLimits(5)),
        ("rate=10/1m", FlowLimits(None, Rate(10, 60_000))),
        ("ordered rate=1/7d  concurrency=1000000", FlowLimits(1_000_000, Rate(1, 604_800_000), True)),
        ("ordered=false", FlowLimits(None, None, False)),
    ],
)
def test_limits_read_as_they_are_written(text: str, limits: FlowLimits) -> None:
    assert limits_of(text) == limits
    assert FlowLimits.decode(limits.encode()) == limits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "limits are missing"),
        ("5", "'5' is no limit"),
        ("concurrency=0", "whole numbers from 1 to"),
        ("concurrency=1 concurrency=2", "given twice"),
        ("rate=10", "accepted"),
        ("rate=10/8d", "from 1 second to 7 days"),
        ("ordered=yes", "accepted: ordered, or ordered=false"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        limits_of(text)


def test_the_first_pattern_that_fits_counts() -> None:
    rules = rules_of("a-* concurrency=1, a* concurrency=2, a.c concurrency=3", "")
    found = {key: rules.flow_of(key, FlowLimits(), None) for key in ("a-1", "ab", "abc", "b")}
    assert found == {
        "a-1": Flow("a-1", default=FlowLimits(1)),
        "ab": Flow("ab", default=FlowLimits(2)),
        "abc": Flow("abc", default=FlowLimits(2)),
        "b": Flow("b"),
    }


def test_settings_say_what_is_wrong_with_them() -> None:
    for section in ({"defaults": "a b"}, {"defaults": "a/b concurrency=1"}, {"per_destination": "much"}):
        with pytest.raises(ValueError, match="accepted"):
            Settings.model_validate({"flow": section})
    listed = Settings.model_validate({"flow": {"defaults": ["a-* ordered", "b concurrency=2"]}})
    assert listed.flow.rules.flow_of("b", FlowLimits(), None) == Flow("b", default=FlowLimits(2))


def test_the_key_of_a_destination_is_never_longer_than_a_key_may_be() -> None:
    """It could neither be read nor steered, and a list that ends with it could not be continued."""
    rules = rules_of("", "concurrency=1")
    host = ".".join(["a" * 50] * 4)
    keys = {rules.flow_of(None, FlowLimits(), f"https:{host}{n}.example:443") for n in range(3)}
    assert len(keys) == 3
    assert all(flow is not None and re.fullmatch(ID_PATTERN, flow.key) for flow in keys)
