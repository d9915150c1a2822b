"""A real nginx in front of a server, with a configuration that the docs give."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import need
from tests.support.waiting import wait_for

_LEAVES = "gracefully shutting down"
_REST = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


def documented(page: Path, location: str) -> str:
    """The ``server`` block of a page of the docs that has this location."""
    blocks = re.findall(r"^```nginx\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if f"location {location} " in block]
    return str(block)


class Nginx:
    """One that runs."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds its configuration, ``nginx.conf``, and takes its files."""
        self._log = folder / "error.log"
        command: list[str | Path] = [need("nginx"), "-p", folder, "-c", folder / "nginx.conf"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)

    def reload(self) -> None:
        """Give new connections to a new worker, and wait until the old one takes leave of those that are kept."""
        before = self._log.read_text().count(_LEAVES)
        self.process.send_signal(signal.SIGHUP)
        wait_for("the old worker leaves", lambda: self._log.read_text().count(_LEAVES) > before)


@contextmanager
def nginx(folder: Path, server: str, ports: Mapping[int, int]) -> Iterator[Nginx]:
    """Runs while this lasts, with the block ``server`` and each port in it replaced as ``ports`` says."""
    for written in ports:
        assert re.search(rf"\b{written}\b", server), f"the block does not name the port {written}"
    server = re.sub(r"\b\d{4}\b", lambda found: str(ports.get(int(found[0]), found[0])), server)
    conf = folder / "nginx.conf"
    conf.write_text(_REST.format(folder=folder, server=server))
    running = Nginx(folder)
    try:
        wait_for("nginx listens", (folder / "nginx.pid").exists)
        yield running
    finally:
        running.process.terminate()
        running.process.communicate(timeout=10)
