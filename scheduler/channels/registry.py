"""Every channel of this build: a new one is a folder beside this file, and a line here."""

from __future__ import annotations

from scheduler.channels.base import ChannelKind
from scheduler.channels.echo.kind import EchoKind
from scheduler.channels.job.kind import JobKind
from scheduler.channels.webhook.kind import WebhookKind

CHANNELS: dict[str, ChannelKind] = {kind.name: kind for kind in (EchoKind(), WebhookKind(), JobKind())}
"""By name, in the order in which they are named to clients.  The first one takes what names no channel."""
