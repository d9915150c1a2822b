"""echo, as the API sees it: a message without options."""

from __future__ import annotations

from scheduler.channels.base import ChannelKind, Surroundings
from scheduler.channels.echo.channel import EchoChannel


class EchoKind(ChannelKind):
    """Printed on the console of the server."""

    name = "echo"

    def build(self, surroundings: Surroundings) -> EchoChannel:
        """See ``ChannelKind``."""
        return EchoChannel(surroundings.print_lines, surroundings.now_ms, surroundings.unread_seconds)
