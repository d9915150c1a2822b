"""Exit codes of the command line, and the error that ends a command with one of them."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """What a script can tell from the exit code.  Wrong options and arguments end with 2 too."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    NOT_ALLOWED = 6


MEANINGS = {
    Exit.DONE: "done",
    Exit.FAILED: "failed: a check found a problem, or the service answered with an error of its own",
    Exit.USAGE: "wrong options or arguments, a value that the service does not accept (400), unusable settings",
    Exit.NOT_FOUND: "no such message, schedule, flow key or destination (404)",
    Exit.REFUSED: "the state forbids it, or an id or Idempotency-Key is taken (409)",
    Exit.UNREACHABLE: "the service, or its Redis, does not answer, or has too much to do (429, 503): try again later",
    Exit.NOT_ALLOWED: "the token is missing or wrong, or the service does not know this host name (401, 403)",
}


class Failure(Exception):
    """Ends the command with a sentence on stderr and its exit code."""

    def __init__(self, code: Exit, sentence: str, details: dict[str, Any] | None = None) -> None:
        """``details``: what ``--json`` shows beside the sentence."""
        super().__init__(sentence)
        self.code = code
        self.details = details or {}
