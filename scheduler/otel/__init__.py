"""Traces and metrics over OTLP: what ``OpenTelemetry.Enabled`` turns on.

OpenTelemetry is an extra of the package.  It is imported only when it is enabled: this module imports nothing of it,
and the other rooms import the rest of this room for its types only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from scheduler.clock import Clock
from scheduler.config.settings import Settings
from scheduler.errors import ConfigError
from scheduler.logs.sinks import ServiceLog
from scheduler.masking import mask

if TYPE_CHECKING:
    from scheduler.otel.pipeline import Pipeline

EXTRA: Final = "message-scheduling-service[otel]"
_PARTS: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP{}_PROTOCOL"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP{}_ENDPOINT"
_DEFAULT_ENDPOINT: Final = "http://localhost:4318"
_EXPORTER: Final = "OTEL_{}_EXPORTER"
INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"


def check(settings: Settings, env: Mapping[str, str] | None = None) -> None:
    """Raises ``ConfigError`` with a sentence for each reason why nothing could be exported.

    ``env``: None for the process's own.  The SDK would go on without a word, or log what it falls back to.
    """
    if settings.open_telemetry.enabled and (problems := list(_problems(os.environ if env is None else env))):
        raise ConfigError(problems)


def open_pipeline(settings: Settings, process: str, log: ServiceLog, clock: Clock) -> Pipeline | None:
    """Start what collects and exports in this process; None when it is not enabled, or ``OTEL_SDK_DISABLED`` is true.

    ``process``: its name in reports, for ``service.instance.id``.  Call it in each process after its start: threads do
    not survive a fork.  Raises ``ConfigError`` as ``check`` does.
    """
    if not settings.open_telemetry.enabled or _is_disabled(os.environ):
        return None
    check(settings)
    from scheduler.otel.pipeline import Pipeline

    metrics_seconds = float(os.environ.get(INTERVAL) or 60_000) / 1000 if exports("METRICS", os.environ) else None
    try:
        return Pipeline(process, log, clock, traces=exports("TRACES", os.environ), metrics_seconds=metrics_seconds)
    except ValueError as error:  # the SDK's word on one of its variables
        raise ConfigError([f"OpenTelemetry: {error}"]) from error


def in_words(env: Mapping[str, str] | None = None) -> str:
    """Return what is exported and where to.  ``env``: None for the process's own."""
    env = os.environ if env is None else env
    if _is_disabled(env):
        return "nothing: OTEL_SDK_DISABLED is true"
    everywhere = env.get(_ENDPOINT.format("")) or _DEFAULT_ENDPOINT
    found = [
        f"{signal.lower()} to {mask(env.get(_ENDPOINT.format(f'_{signal}')) or everywhere)}"
        for signal in ("TRACES", "METRICS")
        if exports(signal, env)
    ]
    return ", ".join(found) or "nothing: both exporters are none"


def _is_disabled(env: Mapping[str, str]) -> bool:
    return env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def exports(signal: str, env: Mapping[str, str]) -> bool:
    """Return whether ``TRACES`` or ``METRICS`` are to be exported."""
    return env.get(_EXPORTER.format(signal), "").strip() != "none"


def _installed() -> bool:
    try:
        return all(find_spec(part) for part in _PARTS)
    except ModuleNotFoundError:  # of what it would be inside of
        return False


def _problems(env: Mapping[str, str]) -> Iterator[str]:
    if not _installed():
        yield (
            "OpenTelemetry.Enabled: true, but the packages that it needs are not installed; "
            f'install them with pip install "{EXTRA}", or set it to false'
        )
    for signal in ("TRACES", "METRICS"):
        variable = _EXPORTER.format(signal)
        if (value := env.get(variable, "").strip()) not in ("", "otlp", "none"):
            yield f"{variable}: {value!r} is not accepted; accepted: otlp or none"
    for part in ("", "_TRACES", "_METRICS"):
        variable = _PROTOCOL.format(part)
        if (value := env.get(variable, "").strip()) not in ("", "http/protobuf"):
            yield f"{variable}: {value!r} is not accepted; accepted: http/protobuf (collectors take it at port 4318)"
    for part in ("", "_TRACES", "_METRICS"):
        variable = _ENDPOINT.format(part)
        if (value := env.get(variable, "").strip()) and not value.startswith(("http://", "https://")):
            yield f"{variable}: {mask(value)!r} is not accepted; accepted: a URL like {_DEFAULT_ENDPOINT}"
    value = env.get(INTERVAL, "").strip()
    if value and not (value.isdecimal() and int(value) > 0):
        yield f"{INTERVAL}: {value!r} is not accepted; accepted: milliseconds, a whole number from 1 on"
