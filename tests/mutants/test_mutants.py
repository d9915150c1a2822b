"""The mutants fit the code as it is, and the check tells one that is caught from one that is not; ``make mutants`` runs
them all.
"""

from __future__ import annotations

import ast
import shutil
from functools import cache
from pathlib import Path

import pytest
import redis

from scheduler.store.scripts import LUA, parse
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.report import table
from tests.mutants.run import Broken, Result, check, check_without, copy_tree
from tests.support.service import ROOT

CAUGHT = next(mutant for mutant in MUTANTS if mutant.name == "in-flight-any-token")
CAUGHT_BY = "tests/unit/delivery/test_in_flight.py::test_a_stale_claim_does_not_remove_the_one_that_came_after_it"
HARMLESS = CAUGHT._replace(name="harmless", before="Wait until nothing", after="Return when nothing")


@cache
def functions(file: str) -> set[str]:
    """The tests of a file as ``Class::test`` or ``test``."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_names_tests_that_exist(mutant: Mutant) -> None:
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name in functions(file) if name else functions(file)


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.file.endswith(".py")], ids=lambda mutant: mutant.name)
def test_it_changes_python_that_still_compiles(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    changed = mutant.applied(text)
    assert changed != text
    compile(changed, mutant.file, "exec")


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.file.endswith(".lua")], ids=lambda mutant: mutant.name)
def test_it_changes_lua_that_still_compiles(mutant: Mutant, tmp_path: Path, redis_client: redis.Redis) -> None:
    scripts = shutil.copytree(LUA, tmp_path / "lua")
    file = scripts / Path(mutant.file).name
    before = {path.name: parse(path).sha for path in scripts.glob("[a-z]*.lua")}
    file.write_text(mutant.applied(file.read_text()))
    changed = [script for path in scripts.glob("[a-z]*.lua") if (script := parse(path)).sha != before[path.name]]
    assert changed
    for script in changed:
        assert redis_client.script_load(script.source) == script.sha


def test_a_text_that_is_gone_or_there_twice_is_no_place_for_a_mutant() -> None:
    with pytest.raises(ValueError, match="holds 0 times, and not once"):
        CAUGHT.applied("")
    with pytest.raises(ValueError, match="holds 2 times, and not once"):
        CAUGHT.applied(CAUGHT.before * 2)


def test_what_tests_notice_is_caught_and_what_they_do_not_survives(short_tmp: Path) -> None:
    clean = copy_tree(short_tmp / "clean")
    caught, survived = check(clean, [CAUGHT, HARMLESS])
    assert caught == Result(CAUGHT, CAUGHT_BY)
    assert survived == Result(HARMLESS, None)
    assert "2 mutants, 1 caught, 1 survived." in table([caught, survived])
    assert "| **nothing** |" in table([caught, survived])
    file = clean / CAUGHT.file
    file.write_text(CAUGHT.applied(file.read_text()))
    with pytest.raises(Broken, match=f"fails without any mutant: {CAUGHT_BY}"):
        check_without(clean, [HARMLESS])
