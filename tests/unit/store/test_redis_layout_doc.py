"""docs/redis_layout.md lists every key, every field and every script with what it costs."""

from __future__ import annotations

import re
from pathlib import Path

from scheduler.store import keys
from scheduler.store.scripts import LUA

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "redis_layout.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table below this heading, without its head."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]


def test_every_key_is_listed() -> None:
    known = {key.replace("{0}", "{p}") for key in keys.PartitionKeys(0)._names.values()}
    known |= {keys.META, keys.SERVERS, keys.HISTORY, keys.WAKE, f"{keys.RATES}:"}
    listed = {re.sub(r"<.*>", "", row[0].strip("`")) for row in rows("Keys")}
    assert listed == known


def test_every_field_of_a_message_is_explained_in_the_words_of_the_code() -> None:
    assert {row[0].strip("`"): row[1] for row in rows("Fields of a message")} == {
        name: text.replace("``", "`") for name, text in keys.FIELDS.items()
    }


def test_every_field_of_a_schedule_is_explained_in_the_words_of_the_code() -> None:
    assert {row[0].strip("`"): row[1] for row in rows("Fields of a schedule")} == {
        name: text.replace("``", "`") for name, text in keys.SCHEDULE_FIELDS.items()
    }


def test_every_word_of_a_flow_key_is_explained_in_the_words_of_the_code() -> None:
    assert {row[0].strip("`"): row[1] for row in rows("Flow keys") if len(row) == 2} == {
        name: text.replace("``", "`") for name, text in keys.FLOW_WORDS.items()
    }


def test_every_script_has_its_line_from_its_header() -> None:
    found = {}
    for path in LUA.glob("[!_]*.lua"):
        header = path.read_text(encoding="utf-8").split("]]")[0]
        cost = re.search(r"^COST +(.*(?:\n {9}.*)*)", header, re.MULTILINE)
        assert cost is not None
        what = re.search(rf"^{path.stem}: (.*)$", header, re.MULTILINE)
        assert what is not None
        found[path.stem] = (what[1], re.sub(r"\s+", " ", cost[1]).strip())
    assert {row[0].strip("`"): (row[1], row[2]) for row in rows("Scripts")} == found
