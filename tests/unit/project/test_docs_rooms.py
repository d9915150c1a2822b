"""docs/architecture.md leaves no room out.  That the files it names exist is looked at by test_docs_names.py."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_room_and_every_module_beside_them_is_in_the_list() -> None:
    listed = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("```")[1]
    beside = (ROOT / "scheduler").iterdir()
    names = {f"{path.name}/" if path.is_dir() else path.name for path in beside if path.name[0] not in "_."}
    assert [name for name in sorted(names) if name not in listed] == []
