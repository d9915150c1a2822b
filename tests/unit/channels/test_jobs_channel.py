"""The job channel: what is run, what is watched, what is given back; on a clock that only the test moves."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from scheduler.channels.job import JobChannel
from scheduler.channels.job.attempt import Attempt, Slice
from scheduler.channels.job.channel import INTERRUPT_SECONDS, MOST, PATIENCE_SECONDS
from scheduler.jobs import Dead, JobContext, Registry, Retry, TimeLimitExceeded
from scheduler.logs.sinks import adapt
from scheduler.message import Claim, Outcome, Priority
from tests.support.clock import START_MS, FakeClock
from tests.support.logger import RecordingLogger
from tests.support.waiting import wait_for

SECONDS = 10.0


class Jobs:
    """A channel with handlers, a worker's thread for each slice, and all that was reported."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.log = RecordingLogger()
        self.registry = Registry()
        self.lost: set[str] = set()
        self.renewals: list[str] = []
        self.channel = JobChannel(
            clock=clock,
            now_ms=lambda: float(clock.now_ms()),
            holds=lambda claim: claim.id not in self.lost,
            renew=self._renew,
            log=adapt(self.log),
            registry=self.registry,
        )
        self.reports: list[list[Outcome]] = []
        self._changed = threading.Condition()
        self._workers: list[threading.Thread] = []

    def _renew(self, claim: Claim) -> bool:
        self.renewals.append(claim.id)
        return claim.id not in self.lost

    def claim(
        self, id: str, type: str | None, payload: Any = None, *, attempt: int = 1, due_at: int = START_MS
    ) -> Claim:
        return Claim(
            id,
            "t",
            attempt,
            due_at,
            "job",
            json.dumps(payload),
            None,
            type,
            None,
            Priority.NORMAL,
            due_at,
            0,
            f"job:{type or ''}",
        )

    def deliver(self, *claims: Claim) -> threading.Thread:
        """Hand over a slice as a worker would; returns at once."""
        worker = threading.Thread(target=self.channel.deliver, args=(claims, self._report), daemon=True)
        self._workers.append(worker)
        worker.start()
        return worker

    def run(self, *claims: Claim) -> dict[str, Outcome]:
        """Deliver a slice and wait for its end."""
        self.deliver(*claims).join(SECONDS)
        return self.outcomes()

    def _report(self, outcomes: Sequence[Outcome]) -> None:
        with self._changed:
            self.reports.append(list(outcomes))
            self._changed.notify_all()

    def outcomes(self) -> dict[str, Outcome]:
        """By id; AssertionError when a claim was reported twice."""
        found = [outcome for report in self.reports for outcome in report]
        assert len({outcome.claim.id for outcome in found}) == len(found)
        return {outcome.claim.id: outcome for outcome in found}

    def wait(self, count: int) -> dict[str, Outcome]:
        """Block until so many claims were reported."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes()) >= count, SECONDS), self.reports
        return self.outcomes()

    def pass_time(self, *waits: float) -> None:
        """Advance the clock through these waits, each as soon as it has begun."""
        for number, seconds in enumerate(waits, 1):
            wait_for(f"wait number {number}", lambda number=number: len(self.clock.waits) >= number)  # type: ignore[misc]
            self.clock.advance(seconds)

    def close(self) -> None:
        self.channel.stop(0)
        for worker in self._workers:
            worker.join(SECONDS)
            assert not worker.is_alive(), "a worker hangs"


class Held:
    """A handler that begins, and ends when the test lets it."""

    def __init__(self, result: Any = None) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.context: JobContext | None = None
        self._result = result

    def __call__(self, payload: Any, context: JobContext) -> Any:
        self.context = context
        self.begun.set()
        assert self.go.wait(SECONDS)
        return self._result

    def is_cancelled(self) -> bool:
        assert self.context is not None
        return self.context.cancelled()


@pytest.fixture
def jobs(clock: FakeClock) -> Iterator[Jobs]:
    jobs = Jobs(clock)
    yield jobs
    jobs.close()


class TestRunning:
    def test_a_handler_gets_payload_and_context_and_its_result_is_reported(self, jobs: Jobs, clock: FakeClock) -> None:
        seen: list[Any] = []

        @jobs.registry.handler("add")
        def add(payload: Any, context: JobContext) -> Any:
            seen.append((context.id, context.attempt, context.due_at, context.cancelled()))
            clock.advance(0.002)
            return {"sum": sum(payload)}

        clock.advance(0.5)
        outcome = jobs.run(jobs.claim("a", "add", [1, 2], attempt=3))["a"]
        assert seen == [("a", 3, START_MS, False)]
        assert (outcome.kind, outcome.result, outcome.error) == ("ack", '{"sum":3}', None)
        assert (outcome.lateness_ms, outcome.duration_ms) == (500, 2)

    def test_a_handler_is_told_the_schedule_and_its_moment(self, jobs: Jobs) -> None:
        seen: list[Any] = []
        handler = jobs.registry.handler("tell")
        handler(lambda payload, context: seen.append((context.schedule_id, context.scheduled_for)))
        jobs.run(jobs.claim("a", "tell"))
        jobs.run(jobs.claim(f"nightly:{START_MS - 5}", "tell")._replace(run="17 catch_up"))
        assert seen == [(None, START_MS), ("nightly", START_MS - 5)]

    def test_a_handler_is_told_the_trace_of_the_request(self, jobs: Jobs) -> None:
        seen: list[Any] = []
        jobs.registry.handler("tell")(lambda payload, context: seen.append(context.traceparent))
        jobs.run(jobs.claim("a", "tell"))
        jobs.run(jobs.claim("b", "tell")._replace(trace="00-a-b-01"))
        assert seen == [None, "00-a-b-01"]

    def test_integers_of_any_length_arrive_as_they_are(self, jobs: Jobs) -> None:
        jobs.registry.handler("same")(lambda payload, context: payload)
        number = 123456789012345678901234567890
        assert jobs.run(jobs.claim("a", "same", number))["a"].result == str(number)

    def test_each_of_a_slice_has_its_own_outcome(self, jobs: Jobs) -> None:
        def by_payload(payload: Any, context: JobContext) -> Any:
            if isinstance(payload, str):
                raise {"retry": Retry("busy", after=2), "dead": Dead("no"), "bug": KeyError("x")}[payload]
            return payload

        jobs.registry.handler("mixed")(by_payload)
        payloads = [1, "retry", "dead", "bug", 2]
        found = jobs.run(*(jobs.claim(str(n), "mixed", payload) for n, payload in enumerate(payloads)))
        assert [found[str(n)].kind for n in range(5)] == ["ack", "retry", "dead", "retry", "ack"]
        assert found["1"].delay_ms == 2000
        assert "by_payload" in (found["3"].evidence or {})["traceback"]
        assert len(jobs.reports) == 1

    def test_an_unknown_type_is_dead(self, jobs: Jobs) -> None:
        jobs.registry.handler("known")(lambda payload, context: None)
        found = jobs.run(jobs.claim("a", "unknown"), jobs.claim("b", None), jobs.claim("c", "known"))
        assert found["a"].kind == found["b"].kind == "dead"
        assert (found["a"].error or "").startswith("no handler is registered for the job type 'unknown'; known: known;")
        assert found["c"].kind == "ack"


class TestWhatWaitsBehindSlowWork:
    def test_is_given_back_and_what_has_ended_is_reported(self, jobs: Jobs, clock: FakeClock) -> None:
        slow = Held("late")
        jobs.registry.handler("quick")(lambda payload, context: None)
        jobs.registry.handler("slow")(slow)
        jobs.deliver(*(jobs.claim(str(n), type) for n, type in enumerate(["quick", "slow", "quick", "quick"])))
        assert slow.begun.wait(SECONDS)
        jobs.pass_time(PATIENCE_SECONDS)
        found = jobs.wait(3)
        assert {id: outcome.kind for id, outcome in found.items()} == {"0": "ack", "2": "release", "3": "release"}
        slow.go.set()
        assert jobs.wait(4)["1"].result == '"late"'

    def test_what_is_given_back_is_the_end_of_a_slice_however_the_runner_goes_on_meanwhile(self, jobs: Jobs) -> None:
        """Taken back from the front, a runner that became free in between ran the last one of the slice."""

        class RunnerGoesOn(deque[Attempt]):
            """The runner takes its next one between any two that are taken back."""

            def pop(self, *_: object) -> Attempt:
                return self._then_the_runner(super().pop())

            def popleft(self) -> Attempt:
                return self._then_the_runner(super().popleft())

            def _then_the_runner(self, taken: Attempt) -> Attempt:
                if self:
                    begun.append(super().popleft())
                return taken

        attempts = [Attempt(jobs.claim(id, "x"), None) for id in "abcde"]
        work, begun = Slice(attempts), list[Attempt]()
        work._todo = RunnerGoesOn(attempts)
        given_back = work.take_back()
        assert [*begun, *given_back] == attempts
        assert begun
        assert given_back

    def test_slices_are_small_until_work_is_known_to_be_quick(self, jobs: Jobs, clock: FakeClock) -> None:
        slow = Held()
        jobs.registry.handler("quick")(lambda payload, context: None)
        jobs.registry.handler("slow")(slow)
        assert jobs.channel.slice_size("job:quick") == 1
        self.run_quick_slices(jobs, 50)
        assert jobs.channel.slice_size("job:quick") == MOST
        jobs.deliver(jobs.claim("slow", "slow"))
        assert slow.begun.wait(SECONDS)
        jobs.pass_time(*[0] * 50, PATIENCE_SECONDS)
        slow.go.set()
        jobs.wait(51)
        assert jobs.channel.slice_size("job:slow") == 1
        assert jobs.channel.slice_size("job:quick") == MOST, "a slow type makes no other one slow"

    def run_quick_slices(self, jobs: Jobs, count: int) -> None:
        for n in range(count):
            jobs.run(jobs.claim(f"{len(jobs.reports)}-{n}", "quick"))

    def test_a_slow_handler_holds_up_no_other_worker(self, jobs: Jobs) -> None:
        slow = Held()
        jobs.registry.handler("quick")(lambda payload, context: None)
        jobs.registry.handler("slow")(slow)
        jobs.deliver(jobs.claim("slow", "slow"))
        assert slow.begun.wait(SECONDS)
        assert jobs.run(jobs.claim("quick", "quick"))["quick"].kind == "ack"
        slow.go.set()


class TestTheLock:
    def test_a_handler_learns_that_it_was_lost(self, jobs: Jobs) -> None:
        held = Held()
        jobs.registry.handler("x")(held)
        jobs.deliver(jobs.claim("a", "x"))
        assert held.begun.wait(SECONDS)
        assert not held.is_cancelled()
        jobs.lost.add("a")
        assert held.is_cancelled()
        held.go.set()

    def test_a_handler_can_make_sure_of_it(self, jobs: Jobs) -> None:
        answers: list[bool] = []

        @jobs.registry.handler("x")
        def run(payload: Any, context: JobContext) -> Any:
            answers.append(context.renewed())
            jobs.lost.add(context.id)
            answers.append(context.renewed())
            jobs.lost.clear()
            answers.append(context.cancelled())

        jobs.run(jobs.claim("a", "x"))
        assert answers == [True, False, True]
        assert jobs.renewals == ["a", "a"]


class TestTimeLimit:
    LIMIT = 60.0

    def overrun(self, jobs: Jobs, handler: Callable[[Any, JobContext], Any], *more: float) -> None:
        """Deliver one job and let its time limit pass, and then further waits."""
        begun = threading.Event()

        def run(payload: Any, context: JobContext) -> Any:
            begun.set()
            return handler(payload, context)

        jobs.registry.handler("x", time_limit=self.LIMIT)(run)
        jobs.deliver(jobs.claim("a", "x"))
        assert begun.wait(SECONDS)
        jobs.pass_time(PATIENCE_SECONDS, self.LIMIT, *more)

    def test_python_code_is_interrupted_and_can_clean_up(self, jobs: Jobs, clock: FakeClock) -> None:
        seen: list[bool] = []

        def endless(payload: Any, context: JobContext) -> None:
            try:
                while True:
                    pass
            except Exception:  # noqa: BLE001 - what a handler may well have
                seen.append(False)
            finally:
                seen.append(context.cancelled())

        self.overrun(jobs, endless)
        outcome = jobs.wait(1)["a"]
        assert (outcome.kind, outcome.error) == ("retry", "timed out after 60 s")
        assert "endless" in (outcome.evidence or {})["traceback"]
        assert seen == [True]

    def test_one_that_looks_at_cancelled_ends_by_itself(self, jobs: Jobs, clock: FakeClock) -> None:
        def polite(payload: Any, context: JobContext) -> str:
            try:
                while not context.cancelled():
                    pass
                return "half of it"
            except TimeLimitExceeded:
                return "interrupted, and saved"

        self.overrun(jobs, polite)
        outcome = jobs.wait(1)["a"]
        assert (outcome.kind, outcome.result) in [
            ("ack", '"half of it"'),
            ("ack", '"interrupted, and saved"'),
            ("retry", None),
        ]

    def test_a_thread_that_was_interrupted_is_not_used_again(self, jobs: Jobs, clock: FakeClock) -> None:
        threads: list[threading.Thread] = []

        def stubborn(payload: Any, context: JobContext) -> str:
            threads.append(threading.current_thread())
            try:
                while True:
                    pass
            except TimeLimitExceeded:
                return "saved"

        self.overrun(jobs, stubborn)
        assert jobs.wait(1)["a"].result == '"saved"'
        jobs.registry.handler("next")(lambda payload, context: threads.append(threading.current_thread()))
        jobs.run(jobs.claim("b", "next"))
        assert threads[0] is not threads[1]
        threads[0].join(SECONDS)
        assert not threads[0].is_alive()

    def test_one_that_hangs_in_c_is_left_behind_and_its_worker_goes_on(self, jobs: Jobs, clock: FakeClock) -> None:
        release, threads = threading.Lock(), []
        release.acquire()

        def stuck(payload: Any, context: JobContext) -> str:
            threads.append(threading.current_thread())
            with release:
                return "much too late"

        self.overrun(jobs, stuck, INTERRUPT_SECONDS)
        outcome = jobs.wait(1)["a"]
        assert outcome.kind == "retry"
        assert outcome.error == "timed out after 60 s; the handler did not stop, and its thread was left behind"
        assert "with release:" in (outcome.evidence or {})["traceback"]
        assert outcome.duration_ms == pytest.approx((PATIENCE_SECONDS + self.LIMIT + INTERRUPT_SECONDS) * 1000)
        assert jobs.log.count("job id=a type=x attempt=1 passed its time limit and did not stop") == 1
        jobs.registry.handler("quick")(lambda payload, context: None)
        assert jobs.run(jobs.claim("b", "quick"))["b"].kind == "ack"
        release.release()
        threads[0].join(SECONDS)
        assert not threads[0].is_alive()
        assert set(jobs.outcomes()) == {"a", "b"}

    def test_none_is_without_limit(self, jobs: Jobs, clock: FakeClock) -> None:
        held = Held("done")
        jobs.registry.handler("x", time_limit=None)(held)
        jobs.deliver(jobs.claim("a", "x"))
        assert held.begun.wait(SECONDS)
        jobs.pass_time(PATIENCE_SECONDS, 30 * 86_400)
        held.go.set()
        assert jobs.wait(1)["a"].result == '"done"'


class TestStop:
    def test_what_runs_may_finish_and_knows_of_it(self, jobs: Jobs, clock: FakeClock) -> None:
        held = Held("done")
        jobs.registry.handler("x")(held)
        jobs.deliver(jobs.claim("a", "x"), jobs.claim("b", "x"))
        assert held.begun.wait(SECONDS)
        stop = threading.Thread(target=self.stop, args=(jobs, 10))
        stop.start()
        assert jobs.wait(1)["b"].kind == "release"
        assert held.is_cancelled()
        held.go.set()
        stop.join(SECONDS)
        assert jobs.outcomes()["a"].result == '"done"'

    def test_what_exceeds_the_grace_is_charged_and_runs_again_at_once(self, jobs: Jobs, clock: FakeClock) -> None:
        held = Held()
        jobs.registry.handler("x")(held)
        jobs.deliver(jobs.claim("a", "x"))
        assert held.begun.wait(SECONDS)
        stop = threading.Thread(target=self.stop, args=(jobs, 10))
        stop.start()
        wait_for("the stop waits", lambda: 10 in clock.waits)
        clock.advance(10)
        outcome = jobs.wait(1)["a"]
        assert (outcome.kind, outcome.delay_ms, outcome.duration_ms) == ("retry", 0, 10_000)
        assert outcome.error == "the server stopped delivering before it ended"
        stop.join(SECONDS)
        assert not stop.is_alive()
        held.go.set()

    def test_nothing_is_begun_afterwards(self, jobs: Jobs) -> None:
        jobs.registry.handler("x")(lambda payload, context: None)
        jobs.channel.stop(0)
        assert jobs.run(jobs.claim("a", "x"))["a"].kind == "release"

    def test_its_threads_end(self, jobs: Jobs) -> None:
        threads: list[threading.Thread] = []
        jobs.registry.handler("x")(lambda payload, context: threads.append(threading.current_thread()))
        jobs.run(jobs.claim("a", "x"))
        jobs.channel.stop(0)
        threads[0].join(SECONDS)
        assert not threads[0].is_alive()

    @staticmethod
    def stop(jobs: Jobs, grace: float) -> None:
        jobs.channel.stop(grace)
