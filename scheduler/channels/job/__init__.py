"""The ``job`` channel: call a registered Python function with the message."""

from scheduler.channels.job.channel import JobChannel

__all__ = ["JobChannel"]
