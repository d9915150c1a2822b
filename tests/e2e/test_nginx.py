"""The service behind a real nginx with TLS and a path prefix, with the configuration of docs/nginx.conf."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support.browser import Browser
from tests.support.events import Viewer
from tests.support.nginx import nginx
from tests.support.programs import need
from tests.support.service import ROOT, Answer, Service
from tests.support.waiting import free_port

HOST = "ops.example.com"
CONFIGURATION = ROOT / "docs" / "nginx.conf"


class Site(NamedTuple):
    """A service as the world sees it."""

    service: Service
    port: int
    tls: ssl.SSLContext

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/scheduler"

    def request(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        """One request to an address under this site's origin, whose name resolves to this machine."""
        path = url.removeprefix(self.origin)
        assert path.startswith("/"), f"{url} leads elsewhere"
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.tls)
        given = {"Host": f"{HOST}:{self.port}", "Content-Type": "application/json", **headers}
        with closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), given)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, text, {name.lower(): value for name, value in answer.getheaders()})

    def watch(self, url: str, origin: str) -> ClientConnection:
        """A WebSocket to an address under this site's name, as a page of ``origin`` opens it."""
        there = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return connect(url, sock=there, ssl=self.tls, origin=Origin(origin))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    need("nginx")
    port, events = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="ms-", dir="/tmp") as name:
        folder = Path(name)
        _make_certificate(folder)
        env = {"SERVER__PUBLICURL": f"https://{HOST}:{port}/scheduler", "EVENTS__PORT": str(events)}
        with Service(folder / "service", env=env) as service:
            conf = CONFIGURATION.read_text()
            for documented, here in (
                ("listen 443 ssl", f"listen {port} ssl"),
                ("/etc/ssl/certs/ops.example.com.pem", str(folder / "cert.pem")),
                ("/etc/ssl/private/ops.example.com.key", str(folder / "key.pem")),
            ):
                assert conf.count(documented) == 1, documented
                conf = conf.replace(documented, here)
            with nginx(folder, conf, {3000: service.port, 3001: events}):
                tls = ssl.create_default_context()
                tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
                yield Site(service, port, tls)


def _make_certificate(folder: Path) -> None:
    subprocess.run(
        [
            *(need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2", "-subj", f"/CN={HOST}"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )


def test_the_documented_settings_are_those_of_this_test() -> None:
    assert re.search(rf"Server\.PublicUrl +https://{HOST}/scheduler$", CONFIGURATION.read_text(), re.MULTILINE)


def test_addresses_in_answers_lead_back(site: Site) -> None:
    made = site.request("POST", f"{site.url}/v1/messages", {"message": "hello", "delay": "1h"})
    assert made.status == 201
    assert made.headers["location"].startswith(f"{site.url}/v1/messages/")
    assert site.request("GET", made.headers["location"]).json()["message"] == "hello"
    assert site.request("GET", f"{site.origin}/scheduler").headers["location"] == f"{site.url}/"
    assert site.request("GET", f"{site.url}/", Accept="text/html").headers["content-type"].startswith("text/html")


def test_pages_of_this_site_change_things_and_others_do_not(site: Site) -> None:
    assert site.request("POST", f"{site.url}/v1/resume", Origin=site.origin).status == 200
    refused = site.request("POST", f"{site.url}/v1/resume", Origin="https://evil.example")
    assert (refused.status, refused.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize("path", ["/v1/events", "/api/ws"])
def test_live_events_are_where_stats_says_and_for_pages_of_this_site(site: Site, path: str) -> None:
    url = site.request("GET", f"{site.url}/v1/stats").json()["events_url"]
    assert url == f"wss://{HOST}:{site.port}/scheduler/v1/events"
    address = url.replace("/v1/events", path)
    with pytest.raises(InvalidStatus, match="403"), site.watch(address, "https://evil.example"):
        pass
    with site.watch(address, site.origin) as connection:
        if path == "/v1/events":
            viewer = Viewer(connection)
            viewer.hello()
            id = site.request("POST", f"{site.url}/v1/messages", {"message": "seen"}).json()["id"]
            assert [event["id"] for event in viewer.wait(3)] == [id] * 3


@pytest.fixture(scope="module")
def chromium(site: Site) -> Iterator[Browser]:
    with Browser(site.url, f"--host-resolver-rules=MAP {HOST} 127.0.0.1", "--ignore-certificate-errors") as browser:
        yield browser


def test_the_dashboard_shows_and_does_everything_under_the_prefix(chromium: Browser, site: Site) -> None:
    chromium.address = site.url
    chromium.open()
    chromium.find(".figure-row")
    chromium.wait_for_text("live", ".connection")
    chromium.open("#/schedule")
    assert f"curl {site.url}/v1/messages" in chromium.text("aside .code")
    chromium.fill("Message", "from under the prefix")
    chromium.fill("Delay", "1h")
    chromium.wait_for_text("UTC", ".preview")
    chromium.click("Schedule", "form")
    # The message's page stays under the prefix when it is loaded afresh.
    chromium.wait_for_text("from under the prefix", ".code")
    chromium.driver.refresh()
    chromium.wait_for_text("from under the prefix", ".code")
    assert chromium.script("return location.href").startswith(f"{site.url}/#/messages/")
    assert chromium.complaints() == []


def test_swagger_ui_is_found_and_tries_things_out_under_the_prefix_and_straight(chromium: Browser, site: Site) -> None:
    for place, address in (("behind nginx", site.url), ("straight", f"http://127.0.0.1:{site.service.port}")):
        chromium.address = address
        # A document of somebody else in the address (?url=) is not shown.
        chromium.open("docs?url=https://evil.example/openapi.json")
        chromium.wait_for_text("MIT licence")
        assert chromium.text(".opblock-tag-section").startswith("messages"), place
        assert chromium.script("return document.querySelectorAll('.authorize').length") == 0, "no token, no lock"
        chromium.find("#operations-control-control_pause .opblock-summary-control").click()
        chromium.find("#operations-control-control_pause .try-out__btn").click()
        chromium.find("#operations-control-control_pause .execute").click()
        chromium.wait_for_text('"paused": true', "#operations-control-control_pause .live-responses-table")
        assert site.request("POST", f"{site.url}/v1/resume").status == 200
    assert chromium.complaints() == []
