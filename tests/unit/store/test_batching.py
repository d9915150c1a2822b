"""Whose turn it is, and what goes out together."""

from __future__ import annotations

from scheduler.store.batching import Batching


def test_a_lone_item_is_its_caller_s_turn_and_the_turn_ends_when_nothing_waits() -> None:
    batching: Batching[str] = Batching(10)
    for item in "ab":
        assert batching.add([item])
        assert batching.take() == [item]
        assert batching.take() == []


def test_what_comes_during_a_turn_waits_for_the_next_group() -> None:
    batching: Batching[int] = Batching(3)
    assert batching.add([0])
    assert batching.take() == [0]
    assert not batching.add([1, 2])
    assert not batching.add([3, 4])
    assert (batching.take(), len(batching), batching.take(), batching.take()) == ([1, 2, 3], 1, [4], [])


def test_what_failed_waits_again_behind_what_came_meanwhile_and_the_turn_goes_on() -> None:
    batching: Batching[str] = Batching(10)
    batching.add(["a"])
    failed = batching.take()
    assert not batching.add(["b"])
    batching.put_back(failed)
    assert not batching.add(["c"])
    assert batching.take() == ["b", "a", "c"]


def test_a_defect_ends_the_turn_and_not_batching() -> None:
    batching: Batching[str] = Batching(1)
    batching.add(["a", "b"])
    batching.take()
    batching.drop_turn()
    assert batching.add(["c"])
    assert batching.take() == ["b"]
