"""For tests: the real service in a temporary folder, its clock moved, and a receiver that misbehaves on demand."""

from message_scheduler_client.testing.receiver import Answer, Received, Receiver
from message_scheduler_client.testing.service import SchedulerService, StartFailed

__all__ = ["Answer", "Received", "Receiver", "SchedulerService", "StartFailed"]
