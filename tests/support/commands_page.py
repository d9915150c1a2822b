"""``python -m tests.support.commands_page`` writes docs/commands.md from the help of the commands."""

from __future__ import annotations

import inspect
import re
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import typer

from scheduler.cli.exits import MEANINGS
from scheduler.cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
BEGIN, END = "<!-- commands, written by python -m tests.support.commands_page -->", "<!-- commands end -->"
_SHARED = ("--url", "--token", "--json", "--help")


def written() -> str:
    """Return what the page says between its marks."""
    root: Any = typer.main.get_command(app)
    parts = ["| exit code | |", "|---|---|", *(f"| {int(code)} | {text} |" for code, text in MEANINGS.items()), ""]
    for path, command in _commands(root, "message-scheduler"):
        parts += _section(path, command)
    return "\n".join(parts)


def _commands(group: Any, path: str) -> list[tuple[str, Any]]:
    found = []
    for name, command in group.commands.items():
        own = f"{path} {name}"
        found += _commands(command, own) if hasattr(command, "commands") else [(own, command)]
    return found


def _section(path: str, command: Any) -> list[str]:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.opts[0] not in _SHARED]
    usage = " ".join([path, *(f"[{each.metavar}]" if not each.required else each.metavar for each in arguments)])
    lines = [f"### `{usage}`", "", inspect.cleandoc(command.help), ""]
    rows = [(f"`{each.metavar}`", each.help) for each in arguments]
    rows += [(_names(each), _help(each)) for each in options]
    if rows:
        lines += ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows), ""]
    return lines


def _names(option: Any) -> str:
    names = " / ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    kind = option.type_descriptor.annotation
    # Of an option that may be given several times: list[Status].
    kind = (*get_args(kind), kind)[0]
    if kind is bool:
        return names
    value = ", ".join(kind) if issubclass(kind, StrEnum) else option.metavar
    if value is None:
        raise AssertionError(f"{names} does not say what it takes: metavar")
    return f"{names} {value}"


def _help(option: Any) -> str:
    default = "" if option.default in (None, False) else f" Default: {option.default}."
    return f"{option.help}{default}"


def page(text: str) -> str:
    """Return a page with the part between its marks as it has to be."""
    return re.sub(f"(?<={BEGIN}\n).*(?={END})", lambda _: written(), text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
