"""A mutant: the service with one place broken on purpose, and the tests that have to notice."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One change of one file, as data."""

    name: str
    file: str
    """Path from the root of the repository."""
    before: str
    """The text that is replaced; it must stand in the file exactly once."""
    after: str
    broken: str
    """What was broken, in words."""
    meant: str
    """What it would have meant for a user."""
    tests: tuple[str, ...]
    """Files or node ids of pytest."""

    def applied(self, text: str) -> str:
        """The file's text with the change.  Raises ``ValueError`` when there is not exactly one place for it."""
        if (found := text.count(self.before)) != 1:
            raise ValueError(f"{self.name}: {self.file} holds {found} times, and not once: {self.before!r}")
        return text.replace(self.before, self.after)
