"""``python -m tests.audit``: known vulnerabilities in what the service, its tests and its dashboard are made of.

Asks the advisory services of PyPI and npm, and is therefore no part of ``make test``.  Exit code 1 when something is
vulnerable, 2 when not everything could be asked about.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any, NamedTuple

from tests.support.service import ROOT

FILES = ("requirements.txt", "requirements-otel.txt", "requirements-dev.txt")
_SECONDS = 300


class Audit(NamedTuple):
    """What came of asking about one list."""

    of: str
    vulnerable: list[str]
    unknown: str
    """Why it could not be asked about; empty when it could."""


def python(file: str) -> Audit:
    """Every version is pinned, so nothing is resolved or installed."""
    command = [sys.executable, "-m", "pip_audit", "-r", file, "--no-deps", "--disable-pip", "-f", "json"]
    done = run(command)
    found = read(done.stdout)
    if found is None:
        return Audit(file, [], last_line(done.stderr))
    dependencies: list[dict[str, Any]] = found["dependencies"]
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    return Audit(
        file,
        [f"{d['name']} {d['version']}: {v['id']}" for d in dependencies for v in d.get("vulns", ())],
        f"the advisory service knows nothing of {len(skipped)} of {len(dependencies)} packages" if skipped else "",
    )


def node() -> Audit:
    """What the dashboard is built with; nothing of it runs in the service but its output."""
    folder = "dashboard"
    npm = shutil.which("npm")
    if npm is None:
        return Audit(folder, [], "npm is not installed")
    done = run([npm, "audit", "--json"], folder)
    found = read(done.stdout)
    if found is None or "vulnerabilities" not in found:
        return Audit(folder, [], (found or {}).get("message") or last_line(done.stderr))
    return Audit(folder, [f"{name}: {v['severity']}" for name, v in found["vulnerabilities"].items()], "")


def run(command: list[str], folder: str = ".") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT / folder, capture_output=True, text=True, timeout=_SECONDS, check=False)


def read(text: str) -> dict[str, Any] | None:
    """The JSON object, None when it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no answer"])[-1]


def main() -> int:
    """Ask, print, judge."""
    audits = [*map(python, FILES), node()]
    for audit in audits:
        lines = [f"VULNERABLE: {entry}" for entry in audit.vulnerable]
        lines += [f"COULD NOT BE AUDITED HERE: {audit.unknown}"] if audit.unknown else []
        for line in lines or ["nothing known against it"]:
            sys.stdout.write(f"{audit.of}: {line}\n")
    if any(audit.vulnerable for audit in audits):
        return 1
    return 2 if any(audit.unknown for audit in audits) else 0


if __name__ == "__main__":
    sys.exit(main())
