"""What an audit says of what the advisory services answered."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests import audit


def main(monkeypatch: pytest.MonkeyPatch, pip: Any, npm: Any) -> int:
    """The exit code when the two tools print these."""

    def run(command: list[str], _folder: str = ".") -> subprocess.CompletedProcess[str]:
        answer = pip if "pip_audit" in command else npm
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return subprocess.CompletedProcess(command, 1, text, "a warning\nno route to host\n")

    monkeypatch.setattr(audit, "run", run)
    monkeypatch.setattr("shutil.which", lambda _: "npm")
    return audit.main()


FINE = {"dependencies": [{"name": "redis", "version": "1", "vulns": []}]}
NPM_FINE: dict[str, Any] = {"vulnerabilities": {}}


def test_nothing_known(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(monkeypatch, FINE, NPM_FINE) == 0
    assert capsys.readouterr().out.count("nothing known against it") == len(audit.FILES) + 1


def test_vulnerable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"dependencies": [{"name": "redis", "version": "1", "vulns": [{"id": "PYSEC-1"}]}]}
    assert main(monkeypatch, bad, "") == 1
    assert "requirements.txt: VULNERABLE: redis 1: PYSEC-1" in capsys.readouterr().out
    assert main(monkeypatch, FINE, {"vulnerabilities": {"vite": {"severity": "high"}}}) == 1
    assert "dashboard: VULNERABLE: vite: high" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pip", "npm", "words"),
    [
        ("", NPM_FINE, "requirements.txt: COULD NOT BE AUDITED HERE: no route to host"),
        ({"dependencies": [{"name": "x", "skip_reason": "unknown"}]}, NPM_FINE, "knows nothing of 1 of 1 packages"),
        (FINE, {"message": "405 Method Not Allowed"}, "dashboard: COULD NOT BE AUDITED HERE: 405 Method Not Allowed"),
    ],
)
def test_not_asked_is_not_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pip: Any, npm: Any, words: str
) -> None:
    assert main(monkeypatch, pip, npm) == 2
    assert words in capsys.readouterr().out
