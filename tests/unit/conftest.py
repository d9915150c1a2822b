"""Fixtures that several unit tests ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.history import Database
from tests.support.history import a_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database of the history."""
    with a_database(tmp_path) as database:
        yield database
