"""Mutants one by one: a copy of the tree, one change, the tests that have to notice it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutant import Mutant
from tests.support.service import ROOT

PARTS = ("app.py", "pyproject.toml", "config", "docs", "scheduler", "system-packages.txt", "tests")
"""What the tests of mutants need of the tree; without .git, data/, logs/ and whatever else lies around."""
LIMIT_SECONDS = 120.0
AT_ONCE = 2
_TESTS_FAILED = 1


class Broken(Exception):
    """A run that shows nothing: tests fail without a mutant, cannot be collected, or do not exist."""


class Result(NamedTuple):
    """What became of one mutant."""

    mutant: Mutant
    caught_by: str | None
    """Node id of the first test that failed; None: it survived."""


def copy_tree(to: Path) -> Path:
    """The tree as it is now, compiled files included: they save each run a second."""
    to.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, to / part)
        else:
            shutil.copy2(source, to / part)
    return to


def check_without(clean: Path, mutants: Sequence[Mutant]) -> None:
    """Raises ``Broken`` unless all tests that are named pass on the unchanged tree: else "caught" means nothing."""
    named = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    run = _run_tests(clean, named, LIMIT_SECONDS * 3)
    if not run.passed:
        raise Broken(f"fails without any mutant: {run.first_failure or 'it hung'}\n{run.output}")


def check(clean: Path, mutants: Sequence[Mutant]) -> Iterator[Result]:
    """The result of each mutant, in their order, as soon as it is known."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda mutant: _check_one(clean, mutant), mutants)


def _check_one(clean: Path, mutant: Mutant) -> Result:
    tree = clean.parent / mutant.name
    shutil.copytree(clean, tree)
    try:
        file = tree / mutant.file
        file.write_text(mutant.applied(file.read_text()))
        # Python knows a compiled file by the second and the size of its source: both may be the same.
        for compiled in file.parent.glob(f"__pycache__/{file.stem}.*.pyc"):
            compiled.unlink()
        run = _run_tests(tree, mutant.tests, LIMIT_SECONDS)
    finally:
        shutil.rmtree(tree)
    if run.first_failure is not None and "::" not in run.first_failure:
        raise Broken(f"{mutant.name}: {run.first_failure} cannot even be collected\n{run.output}")
    return Result(mutant, run.first_failure)


class _Run(NamedTuple):
    passed: bool
    first_failure: str | None
    """Node id.  Neither this nor passed: it hung, and no test has noticed anything."""
    output: str


def _run_tests(tree: Path, tests: Sequence[str], limit: float) -> _Run:
    # pytest's own note for --last-failed: the exact node id, whatever stands in its parameters.  A test that
    # pytest-timeout had to kill is not in it.
    note = tree / ".pytest_cache/v/cache/lastfailed"
    note.unlink(missing_ok=True)
    # The plugin of Schemathesis takes half a second to load, and none of these tests uses it.
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:schemathesis", *tests]
    with tempfile.TemporaryFile("w+") as said:
        # A session of its own: who is killed leaves a Redis behind, which ends with it.
        run = subprocess.Popen(command, cwd=tree, stdout=said, stderr=said, start_new_session=True)
        try:
            code = run.wait(limit)
        except subprocess.TimeoutExpired:
            return _Run(False, None, f"not within {limit:g} s")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
        said.seek(0)
        output = said.read()[-4000:]
    if code not in (0, _TESTS_FAILED):
        raise Broken(f"pytest ended with {code}\n{output}")
    failed: list[str] = list(json.loads(note.read_text())) if note.exists() else []
    return _Run(code == 0, failed[0] if failed else None, output)
