"""How many messages to claim now, per lane."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest

from scheduler.channels.base import LaneSpec
from scheduler.delivery.lanes import MIXED_SECONDS, Lane, Lanes, serves
from scheduler.message import Claim, Priority
from scheduler.store.budgets import Budget, Wanted
from tests.support.clock import FakeClock

BATCH = 100


class House:
    """The lanes of a server, and what it holds."""

    def __init__(self, clock: FakeClock, *specs: LaneSpec, threads: int = 10, sizes: dict[str, int] | None = None):
        self.sizes = sizes if sizes is not None else {}
        self.clock = clock
        self.numbers = count()
        self.held: list[Claim] = []
        self.lanes = Lanes(
            [
                Lane(
                    spec,
                    batch=BATCH,
                    size=lambda name=spec.name: self.sizes.get(name, BATCH),  # type: ignore[misc]
                    shares=spec.name.startswith("job:"),
                )
                for spec in specs
            ],
            threads=threads,
            monotonic=clock.monotonic,
        )

    def wanted(self) -> dict[str, int]:
        """Lane → how many may be claimed, when no other lane has anything."""
        wanted = self.lanes.wanted()
        return {b.lane: min(b.most, b.own + wanted.shared * b.each) for b in wanted.budgets}

    def take(self, lane: str, many: int) -> list[int]:
        """Claim and hand over; the sizes of the slices."""
        wanted = self.lanes.wanted()
        claims = [claim(lane, next(self.numbers)) for _ in range(many)]
        self.held += claims
        self.lanes.took(wanted, claims)
        return [len(part) for part in self.lanes.slices(lane, claims)]

    def mix(self, lane: str, urgent: int, others: int) -> None:
        """Claim messages of two priorities, which have ended by the return."""
        wanted = self.lanes.wanted()
        claims = [claim(lane, n, Priority.HIGH) for n in range(urgent)] + [claim(lane, n) for n in range(others)]
        self.held += claims
        self.lanes.took(wanted, claims)
        self.lanes.slices(lane, claims)
        self.end(lane, 1, urgent + others)

    def end(self, lane: str, slices: int, messages: int, given_back: int = 0) -> None:
        self.lanes.reported(lane, messages, given_back)
        for _ in range(slices):
            self.lanes.slice_ended(lane)
        self.settle(lane, messages + given_back)

    def settle(self, lane: str, messages: int) -> None:
        settled = [claim for claim in self.held if claim.lane == lane][:messages]
        self.held = [claim for claim in self.held if claim not in settled]
        self.lanes.settled(settled)


def claim(lane: str, number: int, priority: Priority = Priority.NORMAL) -> Claim:
    return Claim(f"{lane}{number}", "t", 1, 0, lane, "1", None, None, None, priority, 0, 0, lane)


ECHO, WEBHOOK = LaneSpec("echo"), LaneSpec("webhook", most=1000, overflow=100)
SLOW, QUICK = LaneSpec("job:slow"), LaneSpec("job:quick")


def test_quick_work_is_claimed_in_whole_batches_two_at_a_time(clock: FakeClock) -> None:
    house = House(clock, ECHO)
    assert house.wanted() == {"echo": 100}
    house.take("echo", 100)
    assert house.wanted() == {"echo": 100}, "the next batch is claimed while the last one runs"
    house.take("echo", 100)
    assert house.wanted() == {}
    house.lanes.reported("echo", 100, 0)
    house.lanes.slice_ended("echo")
    assert house.wanted() == {"echo": 100}, "a third batch while the first is being settled"
    house.take("echo", 100)
    house.lanes.reported("echo", 100, 0)
    house.lanes.slice_ended("echo")
    assert house.wanted() == {}, "what was reported is being settled: a crash repeats three batches at most"
    first = house.held[:100]
    house.settle("echo", 50)
    assert house.wanted() == {}, "whole batches, not a claim for every message that is settled"
    house.settle("echo", 50)
    assert house.wanted() == {"echo": 100}
    house.lanes.settled(first)
    assert house.wanted() == {"echo": 100}, "what is told twice counts once"


def test_quick_work_that_takes_long_is_claimed_only_for_the_room_that_is_left(clock: FakeClock) -> None:
    house = House(clock, ECHO, sizes={"echo": 1})
    house.take("echo", 100)
    assert house.wanted() == {"echo": 100}
    house.take("echo", 60)
    assert house.wanted() == {"echo": 40}, "two batches at most, of which others could have taken the rest"


def test_urgent_messages_beside_a_flood_halve_its_batches_for_a_second(clock: FakeClock) -> None:
    house = House(clock, ECHO)
    house.mix("echo", 1, 50)
    assert house.wanted() == {"echo": 100}, "there is no flood"
    house.mix("echo", 100, 0)
    assert house.wanted() == {"echo": 100}, "all of it is urgent"
    house.mix("echo", 1, 99)
    assert house.wanted() == {"echo": 50}
    clock.advance(MIXED_SECONDS)
    assert house.wanted() == {"echo": 100}


def test_a_full_lane_keeps_no_other_one_from_claiming(clock: FakeClock) -> None:
    house = House(clock, ECHO, WEBHOOK, SLOW, sizes={"job:slow": 1})
    house.take("job:slow", 10)
    assert house.wanted() == {"echo": 100, "webhook": 100}


def test_slow_work_is_claimed_for_free_threads_only(clock: FakeClock) -> None:
    house = House(clock, SLOW, threads=4, sizes={"job:slow": 1})
    assert house.wanted() == {"job:slow": 4}
    assert house.take("job:slow", 3) == [1, 1, 1]
    assert house.wanted() == {"job:slow": 1}
    house.take("job:slow", 1)
    assert house.wanted() == {}
    house.end("job:slow", 1, 1)
    assert house.wanted() == {"job:slow": 1}


def test_each_type_has_a_thread_that_no_other_type_may_take(clock: FakeClock) -> None:
    house = House(clock, SLOW, QUICK, threads=4, sizes={"job:slow": 1, "job:quick": 1})
    house.take("job:slow", 4)
    assert house.wanted() == {"job:quick": 1}
    assert house.lanes.threads == 5
    house.take("job:quick", 1)
    assert house.wanted() == {}


def test_one_thread_runs_one_job_of_a_type_at_a_time(clock: FakeClock) -> None:
    house = House(clock, SLOW, QUICK, threads=1, sizes={"job:slow": 1, "job:quick": 1})
    assert house.wanted() == {"job:slow": 1, "job:quick": 1}
    house.take("job:slow", 1)
    assert house.wanted() == {"job:quick": 1}


def test_a_bounded_type_is_not_claimed_for_beyond_its_bound(clock: FakeClock) -> None:
    house = House(clock, LaneSpec("job:transcode", concurrency=2), threads=10)
    assert house.wanted() == {"job:transcode": 2}
    assert house.take("job:transcode", 2) == [1, 1], "each on a thread of its own, however quick it was"
    assert house.wanted() == {}
    house.end("job:transcode", 1, 1)
    assert house.wanted() == {"job:transcode": 1}


def test_what_was_claimed_is_cut_as_it_was_when_it_was_asked_for(clock: FakeClock) -> None:
    """Handlers that became slow meanwhile: more slices than free threads would wait here and not in Redis."""
    house = House(clock, SLOW, threads=2, sizes={"job:slow": 50})
    wanted = house.lanes.wanted()
    claims = [claim("job:slow", n) for n in range(100)]
    house.sizes["job:slow"] = 1
    house.lanes.took(wanted, claims)
    assert [len(part) for part in house.lanes.slices("job:slow", claims)] == [50, 50]


def test_what_was_given_back_makes_room_again(clock: FakeClock) -> None:
    house = House(clock, LaneSpec("job:slow", concurrency=1))
    house.take("job:slow", 1)
    house.end("job:slow", 1, 0, given_back=1)
    assert house.wanted() == {"job:slow": 1}


def test_a_lane_that_gave_all_that_was_wanted_is_asked_again_at_once(clock: FakeClock) -> None:
    house = House(clock, ECHO)
    house.take("echo", 99)
    assert not house.lanes.again()
    house.take("echo", 100)
    assert not house.lanes.again(), "it has no room for more"
    house.end("echo", 1, 199)
    assert house.lanes.again()


def test_a_lane_that_got_something_waits_for_the_others(clock: FakeClock) -> None:
    house = House(clock, ECHO, WEBHOOK, QUICK)
    house.take("echo", 1)
    assert [budget.lane for budget in house.lanes.wanted().budgets] == ["webhook", "job:quick", "echo"]


class TestAChannelThatDeliversElsewhere:
    def test_it_takes_as_many_as_it_may_have_in_flight(self, clock: FakeClock) -> None:
        house = House(clock, WEBHOOK)
        for _ in range(9):
            house.take("webhook", 100)
        house.take("webhook", 60)
        assert house.wanted() == {"webhook": 40}
        house.take("webhook", 40)
        assert house.wanted() == {}

    def test_full_of_attempts_that_hardly_end_it_looks_for_messages_that_would(self, clock: FakeClock) -> None:
        house = House(clock, WEBHOOK)
        for _ in range(10):
            house.take("webhook", 100)
        assert house.wanted() == {}
        clock.advance(0.9)
        assert house.wanted() == {}
        clock.advance(0.2)
        assert house.wanted() == {"webhook": 100}
        house.take("webhook", 100)
        house.lanes.reported("webhook", 0, 100)
        assert house.wanted() == {"webhook": 100}, "still stuck, until transfers end"

    @pytest.mark.parametrize(("ended", "wanted"), [(300, {"webhook": 100}), (600, {})])
    def test_it_is_stuck_when_what_it_holds_would_take_more_than_two_seconds(
        self, clock: FakeClock, ended: int, wanted: dict[str, int]
    ) -> None:
        house = House(clock, WEBHOOK)
        for _ in range(10):
            house.take("webhook", 100)
        house.wanted()
        house.lanes.reported("webhook", ended, 0)
        for _ in range(ended // 100):
            house.lanes.slices("webhook", [claim("webhook", n) for n in range(100)])
        clock.advance(1.1)
        assert house.wanted() == wanted


class TestBudgets:
    def test_what_one_partition_gave_is_taken_off_for_the_next(self) -> None:
        wanted = Wanted([Budget("a", 10, 10, 0), Budget("b", 9, 2, 2), Budget("c", 3, 0, 1)], shared=3)
        taken = [claim("a", 1), *[claim("b", n) for n in range(5)]]
        assert wanted.without(taken) == Wanted([Budget("a", 9, 9, 0), Budget("b", 4, 1, 2), Budget("c", 3, 0, 1)], 1)

    def test_a_lane_that_is_used_up_is_left_out(self) -> None:
        wanted = Wanted([Budget("a", 1, 1, 0), Budget("b", 9, 0, 1), Budget("c", 9, 1, 1)], shared=1)
        assert wanted.without([claim("a", 1), claim("b", 1)]) == Wanted([Budget("c", 9, 1, 1)], 0)


@pytest.mark.parametrize(
    ("told", "lanes"),
    [
        ([], ["echo", "webhook", "job:a", "job:b"]),
        (["echo", "webhook"], ["echo", "webhook"]),
        (["job"], ["job:a", "job:b"]),
        (["job:a"], ["job:a"]),
    ],
)
def test_a_server_serves_what_it_is_told(told: Sequence[str], lanes: list[str]) -> None:
    assert [lane for lane in ["echo", "webhook", "job:a", "job:b"] if serves(told, lane)] == lanes


def test_a_shared_thread_that_is_not_full_carries_more_of_its_lane_from_another_partition() -> None:
    """One thread carries three: after one of them two more are wanted, though no thread is free any more."""
    wanted = Wanted([Budget("a", most=5, own=0, each=3), Budget("b", most=4, own=4, each=0)], shared=1)
    left = wanted.without([claim("a", 1), *[claim("b", n) for n in range(4)]])
    assert left == Wanted([Budget("a", most=4, own=2, each=3)], shared=0)
    assert left.without([claim("a", 2), claim("a", 3)]).budgets == []


def test_a_lane_that_frees_is_claimed_for_only_if_more_may_be_due_in_it(clock: FakeClock) -> None:
    house = House(clock, ECHO, WEBHOOK)
    house.take("echo", 1)
    house.end("echo", 1, 1)
    assert not house.lanes.again(), "a lone message would cost a second claim"
    house.take("echo", 100)
    assert house.lanes.again(), "it filled its budget"
    house.take("echo", 100)
    assert not house.lanes.again(), "it is full"
    house.lanes.took(house.lanes.wanted(), [])
    house.end("echo", 1, 100)
    assert house.lanes.again(), "it was not looked at"
    house.lanes.took(house.lanes.wanted(), [])
    assert not house.lanes.again()


def test_a_lane_that_shares_threads_may_have_found_them_taken(clock: FakeClock) -> None:
    house = House(clock, ECHO, SLOW, QUICK, threads=2, sizes={"job:slow": 1, "job:quick": 1})
    house.take("job:slow", 1)
    assert house.lanes.again()
    house.lanes.took(house.lanes.wanted(), [])
    assert not house.lanes.again()
