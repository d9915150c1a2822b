"""webhook, as the API sees it: an endpoint that may be called, and what answers show of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict

from scheduler.channels.base import Address, ChannelKind, Kept, Surroundings
from scheduler.channels.webhook.channel import WebhookChannel
from scheduler.channels.webhook.ssrf import AddressPolicy, check_url
from scheduler.channels.webhook.target import WebhookTarget, ttl_of, with_ttl
from scheduler.channels.webhook.urls import is_masked, parse_url
from scheduler.config.sections.webhook import WebhookSettings
from scheduler.config.settings import Settings
from scheduler.errors import FieldError, InvalidInput
from scheduler.masking import MASK
from scheduler.message import Message

_MASKED = f"{MASK} is what answers show in place of a secret; give the secret itself"
"""Whoever sends back what an answer showed would have it sent to the endpoint."""


class WebhookOut(BaseModel):
    """Where a message is sent; credentials are masked."""

    model_config = ConfigDict(extra="forbid")

    url: str
    method: str
    headers: dict[str, str]
    timeout: float | None = None


class WebhookKind(ChannelKind):
    """Sent to an HTTP endpoint."""

    name = "webhook"
    options = WebhookTarget
    options_text = "The HTTP endpoint that the message is sent to."
    change_text = "Replaces the whole webhook; only for a message that has one."
    answer_fields: ClassVar[Mapping[str, Any]] = {"webhook": (WebhookOut | None, None)}

    def address(self, options: WebhookTarget, payload: str, settings: Settings) -> Address:
        """See ``ChannelKind``."""
        check_target(options.url, settings, "webhook.url")
        if MASK in options.headers.values() and (
            masked := [name for name, value in options.secret_headers().items() if value == MASK]
        ):
            raise InvalidInput([FieldError(f"webhook.headers.{name}", _MASKED) for name in masked])
        return Address(options.encode())

    def replace(self, stored: Message, target: str) -> str:
        """With the seconds of the old one, if it has any: a task of ``/schedule`` stays one."""
        ttl = ttl_of(stored.target)
        return target if ttl is None else with_ttl(target, ttl)

    def shown(self, message: Message) -> dict[str, Any]:
        """See ``ChannelKind``."""
        return {} if message.target is None else {"webhook": _masked(message.target)}

    def again(self, old: Message, settings: Settings) -> Address:
        """See ``ChannelKind``."""
        try:
            options = WebhookTarget.decode(old.target or "")
        except ValueError as error:
            raise InvalidInput.of(self.name, str(error)) from error
        address = self.address(options, old.payload, settings)
        return Address(self.replace(old, address.target or ""), old.type)

    def destination(self, target: str | None) -> str | None:
        """See ``ChannelKind``."""
        return _destination(target)

    def kept(self, target: str | None) -> Kept:
        """See ``ChannelKind``."""
        return _kept(target)

    def build(self, surroundings: Surroundings) -> WebhookChannel:
        """See ``ChannelKind``."""
        return WebhookChannel(
            surroundings.settings.webhook,
            clock=surroundings.clock,
            now_ms=surroundings.now_ms,
            # Nobody moves the clocks of endpoints: by next March's timestamp they refuse every signature.
            outside_ms=surroundings.clock.now_ms if surroundings.settings.test.clock else None,
            api_token=next(iter(surroundings.settings.api.tokens), ""),
            log=surroundings.log,
            board=surroundings.destinations,
            tracing=surroundings.tracing,
        )


# Cached: many messages go to the same place.
@lru_cache(maxsize=256)
def _destination(target: str | None) -> str | None:
    try:
        return parse_url(WebhookTarget.decode(target or "").url).origin
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _kept(target: str | None) -> Kept:
    try:
        found = WebhookTarget.decode(target or "")
        masked = orjson.dumps(found.masked()).decode()
        ttl = ttl_of(target)
        return Kept(masked if ttl is None else with_ttl(masked, ttl), parse_url(found.url).host)
    except ValueError:
        # Stored by other means than this API: nobody knows what is secret in it.
        return Kept(None)


@lru_cache(maxsize=8)
def _address_policy(settings: WebhookSettings) -> AddressPolicy:
    return AddressPolicy.from_settings(settings)


def check_target(url: str, settings: Settings, field: str) -> None:
    """Raises ``InvalidInput`` for an address that may not be called, as far as that can be known now."""
    _check_url(url, settings.webhook, field)


# Cached as well, as long as it raises nothing.
@lru_cache(maxsize=256)
def _check_url(url: str, settings: WebhookSettings, field: str) -> None:
    check_url(url, _address_policy(settings), field)
    if is_masked(url):
        raise InvalidInput.of(field, _MASKED)


@lru_cache(maxsize=256)
def _masked(target: str) -> dict[str, Any] | None:
    """The form of a target for answers.  Cached, because many messages go to one place."""
    try:
        return WebhookTarget.decode(target).masked()
    except ValueError:
        # Stored by other means than this API.  Its delivery makes it a dead letter, which people must be able to see.
        return None
