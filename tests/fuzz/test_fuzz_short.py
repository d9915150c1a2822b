"""Every target with a few inputs.  ``make fuzz`` gives them minutes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_any_input_is_taken_or_refused_as_documented(name: str) -> None:
    # No deadline, and nothing is too slow: files are written, on a machine that may be busy.
    settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])(TARGETS[name].test)()
