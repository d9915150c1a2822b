"""``python -m tests.fuzz.guided <target> <folder> <libFuzzer's options>``: one target, led by what it reaches.

A process of its own: libFuzzer never returns.  Exit code 0 when nothing was found, else the input and the traceback.
``folder`` gets the inputs that reached something new.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

PARSERS = ["when", "moments", "config", "recurrence", "store.scripts", "masking", "api.http.body"]
"""Rooms and modules whose branches lead the inputs; a test says whether they are there."""

with atheris.instrument_imports(include=[f"scheduler.{module}" for module in PARSERS]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until the time is over or something is found."""
    target = TARGETS[sys.argv.pop(1)]
    read = target.arguments
    assert read is not None, "Hypothesis draws its inputs"
    check = target.test.hypothesis.inner_test
    for number, seed in enumerate(target.seeds):
        (Path(sys.argv[1]) / f"seed-{number}").write_text(seed)
    atheris.Setup(sys.argv, lambda data: check(*read(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
