"""The loader of the Lua scripts: headers, names, and Redis that has forgotten a script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import NoScriptError, ResponseError

from scheduler.store.keys import PartitionKeys
from scheduler.store.scripts import LUA, SECTIONS, ScriptError, load, parse

VERBS = sorted(path.stem for path in LUA.glob("[!_]*.lua"))

GOOD = """--[[
verb: does something.
KEYS     dead locks
ARGV     now limit items...
         items, 2 each: id token
INCLUDES clock
RETURNS  what it returns, with KEYS and ARGV in the text
CODES    0 fine
COST     O(1)
]]
return limit
"""


def written(folder: Path, text: str, name: str = "verb") -> Path:
    path = folder / f"{name}.lua"
    path.write_text(text)
    (folder / "_clock.lua").write_text("local now_ms = 1\n")
    return path


def without(section: str) -> str:
    return re.sub(rf"^{section} .*\n", "", GOOD, flags=re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS)
def test_every_script_has_a_whole_header(verb: str) -> None:
    header = (LUA / f"{verb}.lua").read_text().split("]]")[0]
    found = [line.split()[0] for line in header.splitlines() if line.split(" ")[0] in SECTIONS]
    assert found == [section for section in SECTIONS if section in found], "in the order that the loader names"
    assert set(SECTIONS) - set(found) <= {"INCLUDES", "PARTS"}
    assert load(verb).name == verb


def test_names_become_locals_in_front_of_the_body(tmp_path: Path) -> None:
    script = parse(written(tmp_path, GOOD))
    assert (script.keys, script.arguments, script.takes_list) == (("dead", "locks"), ("now", "limit"), True)
    assert script.source.startswith(
        "local dead, locks = KEYS[1], KEYS[2]\nlocal now, limit = ARGV[1], ARGV[2]\nlocal items = 3\n"
        "return (function()\nlocal now_ms = 1\n"
    )
    assert script.source.endswith("return limit\n\nend)()\n")


def test_a_part_is_made_when_it_is_asked_for_and_brings_what_it_includes_besides(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("INCLUDES clock", "INCLUDES clock\nPARTS    runs"))
    (tmp_path / "_runs.lua").write_text("--[[\nruns: of a schedule.\nINCLUDES clock size\n]]\nreturn {ended = size}\n")
    (tmp_path / "_size.lua").write_text("local size = 2\n")
    assert parse(path).source.split("return (function()\n", 1)[1] == (
        "local parts = {}\nlocal now_ms = 1\n"
        "setmetatable(parts, {__index = function(_, part)\nlocal made\n"
        "if part == 'runs' then made = (function()\nlocal size = 2\n"
        "--[[\nruns: of a schedule.\nINCLUDES clock size\n]]\nreturn {ended = size}\nend)() end\n"
        f"parts[part] = made\nreturn made\nend}})\n{path.read_text()}\nend)()\n"
    )


def test_a_header_may_have_no_names_at_all(tmp_path: Path) -> None:
    script = parse(written(tmp_path, re.sub(r"^(KEYS|ARGV) .*$", r"\1", GOOD, flags=re.MULTILINE)))
    assert (script.keys, script.arguments, script.takes_list) == ((), (), False)


@pytest.mark.parametrize("section", ["KEYS", "ARGV", "RETURNS", "CODES", "COST"])
def test_a_missing_section_is_named(tmp_path: Path, section: str) -> None:
    with pytest.raises(ScriptError, match=rf"^verb.lua: the header lacks {section}$"):
        parse(written(tmp_path, without(section)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("--[[\nverb:", "--[[\nother:", "must open with a header '--\\[\\[', 'verb: what it does'"),
        ("--[[\n", "\n--[[\n", "must open with a header"),
        ("\n]]\n", "\n", "must open with a header"),
        ("locks", "Locks", "KEYS holds Locks; names are lower case"),
        ("locks", "locks...", "KEYS holds locks..."),
        ("locks", "locks,", "KEYS holds locks,"),
        ("limit", "KEYS[1]", r"ARGV holds KEYS\[1\]"),
        ("limit", "end", "ARGV holds end; names are lower case, no words of Lua"),
        ("limit", "locks", "KEYS and ARGV hold a name twice"),
        ("limit", "items", "KEYS and ARGV hold a name twice"),
        ("INCLUDES clock", "INCLUDES ../clock", "INCLUDES holds ../clock"),
        ("now limit items...", "now items... limit", "only the last of ARGV may be a list"),
        ("INCLUDES clock", "INCLUDES clok", "INCLUDES clok, and there is no _clok.lua"),
        ("INCLUDES clock", "PARTS    clok", "PARTS clok, and there is no _clok.lua"),
        ("INCLUDES clock", "PARTS    ../clock", "PARTS holds ../clock"),
        ("return limit", "return parts.runs.ended() + parts.late", "PARTS lacks late, runs"),
    ],
)
def test_a_broken_header_says_what_is_wrong(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ScriptError, match=f"^verb.lua: .*{says}"):
        parse(written(tmp_path, GOOD.replace(old, new, 1)))


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "verb.lua"
    path.write_bytes(b"\xff")
    with pytest.raises(ScriptError, match=r"^verb\.lua: is not UTF-8 text$"):
        parse(path)


class Client:
    """Answers with what it was asked; ``errors`` are raised first, one per call."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[tuple[Any, ...]] = []

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.calls.append(args)
        if self.errors:
            raise self.errors.pop(0)
        return "reply"


def test_a_call_sends_keys_and_arguments_in_the_header_s_order(tmp_path: Path) -> None:
    script, client = parse(written(tmp_path, GOOD)), Client()
    assert script.call(client, PartitionKeys(3), ["a", 1], limit=5, now=7) == "reply"
    assert client.calls == [("EVALSHA", script.sha, 2, "ms1:{3}:dead", "ms1:{3}:locks", 7, 5, "a", 1)]


def test_a_script_that_redis_lost_is_run_and_loaded_in_one_step(tmp_path: Path) -> None:
    script, client = parse(written(tmp_path, GOOD)), Client(NoScriptError("gone"))
    assert script.call(client, PartitionKeys(3), [], limit=5, now=7) == "reply"
    assert [call[0] for call in client.calls] == ["EVALSHA", "EVAL"]
    assert client.calls[1][1:] == (script.source, *client.calls[0][2:])


def test_other_errors_are_not_tried_again(tmp_path: Path) -> None:
    script, client = parse(written(tmp_path, GOOD)), Client(ResponseError("ERR user_script:4: boom"))
    with pytest.raises(ResponseError, match="boom"):
        script.call(client, PartitionKeys(0), [], limit=5, now=7)
    assert len(client.calls) == 1


def test_a_missing_argument_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    client = Client()
    with pytest.raises(KeyError, match="limit"):
        parse(written(tmp_path, GOOD)).call(client, PartitionKeys(0), [], now=7)
    assert client.calls == []


def test_an_argument_too_many_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    client = Client()
    with pytest.raises(TypeError, match=r"^verb does not take lmit$"):
        parse(written(tmp_path, GOOD)).call(client, PartitionKeys(0), [], now=7, limit=1, lmit=2)
    with pytest.raises(TypeError, match=r"^verb does not take a list$"):
        parse(written(tmp_path, GOOD.replace(" items...", ""))).call(client, PartitionKeys(0), ["a"], now=7, limit=1)
    assert client.calls == []


def test_a_key_that_the_layout_does_not_know_is_named(tmp_path: Path) -> None:
    client = Client()
    with pytest.raises(KeyError, match="lokcs"):
        parse(written(tmp_path, GOOD.replace("locks", "lokcs"))).call(client, PartitionKeys(0), [], now=7, limit=1)
    assert client.calls == []


def test_scripts_are_read_once() -> None:
    assert load("claim") is load("claim")
