"""The dashboard's committed build: made from the present source, small, and nothing inline that its policy refuses.

Node is needed only to build; without it the digest that the build wrote down still tells whether the build is stale.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "dashboard"
BUILT = ROOT / "scheduler" / "api" / "static"

# The same list as in dashboard/vite.config.ts, which writes the digest.
INPUTS = ("index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts")
LIMIT_BYTES = 150_000
BUILD_SECONDS = 50
VITE = SOURCE / "node_modules" / "vite" / "bin" / "vite.js"

REMEDY = "run: cd dashboard && npm ci && npm run build"


def source_digest() -> str:
    files: list[Path] = []
    for name in INPUTS:
        path = SOURCE / name
        files += [path] if path.is_file() else [found for found in path.rglob("*") if found.is_file()]
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.relative_to(SOURCE).as_posix()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(SOURCE).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class Page(HTMLParser):
    """What a page loads, and what it has inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag
        self.loads += [value for name in ("src", "href") if (value := given.get(name))]
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.inline.append(tag)

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture(scope="module")
def page() -> Page:
    return Page((BUILT / "index.html").read_text())


def test_the_build_is_of_the_present_source() -> None:
    written = json.loads((BUILT / "build.json").read_text())
    assert written == {"source_sha256": source_digest()}, f"the dashboard was changed and not built; {REMEDY}"


def test_the_build_is_small() -> None:
    sizes = {name: len(gzip.compress(content, mtime=0)) for name, content in contents(BUILT).items()}
    assert sum(sizes.values()) < LIMIT_BYTES, sizes


def test_the_page_has_nothing_inline(page: Page) -> None:
    assert page.inline == []


def test_the_page_loads_its_own_files_and_no_others(page: Page) -> None:
    assert len(page.loads) >= 3
    for address in page.loads:
        assert address.startswith("./assets/"), address
        assert (BUILT / address).is_file(), address


def test_styles_load_nothing_from_elsewhere() -> None:
    styles = list((BUILT / "assets").glob("*.css"))
    assert styles
    for style in styles:
        text = style.read_text()
        assert "url(" not in text
        assert "@import" not in text


def test_versions_are_fixed_and_no_host_is_written_down() -> None:
    package = json.loads((SOURCE / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert [name for name, version in versions.items() if not version[0].isdigit()] == []
    locked = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    assert [name for name, entry in locked.items() if "resolved" in entry] == []


def test_the_lock_names_the_packages_of_every_platform() -> None:
    # npm 11 refuses a lock without them, and npm writes one where the registry does not offer them all.
    packages = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    wanted = {name for entry in packages.values() for name in entry.get("optionalDependencies", {})}
    assert wanted
    assert [name for name in sorted(wanted) if f"node_modules/{name}" not in packages] == []


@pytest.mark.timeout(BUILD_SECONDS + 10)
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.skipif(not VITE.is_file(), reason="make test installs it; alone: cd dashboard && npm ci")
def test_building_again_gives_the_same_files(tmp_path: Path) -> None:
    command = ["node", str(VITE), "build", "--outDir", str(tmp_path), "--emptyOutDir", "--logLevel", "error"]
    subprocess.run(command, cwd=SOURCE, check=True, timeout=BUILD_SECONDS)
    assert contents(tmp_path) == contents(BUILT), REMEDY
