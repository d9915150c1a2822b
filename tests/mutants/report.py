"""The table of docs/reliability.md."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.mutants.run import Result


def table(results: Sequence[Result]) -> str:
    """Markdown: the sum, then a row per mutant."""
    survived = [result.mutant.name for result in results if result.caught_by is None]
    today, caught = time.strftime("%Y-%m-%d", time.gmtime()), len(results) - len(survived)
    lines = [
        f"{today}: {len(results)} mutants, {caught} caught, {len(survived)} survived.",
        "",
        "| # | broken | it would have meant | caught by |",
        "|---|---|---|---|",
    ]
    for number, (mutant, caught_by) in enumerate(results, 1):
        lines.append(f"| {number} | `{mutant.file}`: {mutant.broken} | {mutant.meant} | {_shown(caught_by)} |")
    return "\n".join(lines)


def _shown(node: str | None) -> str:
    """Without parameters and the folder that all tests are in."""
    return "**nothing**" if node is None else f"`{node.partition('[')[0].removeprefix('tests/')}`"
