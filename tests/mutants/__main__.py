"""``python -m tests.mutants``: break the service in one place after the other, and see that a test notices each.

Exit code 1 when a mutant survived, 2 when the run shows nothing (a test fails without any mutant).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.report import table
from tests.mutants.run import Broken, Result, check, check_without, copy_tree
from tests.support.page import write_section


def main() -> int:
    """Run, print, write the page when it was all of them."""
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these; the page stays as it is")
    names = set(parser.parse_args().names)
    if unknown := names - {mutant.name for mutant in MUTANTS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(mutant.name for mutant in MUTANTS)}")
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    results: list[Result] = []
    try:
        with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as folder:
            clean = copy_tree(Path(folder) / "clean")
            check_without(clean, chosen)
            for result in check(clean, chosen):
                results.append(result)
                say(f"{result.mutant.name:30} {result.caught_by or 'SURVIVED'}")
    except Broken as error:
        say(str(error))
        return 2
    if not names:
        write_section("mutants", table(results))
    survived = sum(result.caught_by is None for result in results)
    say(f"{len(results)} mutants, {survived} survived")
    return 1 if survived else 0


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
