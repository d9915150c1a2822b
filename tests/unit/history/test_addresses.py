"""Databases that do not answer, and addresses that their drivers refuse: an outage in words, without a secret."""

from __future__ import annotations

import pytest

from scheduler.errors import HistoryUnavailable
from scheduler.history import open_database


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@127.0.0.1:1/x",
        "postgresql://u:secret@127.0.0.1:1/x?bogus=1",
        "mysql://u:secret@127.0.0.1:1/x?bogus=1",
        "mysql://u:secret@127.0.0.1:1/x?ssl_ca=/nowhere",
        "mongodb://u:secret:x@127.0.0.1:1/x",
        "mongodb://127.0.0.1:99999/x",
        "sqlite:////proc/none/history.db",
    ],
)
def test_a_database_that_cannot_be_used_is_an_outage(url: str) -> None:
    database = open_database(url)
    for verb, arguments in (("prepare", ()), ("one", ("a",))):
        with pytest.raises(HistoryUnavailable) as raised:
            getattr(database, verb)(*arguments)
        assert "secret" not in str(raised.value)
        assert "\n" not in str(raised.value)
    database.close()
