"""Just enough of a Dockerfile's grammar to check ours without a Docker engine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """One FROM with what follows it."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    """(instruction, arguments) in order, continuation lines joined."""

    def last(self, instruction: str) -> str | None:
        """The arguments of the last such instruction; the earlier ones have no effect."""
        found = [arguments for name, arguments in self.steps if name == instruction]
        return found[-1] if found else None


def read_stages(path: Path) -> dict[str, Stage]:
    """The stages of a Dockerfile by name, in order; the default one may have none.

    AssertionError for a line that is no instruction.
    """
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", "", text)
    stages: dict[str, Stage] = {}
    stage = None
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, arguments = line.partition(" ")
        assert re.fullmatch(r"[A-Z]+", instruction), line
        if instruction == "FROM":
            base, _, name = arguments.partition(" AS ")
            stage = stages[name] = Stage(name, base)
        else:
            assert stage is not None, line
            stage.steps.append((instruction, arguments.strip()))
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """The stage and what it is built on, oldest first."""
    stage = stages[name]
    return [*(lineage(stages, stage.base) if stage.base in stages else []), stage]


def inherited(stages: dict[str, Stage], name: str, instruction: str) -> str | None:
    """The arguments that count for this stage, its own or those of what it is built on."""
    for stage in reversed(lineage(stages, name)):
        if (found := stage.last(instruction)) is not None:
            return found
    return None


def command(arguments: str | None) -> list[str]:
    """The argument list of a CMD in its JSON form, which needs no shell to pass signals on."""
    assert arguments is not None
    parts = json.loads(arguments[arguments.index("[") :])
    assert parts
    assert all(isinstance(part, str) for part in parts)
    return parts  # type: ignore[no-any-return]
