"""Section Test: what users' tests may do to a service."""

from __future__ import annotations

from scheduler.config.fields import Section


class ForTestsSettings(Section):
    clock: bool = False
    """Let `POST /v1/test/clock` move the clock of the whole service forward, so that a test need not wait for next
    March. Never with real messages: anyone who may use the API can make all of them due."""
