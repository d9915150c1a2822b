"""Section Flow: limits of flow keys that no message sets."""

from __future__ import annotations

from pydantic import field_validator

from scheduler.config.fields import Section, checked, token_list
from scheduler.flow import LIMITS_ACCEPTED, FlowRules, rules_of


class FlowSettings(Section):
    defaults: str = checked("", "entries like tenant-* concurrency=5 rate=10/1m ordered, as a list or with commas")
    """Limits of flow keys for which no message and no pin says any: a pattern and its limits. `*` stands for any
    characters, and the first entry that fits counts."""
    per_destination: str = checked("", LIMITS_ACCEPTED)
    """A flow key for each destination (scheme, host and port) of webhooks that come without one, and its limits; empty:
    webhooks have a flow key only where they ask for one."""

    @field_validator("defaults", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        return token_list(value)

    @field_validator("defaults")
    @classmethod
    def _readable(cls, value: str) -> str:
        rules_of(value, "")
        return value

    @field_validator("per_destination")
    @classmethod
    def _limits(cls, value: str) -> str:
        rules_of("", value.strip())
        return value.strip()

    @property
    def rules(self) -> FlowRules:
        """Both, read."""
        return rules_of(self.defaults, self.per_destination)
