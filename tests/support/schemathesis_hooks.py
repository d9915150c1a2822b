"""What /openapi.json can name but not describe: formats of ours, and one rule across header and body."""

from __future__ import annotations

import datetime
from zoneinfo import available_timezones

import hypothesis.strategies as st
import schemathesis

from scheduler.store.paging import Cursor, Position

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MOMENTS = st.integers(0, 253_402_300_799).map(lambda second: (EPOCH + datetime.timedelta(seconds=second)).isoformat())
POSITIONS = st.builds(Position, st.integers(0, 2**53), st.from_regex("[0-9A-Za-z]{16}", fullmatch=True))

schemathesis.openapi.format("date-time", MOMENTS)
schemathesis.openapi.format("iana-time-zone", st.sampled_from(sorted(available_timezones())))
schemathesis.openapi.format("cursor", st.builds(Cursor, st.integers(0, 3), POSITIONS | st.none()).map(Cursor.encode))


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Without those that give own ids and an Idempotency-Key: refused, and OpenAPI has no words for it."""
    messages = case.body.get("messages", [case.body]) if isinstance(case.body, dict) else []
    own_ids = isinstance(messages, list) and any(isinstance(m, dict) and m.get("id") is not None for m in messages)
    return not (own_ids and "Idempotency-Key" in (case.headers or {}))
