"""The names that a module with job handlers imports (docs/jobs.md):

    from scheduler.jobs import Dead, JobContext, Retry, handler

    @handler("resize_image", time_limit=60)
    def resize_image(payload: Any, context: JobContext) -> Any:
        ...

Name the module in ``Jobs.Modules``, and ``job: {"type": "resize_image"}`` runs it.
"""

from scheduler.jobs.context import JobContext
from scheduler.jobs.errors import Dead, Retry, TimeLimitExceeded
from scheduler.jobs.registry import REGISTRY, JobType, Registry, load

__all__ = ["REGISTRY", "Dead", "JobContext", "JobType", "Registry", "Retry", "TimeLimitExceeded", "handler", "load"]

handler = REGISTRY.handler
"""``@handler(name, time_limit=300)`` registers a function; see ``Registry.handler``."""
