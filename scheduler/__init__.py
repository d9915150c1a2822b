"""Message Scheduling Service: accept a message now, deliver it at its moment, once, and show what happened."""

__version__ = "1.0.0"
