"""The result as tables: on the console, and in docs/reliability.md."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from scheduler.flow import FlowLimits
from tests.chaos.limits import KEYS
from tests.chaos.run import Result

_SHOWN = 20


def table(result: Result) -> str:
    """Markdown: the sums, then a row per flow key, if there were any, then one per fault."""
    return "\n\n".join(filter(None, (_sums(result), _keys(result), _faults(result))))


def _sums(result: Result) -> str:
    verdict = result.verdict
    offences = {name: len(found) for name, found in verdict.offences.items()}
    rows = {
        "seed": str(result.seed),
        "faults, for so many seconds": f"{result.struck.total()}, {result.seconds:g} s",
        "messages accepted over HTTP": f"{verdict.accepted}",
        "delivered": f"{verdict.delivered}",
        "dead letters (sent to where every attempt fails)": f"{verdict.dead}",
        "still scheduled": f"{verdict.scheduled}",
        "finishes in the history": f"{verdict.archived}",
        "**lost**": f"**{offences.pop('lost', 0)}**",
        "**early**": f"**{offences.pop('early', 0)}**",
        "delivered once more": _counted(verdict.repeats),
        "of these under the same attempt": _counted(verdict.same_attempt),
        "attempts that ended with an expired lock": _counted(verdict.lost_locks),
        "attempts that failed while the endpoint misbehaved": str(verdict.failed_attempts),
        "repeats and failures that no fault explains": str(offences.pop("unexplained", 0)),
        "other broken promises": ", ".join(f"{name}: {count}" for name, count in offences.items()) or "0",
        "HTTP answers": ", ".join(f"{status or 'none'}: {n}" for status, n in sorted(result.answers.items())),
        "requests that nobody ever confirmed": str(result.unconfirmed),
        "until all was drained after the last fault": f"{result.drain_seconds:.1f} s",
        "not run here": "; ".join(result.skipped) or "nothing",
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def _counted(causes: Counter[str]) -> str:
    if not causes:
        return "0"
    return f"{causes.total()}, explained by " + ", ".join(f"{name} ({count})" for name, count in causes.most_common())


def _keys(result: Result) -> str:
    if not result.verdict.keys:
        return ""
    lines = [
        "| flow key | messages | attempts | most in flight | most seen at once | went on without lock | in a window |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, found in result.verdict.keys.items():
        window = found.window or "-"
        lines.append(
            f"| {_words(KEYS[key])} | {found.messages} | {found.attempts} | {found.locked} | {found.seen} | "
            f"{found.overlapping} | {window} |"
        )
    return "\n".join(lines)


def _words(limits: FlowLimits) -> str:
    words = [f"concurrency {limits.concurrency}"] if limits.concurrency else []
    words += [f"rate {limits.rate.most} per {limits.rate.period_ms / 1000:g} s"] if limits.rate else []
    return ", ".join(words + (["ordered"] if limits.ordered else []))


def _faults(result: Result) -> str:
    lines = [
        "| fault | times | delivered once more | whole again, median / longest | recovered after, median / longest |",
        "|---|---|---|---|---|",
    ]
    for kind in result.kinds:
        repeats = result.verdict.repeats[kind.name]
        whole = _times(result.verdict.whole_ms.get(kind.name, ()))
        recovery = _times(result.verdict.recovery_ms.get(kind.name, ()))
        lines.append(f"| {kind.name}: {kind.what} | {result.struck[kind.name]} | {repeats} | {whole} | {recovery} |")
    return "\n".join(lines)


def _times(ms: Sequence[float]) -> str:
    return f"{statistics.median(ms) / 1000:.1f} / {max(ms) / 1000:.1f} s" if ms else "-"


def offences(result: Result) -> str:
    """The offending messages, and what is known of each."""
    lines = []
    for name, found in result.verdict.offences.items():
        lines.append(f"{name.upper()}: {len(found)}")
        lines += [f"  {one}" for one in found[:_SHOWN]]
    lines += [f"{count:6} {text}" for text, count in result.complaints.most_common(_SHOWN)]
    return "\n".join(lines)
