"""The section of docs/reliability.md."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.explore.model import Scope
from tests.explore.search import Found
from tests.explore.seeds import TOKEN_CHECK, Seed

Hunt = tuple[Seed, Found]


def page(explored: Sequence[Found], hunts: Sequence[Hunt]) -> str:
    """Both tables, and the trace that the missing token check leads to."""
    lines = [
        f"{time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        "| scope | faults in one history | states | transitions | calls | longest way | seconds | broken rules |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {f.scope.name} | {_limits(f.scope)} | {f.states:,} | {f.transitions:,} | {f.calls:,} | {f.depth} "
        f"| {f.seconds:.0f} | {f.broken.rule if f.broken else 'none'} |"
        for f in explored
    ]
    lines += ["", "| bug sown into the scripts | rule that broke | steps |", "|---|---|---|"]
    lines += [
        f"| {seed.name} | {found.broken.rule if found.broken else '**not found**'} | {len(found.trace) or ''} |"
        for seed, found in hunts
    ]
    for seed, found in hunts:
        if seed == TOKEN_CHECK:
            lines += ["", f"`{seed.old}` became `{seed.new}`; the shortest way to see it:", ""]
            lines += ["```", trace(found), "```"]
    return "\n".join(lines)


def trace(found: Found) -> str:
    """The steps, numbered, and what was wrong in the end."""
    steps = [f"{number}. {line}" for number, line in enumerate(found.trace, 1)]
    return "\n".join([*steps, f"=> {found.broken}"])


def _limits(scope: Scope) -> str:
    counts = {"crashes": scope.crashes, "lost answers": scope.lost_replies, "expiries": scope.expiries}
    return ", ".join(f"{name}: {'any' if count is None else count}" for name, count in counts.items())
