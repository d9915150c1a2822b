"""What the processes of a server leave out when they start: it costs each start half a second, and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("scheduler.service", ["flask", "werkzeug", "sqlalchemy", "granian"]),
        ("scheduler.api.serve", ["flask", "werkzeug", "redis", "pycurl", "websockets", "pydantic", "scheduler.store"]),
    ],
)
def test_a_process_imports_nothing_that_only_others_need(module: str, without: list[str]) -> None:
    code = f"import sys, {module}; print([name for name in {without} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
