"""``History.Url``: which addresses are understood, and what of them is shown."""

from __future__ import annotations

import pytest

from scheduler.config.database_url import database_url, masked
from scheduler.config.reading import Settings, load_settings, secrets_of
from scheduler.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("", ""),
        ("off", ""),
        (" OFF ", ""),
        ("Auto", "auto"),
        ("sqlite:///data/history.db", "sqlite:///data/history.db"),
        ("sqlite:////var/lib/history.db", "sqlite:////var/lib/history.db"),
        ("postgres://u:p@h/d", "postgresql://u:p@h/d"),
        ("PostgreSQL://h:5433/d?sslmode=require", "postgresql://h:5433/d?sslmode=require"),
        ("mysql://u:p@h/d", "mysql://u:p@h/d"),
        ("mongodb://a,b,c/d?replicaSet=r", "mongodb://a,b,c/d?replicaSet=r"),
        ("mongodb+srv://u:p@h/d", "mongodb+srv://u:p@h/d"),
        ("mongodb://u:p%40@[::1]:1,h.example:2/d-1", "mongodb://u:p%40@[::1]:1,h.example:2/d-1"),
        ("postgresql://u@/d?host=/run/postgresql", "postgresql://u@/d?host=/run/postgresql"),
    ],
)
def test_what_is_understood(given: str, used: str) -> None:
    assert database_url(given) == used


@pytest.mark.parametrize(
    "given",
    [
        "on",
        "sqlite://",
        "sqlite:///",
        "sqlite:///a?mode=ro",
        "postgresql://h",
        "oracle://h/d",
        "h/d",
        "mysql://u:s3cret@h",
        "postgresql://u:s3cret/x@h/d",
        "postgresql://u:s3cret@x@h/d",
        "mysql://u:s3cret?@h/d",
        "postgresql://h:s3cret/d",
        "mongodb://h/d e",
    ],
)
def test_what_is_not_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(env={"HISTORY__URL": given})
    assert "HISTORY__URL" in str(raised.value)
    assert "sqlite:///path/to/file.db" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_auto_is_a_file_beside_the_private_redis_and_nothing_beside_another() -> None:
    private = Settings.model_validate({"redis": {"data_directory": "/srv/data"}})
    assert private.history_url == "sqlite:////srv/data/history.db"
    assert Settings.model_validate({"redis": {"connection_string": "localhost"}}).history_url == ""


def test_its_password_is_a_secret() -> None:
    settings = Settings.model_validate({"history": {"url": "postgresql://u:p%40ssw0rd@h/d"}})
    assert {"p%40ssw0rd", "p@ssw0rd"} <= set(secrets_of(settings))
    assert masked(settings.history_url) == "postgresql://u:***@h/d"
    assert masked("mongodb://u:p@h/d?authSource=admin") == "mongodb://u:***@h/d"
