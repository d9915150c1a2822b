"""Mutants of schedules: who may move one on, which runs begin, what is made up for."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_RULES = (
    "tests/store/test_schedules.py",
    "tests/store/test_schedules_catch_up.py",
    "tests/store/test_schedules_changed.py",
)

MUTANTS = (
    Mutant(
        "plan-not-compared",
        "scheduler/store/lua/plan.lua",
        "if revision == ARGV[at + 1] and s[2] == ARGV[at + 2] and not stale then",
        "if revision == ARGV[at + 1] then",
        "a schedule is moved on although another server did so already",
        "runs are counted twice, and a planner that was slow sets a schedule back",
        _RULES,
    ),
    Mutant(
        "plan-stale-decision",
        "scheduler/store/lua/plan.lua",
        "local stale = s[6] == s[2] and not missed",
        "local stale = false",
        "a planner that stalled writes what it decided before its message was taken back",
        "a run is lost without a word",
        _RULES,
    ),
    Mutant(
        "run-of-old-generation",
        "scheduler/store/lua/_begins.lua",
        "if not begun and current ~= generation and not redriven(id) then",
        "if false then",
        "a run begins although its schedule was changed",
        "after a change of the address the old one is still called",
        _RULES,
    ),
    Mutant(
        "run-of-deleted",
        "scheduler/store/lua/_begins.lua",
        "return redriven(id) or skip(id, text, m, due_at, 'gone')",
        "return true",
        "a run begins although its schedule was deleted",
        "a schedule that was deleted is delivered once more, or retried for hours",
        _RULES,
    ),
    Mutant(
        "run-late-not-taken-back",
        "scheduler/store/lua/_begins.lua",
        "and is_late(redis.call('ZSCORE', plans, sid)) and not redriven(id) then",
        "and false then",
        "the message of a moment that was missed is delivered whatever the policy says",
        "after a downtime there is one run too many, hours late",
        _RULES,
    ),
    Mutant(
        "catch-up-from-the-next",
        "scheduler/schedule.py",
        'after = due.next_run - (due.missed == "1")',
        "after = due.next_run",
        "the moment at which a downtime began is not made up for",
        "of the runs that were missed the first is lost",
        _RULES,
    ),
    Mutant(
        "change-fires-at-once",
        "scheduler/schedules/changing.py",
        "moment = plan.next_after(now_ms)",
        "moment = plan.latest_at(now_ms) or plan.next_after(now_ms)",
        "a change goes on with the moment before now",
        "a deployment in the afternoon runs the nightly job",
        _RULES,
    ),
    Mutant(
        "jitter-left-out",
        "scheduler/schedule.py",
        "due_at = jittered(due.plan, due.id, moment, due.jitter_ms)",
        "due_at = moment",
        "the planner forgets the jitter",
        "all schedules of an hour begin in the same millisecond again",
        ("tests/store/test_schedules.py", "tests/store/test_schedule_machine.py"),
    ),
)
