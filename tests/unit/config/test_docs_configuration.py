"""docs/configuration.md, the models and config/appsettings.json say the same about every setting."""

from __future__ import annotations

import ast
import inspect
import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from scheduler.config.reading import DEFAULT_PATH, SHORTCUTS
from scheduler.config.settings import Setting, Settings, every_setting

PAGE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text("utf-8")
SHIPPED = json.loads(DEFAULT_PATH.read_text("utf-8"))


def entries() -> dict[str, str]:
    """Key → what the page says under its heading."""
    parts = re.split(r"^### (.+)\n", re.split(r"^## ", PAGE, maxsplit=1, flags=re.MULTILINE)[1], flags=re.MULTILINE)
    return {key: re.sub(r"\n## .*", "", text).strip() for key, text in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def docstrings(section: str) -> dict[str, str]:
    """Field → the text below it in the source.  Not by pydantic, which would read its source at each start."""
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type)
    (source,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(source, ast.ClassDef)
    return {
        field.target.id: str(text.value.value)
        for field, text in pairwise(source.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def expected(setting: Setting) -> str:
    section, name = setting.key.split(".")
    return "\n".join(
        [
            " ".join(docstrings(setting.section)[setting.name].split()),
            "",
            f"- Environment: `{setting.variable}`",
            f"- Default: `{json.dumps(SHIPPED[section][name])}`",
            f"- Unit: {setting.unit or 'none'}",
            f"- Accepted: {setting.accepted}",
        ]
    )


def test_every_setting_is_on_the_page_in_the_order_of_the_file() -> None:
    assert list(entries()) == [setting.key for setting in every_setting()]


@pytest.mark.parametrize("setting", every_setting(), ids=lambda setting: setting.key)
def test_the_entry_says_what_the_model_says(setting: Setting) -> None:
    assert docstrings(setting.section).get(setting.name), "a setting needs a docstring that says what it is for"
    assert entries()[setting.key].split() == expected(setting).split(), "lines may be wrapped, words may not differ"


def test_the_short_variables_are_on_the_page() -> None:
    for variable, key in SHORTCUTS.items():
        assert f"`{variable}` (`{key}`)" in PAGE
