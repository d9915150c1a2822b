"""Exit codes of the command line, and the errors that end a command with one of them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a script can tell from the exit code.  2 is also what wrong options and arguments end with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    NOT_ALLOWED = 6


class Failure(Exception):
    """Ends the command with a sentence on stderr and its exit code."""

    def __init__(self, code: Exit, sentence: str, details: dict[str, object] | None = None) -> None:
        """``details``: what ``--json`` shows beside the sentence."""
        super().__init__(sentence)
        self.code = code
        self.details = details or {}
