"""docs/tutorial.md, step by step: its commands against a real service, and what it says that one sees."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.programs import need
from tests.support.service import ROOT, Output, Service
from tests.support.waiting import free_port, wait_for

PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")


class Block(NamedTuple):
    """A fenced block of the page."""

    language: str
    """Empty: what the receiver prints."""
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


def pairs(shown: str) -> list[str]:
    """``"name":value`` of a JSON text, values that are objects or lists left out, in its order."""
    found = re.findall(r'"(\w+)": ?("[^"]*"|null|true|false|-?\d+(?=[,}\s]))', shown)
    return [f'"{name}":{value}' for name, value in found]


class Reader:
    """Somebody who types what the page says."""

    def __init__(self, service: Service, folder: Path, receiver: int) -> None:
        self._service = service
        self._folder = folder
        self._receiver = receiver

    def type(self, commands: str) -> str:
        """What the commands print."""
        here = commands.replace("127.0.0.1:3000", f"127.0.0.1:{self._service.port}")
        here = here.replace("127.0.0.1:8000", f"127.0.0.1:{self._receiver}").replace("curl ", "curl -sS --fail ")
        ran = subprocess.run(
            ["bash", "-euc", here], cwd=self._folder, capture_output=True, text=True, timeout=20, check=False
        )
        assert ran.returncode == 0, f"{commands}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def sees(self, commands: str, shown: str) -> None:
        """Type it, and again until the answer is as shown if the commands only read."""

        answers = [self.type(commands)]

        def as_shown() -> bool:
            return set(pairs(shown)) <= set(pairs(answers[-1]))

        def asked_again() -> bool:
            answers.append(self.type(commands))
            return as_shown()

        if "-X" in commands:
            assert as_shown(), f"{commands}\n{answers}\nbut the page shows\n{shown}"
        else:
            wait_for(f"{commands} answers {shown}", asked_again, 20)


@pytest.fixture
def service(short_tmp: Path) -> Iterator[Service]:
    start = BLOCKS[0].text.split()
    assert start[-2:] == ["make", "run"]
    env = dict(word.split("=", 1) for word in start[:-2])
    with Service(short_tmp, env=env) as service:
        yield service


@pytest.fixture
def receiver(short_tmp: Path) -> Iterator[tuple[int, Output]]:
    (source,) = (block.text for block in BLOCKS if block.language == "python")
    port = free_port()
    (short_tmp / "receiver.py").write_text(source.replace("8000", str(port)))
    with subprocess.Popen([sys.executable, "receiver.py"], cwd=short_tmp, stdout=subprocess.PIPE) as process:
        assert process.stdout
        printed = Output()
        reading = printed.read(process.stdout)
        yield port, printed
        process.kill()
        reading.join(10)


def test_every_step(service: Service, receiver: tuple[int, Output], short_tmp: Path) -> None:
    need("curl")
    port, printed = receiver
    reader = Reader(service, short_tmp, port)
    printing: list[str] = []
    blocks = BLOCKS[1:]
    for block, following in zip(blocks, [*blocks[1:], Block("", "")], strict=True):
        if block.language == "sh" and following.language == "json":
            reader.sees(block.text, following.text)
        elif block.language == "sh":
            reader.type(block.text)
        elif not block.language:
            printing += block.text.splitlines()
            printed.wait_for(printing[-1])
            assert printed.texts() == printing
    service.stdout.wait_for("| Hello from the future!")
    (last,) = re.findall(r"The receiver prints `(204 [^`]*)`", PAGE)
    printed.wait_for(last)
    assert printed.texts() == [*printing, last]


def test_a_page_that_shows_something_else_is_noticed() -> None:
    assert pairs('{"id": "a", "status": "dead", "n": 1, "x": {"y": null}, …}') == [
        '"id":"a"',
        '"status":"dead"',
        '"n":1',
        '"y":null',
    ]
    assert not set(pairs('{"status": "dead", …}')) <= set(pairs('{"status":"delivered"}'))
