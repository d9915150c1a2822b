"""docs/library.md: its example runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.service import Output, clean_environment

ROOT = Path(__file__).parents[2]
EXAMPLE = re.search(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(), re.DOTALL)


def test_the_example_of_the_library_page_prints_its_message_and_ends(short_tmp: Path) -> None:
    assert EXAMPLE
    process = subprocess.Popen(
        [sys.executable, "-c", EXAMPLE[1]],
        cwd=short_tmp,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin
    assert process.stdout
    output = Output()
    reader = output.read(process.stdout)
    try:
        output.wait_for(" | hello")
        output.wait_for("ack id=")
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    reader.join(10)
    assert not any("ERROR" in text for text in output.texts()), output.texts()
