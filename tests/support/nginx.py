"""A real nginx in front of a server, with a configuration that the docs give."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import need
from tests.support.waiting import wait_for

_REST = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
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


@contextmanager
def nginx(folder: Path, server: str, ports: Mapping[int, int]) -> Iterator[None]:
    """Runs while this lasts, with the block ``server`` and each port in it replaced as ``ports`` says."""
    for written in ports:
        assert re.search(rf"\b{written}\b", server), f"the block does not name the port {written}"
    server = re.sub(r"\b\d{4}\b", lambda found: str(ports.get(int(found[0]), found[0])), server)
    conf = folder / "nginx.conf"
    conf.write_text(_REST.format(folder=folder, server=server))
    process = subprocess.Popen([need("nginx"), "-p", folder, "-c", conf], stderr=subprocess.PIPE)
    try:
        wait_for("nginx listens", (folder / "nginx.pid").exists)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)
