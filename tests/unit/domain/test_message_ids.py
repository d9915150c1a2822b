"""Ids: in the order they were made, unique, and of one shape, whatever the clock does."""

from __future__ import annotations

import itertools
import re
import threading

from hypothesis import given
from hypothesis import strategies as st

from scheduler.message import ENDINGS, IdGenerator
from scheduler.store.partitions import ending_in, partition_of

NOW = 1_800_000_000_000
LAST_OF_42_BITS = 2**42 - 1


def test_an_id_is_sixteen_letters_and_digits() -> None:
    ids = IdGenerator(lambda: NOW)
    assert all(re.fullmatch(r"[0-9A-Za-z]{16}", ids()) for _ in range(100))


def test_the_farthest_moment_still_fits() -> None:
    # 42 bits of milliseconds: until the year 2109.
    assert re.fullmatch(r"[0-9A-Za-z]{16}", IdGenerator(lambda: LAST_OF_42_BITS)())
    assert IdGenerator(lambda: LAST_OF_42_BITS - 1)() < IdGenerator(lambda: LAST_OF_42_BITS)()


@given(st.lists(st.integers(min_value=NOW - 10_000, max_value=NOW + 10_000), min_size=2))
def test_ids_sort_in_the_order_they_were_made_even_when_the_clock_is_set_back(moments: list[int]) -> None:
    clock = iter(moments)
    ids = IdGenerator(lambda: next(clock))
    made = [ids() for _ in moments]
    assert made == sorted(set(made))


@given(st.integers(min_value=0, max_value=LAST_OF_42_BITS - 1))
def test_ids_of_two_servers_sort_by_millisecond(moment: int) -> None:
    assert IdGenerator(lambda: moment)() < IdGenerator(lambda: moment + 1)()


def test_ids_of_two_servers_differ_within_one_millisecond() -> None:
    first, second = IdGenerator(lambda: NOW), IdGenerator(lambda: NOW)
    made = [make() for _ in range(1000) for make in (first, second)]
    assert len(set(made)) == len(made)


def test_threads_never_get_the_same_id() -> None:
    ids = IdGenerator(lambda: NOW)
    barrier = threading.Barrier(8)
    made: list[list[str]] = [[] for _ in range(8)]

    def make(mine: list[str]) -> None:
        barrier.wait()
        mine.extend(ids() for _ in range(500))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for mine in made for one in mine}) == 8 * 500
    assert all(mine == sorted(mine) for mine in made)


class TestForAPartition:
    def test_a_thousand_for_one_of_many_are_made_at_once(self) -> None:
        asked = itertools.count()
        ids = IdGenerator(lambda: NOW + 0 * next(asked))
        choose = ending_in(1000, 1024)
        made = [ids.ending(choose) for _ in range(1000)]
        assert {partition_of(id, 1024) for id in made} == {1000}
        # Tried one by one it took a million; 1 of 40 beginnings has no ending for one of 1,024 partitions.
        assert next(asked) < 1200
        assert all(re.fullmatch(r"[0-9A-Za-z]{16}", id) for id in made)

    @given(st.lists(st.tuples(st.integers(NOW - 9, NOW + 9), st.booleans()), min_size=2))
    def test_they_sort_among_the_others(self, steps: list[tuple[int, bool]]) -> None:
        moments = iter([moment for moment, _ in steps])
        ids = IdGenerator(lambda: next(moments))
        choose = ending_in(3, 12)
        made = [ids.ending(choose) if wanted else ids() for _, wanted in steps]
        assert made == sorted(set(made))

    def test_those_of_two_servers_differ_within_one_millisecond(self) -> None:
        choose = ending_in(0, 60)
        servers = [IdGenerator(lambda: NOW) for _ in range(2)]
        made = [server.ending(choose) for _ in range(1000) for server in servers]
        assert len(set(made)) == len(made)
        # The last two characters hold 12 of the 53 bits of chance: they must not always be the first that suit.
        assert len({id[-2:] for id in made}) > 1000

    def test_a_beginning_without_a_suitable_end_is_left_out(self) -> None:
        tried: list[str] = []

        def choose(start: str, begin: int) -> str | None:
            tried.append(start)
            return ENDINGS[begin] if len(tried) == 3 else None

        assert IdGenerator(lambda: NOW).ending(choose).startswith(tried[2])
        assert tried == sorted(set(tried))
