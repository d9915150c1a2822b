"""``python -m tests.chaos --seconds 600 --seed 7``: break everything that can break, and see that nothing is lost.
``--sentinel``: on Redis servers that sentinels watch, with failovers among the faults.  ``--limits``: some messages
have flow keys.  ``--schedules``: schedules of every second on two servers, one of which is killed every three seconds,
for a minute.

Exit code 1 when a promise was broken; the offending ids and the folder of the ledgers are printed.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.chaos import report, run, schedules
from tests.chaos.servers import watched
from tests.support.page import write_section


def main() -> int:
    """Run, print, write the page."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=None, help="for which faults strike (600; with --schedules 60)"
    )
    parser.add_argument("--seed", type=int, default=None, help="decides the order of the faults; chance when left out")
    parser.add_argument("--rate", type=float, default=40, help="messages per second (40)")
    parser.add_argument("--only", default="", help="kinds of faults, separated by commas")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--sentinel", action="store_true", help="three Redis servers and three sentinels, failovers")
    forms.add_argument("--limits", action="store_true", help="messages with flow keys; their limits are judged too")
    forms.add_argument("--schedules", action="store_true", help="schedules of every second, servers killed")
    parser.add_argument("--no-page", action="store_true", help="leave docs/reliability.md as it is")
    options = parser.parse_args()
    if options.schedules:
        return of_schedules(options.seconds or 60, page=not options.no_page)
    seed = secrets.randbelow(100_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="ms-", dir="/tmp"))
    say(f"seed {seed}; ledgers in {folder}")
    names = tuple(filter(None, options.only.split(",")))
    with ExitStack() as stack:
        redis = stack.enter_context(watched(folder / "redis")) if options.sentinel else None
        result = run.run(folder, seed, options.seconds or 600, options.rate, say, names, redis, flows=options.limits)
    say(report.table(result))
    if not options.no_page:
        form = " SENTINEL=1" if options.sentinel else " LIMITS=1" if options.limits else ""
        write_section(f"chaos{form}", report.table(result))
    if result.verdict.offences:
        say(report.offences(result))
        say(f"The ledgers are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def of_schedules(seconds: float, *, page: bool) -> int:
    """Run the form with schedules, print, write the page."""
    folder = Path(tempfile.mkdtemp(prefix="ms-", dir="/tmp"))
    result = schedules.run(folder, seconds, say)
    say(result.table())
    if page:
        write_section("chaos SCHEDULES=1", result.table())
    if result.offences:
        say("\n".join(result.offences[:20]))
        say(f"The logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
