"""job: a registered Python function is called with the message."""

from scheduler.channels.job.channel import JobChannel

__all__ = ["JobChannel"]
