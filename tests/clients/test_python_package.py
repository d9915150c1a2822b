"""The wheel of the Python client: one dependency, types, and a plug-in that pytest finds."""

from __future__ import annotations

import configparser
import email
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.service import ROOT

FOLDER = ROOT / "clients" / "python"


def test_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(FOLDER)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        read = {Path(name).name: archive.read(name).decode() for name in names if ".dist-info/" in name}
    sources = {str(path.relative_to(FOLDER)) for path in (FOLDER / "message_scheduler_client").rglob("*.py")}
    assert sources | {"message_scheduler_client/py.typed"} == {name for name in names if ".dist-info/" not in name}
    metadata = email.message_from_string(read["METADATA"])
    assert metadata.get_all("Requires-Dist") == ["httpx<1,>=0.27", "pytest>=8; extra == 'pytest'"]
    entries = configparser.ConfigParser()
    entries.read_string(read["entry_points.txt"])
    assert dict(entries["pytest11"]) == {"message_scheduler": "message_scheduler_client.testing.plugin"}


def test_nothing_of_the_service_is_imported() -> None:
    code = "import sys, message_scheduler_client.testing; print({name.split('.')[0] for name in sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=True
    )
    assert "'httpx'" in ran.stdout
    assert "'scheduler'" not in ran.stdout
    assert "'pytest'" not in ran.stdout
