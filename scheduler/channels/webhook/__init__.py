"""The ``webhook`` channel; docs/webhooks.md has its rules."""

from scheduler.channels.webhook.channel import WebhookChannel
from scheduler.channels.webhook.ssrf import AddressPolicy, check_url
from scheduler.channels.webhook.target import WebhookTarget
from scheduler.channels.webhook.urls import is_masked, mask_url

__all__ = ["AddressPolicy", "WebhookChannel", "WebhookTarget", "check_url", "is_masked", "mask_url"]
