"""Section OpenTelemetry: traces and metrics over OTLP."""

from __future__ import annotations

from scheduler.config.fields import Section


class OpenTelemetrySettings(Section):
    enabled: bool = False
    """Export traces and metrics over OTLP (HTTP). Needs the extra `otel` of the package. Endpoint, headers, sampler and
    name come from the variables of OpenTelemetry, such as `OTEL_EXPORTER_OTLP_ENDPOINT`."""
