"""Every target with a few inputs.  ``make fuzz`` gives them minutes."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz.targets import TARGETS
from tests.support.service import ROOT


@pytest.mark.parametrize("name", TARGETS)
def test_any_input_is_taken_or_refused_as_documented(name: str) -> None:
    # No deadline, and nothing is too slow: files are written, on a machine that may be busy.
    settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])(TARGETS[name].test)()


def test_what_leads_the_inputs_is_there() -> None:
    """A module that was moved would lead no input, and nothing would say so.  Read as text: atheris may be missing."""
    listed = re.search(
        r"^PARSERS = (\[.*\])$", (ROOT / "tests" / "fuzz" / "guided.py").read_text("utf-8"), re.MULTILINE
    )
    assert listed
    for name in ast.literal_eval(listed[1]):
        path = ROOT / "scheduler" / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
