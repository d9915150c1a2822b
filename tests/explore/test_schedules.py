"""Every order of the steps of two planners and a server, in small; ``make explore`` adds deaths and changes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import redis

from scheduler.store import base
from scheduler.store.scripts import Script, load
from tests.explore.rules import BrokenRule
from tests.explore.schedules import Explorer, Scope


@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_whatever_comes_first(redis_client: redis.Redis) -> None:
    assert Explorer(redis_client, Scope(crashes=0, changes=0)).states() > 300


@pytest.mark.parametrize(
    ("verb", "old", "new"),
    [
        ("plan", "s[2] == ARGV[at + 2] and not stale", "not stale"),
        ("plan", "parts.runs.make(sid, generation, id, due_at, 'plan')", ""),
    ],
    ids=["the next moment is not compared", "the next message is not made"],
)
def test_a_bug_is_found(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, verb: str, old: str, new: str
) -> None:
    whole = load(verb)
    assert whole.source.count(old) == 1
    source = whole.source.replace(old, new)
    sown = replace(whole, source=source, sha=hashlib.sha1(source.encode()).hexdigest())

    def with_bug(name: str) -> Script:
        return sown if name == verb else load(name)

    monkeypatch.setattr(base, "load", with_bug)
    with pytest.raises(BrokenRule):
        Explorer(redis_client, Scope(crashes=0, changes=0)).states()
