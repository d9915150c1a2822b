"""Fixtures that several end-to-end tests ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser


@pytest.fixture(scope="session")
def one_browser() -> Iterator[Browser]:
    """One Chromium for all files: each start takes seconds.  Use it by ``at``."""
    with Browser("about:blank") as browser:
        yield browser
