"""A handler that makes a span of its own, as one that uses OpenTelemetry does."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace

from scheduler.jobs import JobContext, handler

tracer = trace.get_tracer("mine")
"""Made when the module is imported, before anything is set up."""


@handler("traced")
def traced(_payload: Any, _context: JobContext) -> None:
    """Do one step."""
    with tracer.start_as_current_span("my own step"):
        pass
