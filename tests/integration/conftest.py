"""Fixtures that several integration tests ask for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.delivery import HeldChannel
from tests.support.endpoint import Endpoint
from tests.support.programs import need
from tests.support.webhooks import Channels


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for ``good.example`` and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *(need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=good.example", "-addext", "subjectAltName=DNS:good.example"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def make() -> Iterator[Channels]:
    """Starts webhook channels, and stops them after the test."""
    with Channels() as channels:
        yield channels


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Endpoint]:
    """An endpoint on another port, which is another origin."""
    with Endpoint() as server:
        yield server


@pytest.fixture
def held() -> Iterator[HeldChannel]:
    channel = HeldChannel(name="slow")
    yield channel
    channel.let_go()
