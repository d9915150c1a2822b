"""How late an attempt is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scheduler.message import Claim, Priority
from scheduler.telemetry.lateness import lateness_ms

CHANNELS = Path(__file__).parents[3] / "scheduler" / "channels"


@pytest.mark.parametrize(("begun", "late"), [(1000.0, 0.0), (1002.5, 2.5), (999.9, 0.0)])
def test_lateness_counts_from_the_moment_and_is_never_below_0(begun: float, late: float) -> None:
    claim = Claim("a", "t", 1, 1000, "echo", "1", None, None, None, Priority.NORMAL, 0, 0)
    assert lateness_ms(claim, begun) == late


def test_a_message_for_1970_is_late_from_its_acceptance_on() -> None:
    claim = Claim("a", "t", 1, 0, "echo", "1", None, None, None, Priority.NORMAL, 1000, 0)
    assert lateness_ms(claim, 1002.5) == 2.5


def test_no_channel_computes_it_a_second_time() -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for path in CHANNELS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _names_a_moment(node.right)
    ]
    assert found == []


def _names_a_moment(node: ast.expr) -> bool:
    return any(name in ast.unparse(node) for name in ("due_at", "late_from"))
