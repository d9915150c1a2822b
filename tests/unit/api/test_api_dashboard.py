"""How the dashboard's files are served: to browsers only, packed, kept by browsers as long as they may be."""

from __future__ import annotations

import gzip
import re

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from scheduler.api import dashboard

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("test", static_folder=None)
    app.register_blueprint(dashboard.blueprint)

    @app.get("/")
    def root() -> Response | str:
        return dashboard.page() or "not a browser"

    return app.test_client()


def addresses(client: FlaskClient) -> list[str]:
    page = client.get("/", headers=BROWSER).text
    return [address.removeprefix(".") for address in re.findall(r'(?:src|href)="([^"]+)"', page)]


def test_a_browser_gets_the_page(client: FlaskClient) -> None:
    answer = client.get("/", headers=BROWSER)
    assert answer.mimetype == "text/html"
    assert '<div id="root">' in answer.text
    # A page kept by the browser would ask for files that the next version does not have.
    assert answer.headers["Cache-Control"] == "no-cache"


def test_the_page_may_load_only_its_own_files_and_no_one_may_frame_it(client: FlaskClient) -> None:
    policy = client.get("/", headers=BROWSER).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_whatever_is_no_browser_gets_what_it_always_got(client: FlaskClient, accept: str) -> None:
    assert client.get("/", headers={"Accept": accept}).text == "not a browser"


def test_everything_that_the_page_names_is_there(client: FlaskClient) -> None:
    found = {address: client.get(address) for address in addresses(client)}
    assert {answer.status_code for answer in found.values()} == {200}
    kinds = {address.rpartition(".")[2]: answer.mimetype for address, answer in found.items()}
    assert kinds == {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def test_files_named_after_their_content_are_kept_for_good_and_others_are_not(client: FlaskClient) -> None:
    for address in addresses(client):
        kept = client.get(address).headers["Cache-Control"]
        assert ("immutable" in kept) == ("/index-" in address), address


def test_files_are_packed_for_those_who_can_unpack_them(client: FlaskClient) -> None:
    address = addresses(client)[-1]
    plain = client.get(address, headers={"Accept-Encoding": "gzip;q=0"})
    packed = client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert "Accept-Encoding" in packed.headers["Vary"]


@pytest.mark.parametrize("name", ["nothing.js", "../index.html", "..%2findex.html", "%2e%2e/dashboard.py", ""])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404
