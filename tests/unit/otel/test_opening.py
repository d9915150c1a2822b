"""What OpenTelemetry.Enabled needs, and that nothing of it is imported without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import scheduler.otel
from scheduler.clock import SystemClock
from scheduler.config.settings import Settings
from scheduler.errors import ConfigError
from scheduler.logs.sinks import adapt
from scheduler.otel import check, exports, in_words, open_pipeline
from scheduler.runtime import Runtime
from tests.support.logger import RecordingLogger
from tests.support.running import Said

ON = Settings.model_validate({"open_telemetry": {"enabled": True}})

IMPORTS = """
import pkgutil, sys, importlib, scheduler
sys.modules["opentelemetry"] = None  # as if it were not installed: redis-py imports it where it is
for module in pkgutil.walk_packages(scheduler.__path__, "scheduler."):
    if not module.name.startswith("scheduler.otel.") and module.name != "scheduler.cli.__main__":
        importlib.import_module(module.name)
assert "scheduler.service" in sys.modules and "scheduler.api.serve" in sys.modules
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.", "google.", "scheduler.otel."))))
"""


def test_nothing_of_it_is_imported_without_it() -> None:
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", IMPORTS], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_it_is_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.otel, "find_spec", lambda _: None)
    check(Settings())
    assert open_pipeline(Settings(), "here/scheduler", adapt(RecordingLogger()), SystemClock()) is None


def test_the_start_is_refused_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.otel, "find_spec", lambda _: None)
    with pytest.raises(ConfigError) as refused:
        Runtime(ON, RecordingLogger()).start()
    [problem] = refused.value.problems
    assert problem == (
        "OpenTelemetry.Enabled: true, but the packages that it needs are not installed; install them with "
        'pip install "message-scheduling-service[otel]", or set it to false'
    )


def test_a_part_that_is_missing_is_missing_whatever_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(scheduler.otel, "find_spec", find)
    with pytest.raises(ConfigError, match="not installed"):
        check(ON, {})


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "jaeger", "otlp or none"),
        ("OTEL_METRICS_EXPORTER", "prometheus", "otlp or none"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "a URL like http://"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1s", "milliseconds"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "milliseconds"),
    ],
)
def test_what_would_export_nothing_is_refused(variable: str, value: str, accepted: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(ON, {variable: value})
    [problem] = refused.value.problems
    assert problem.startswith(f"{variable}: '{value}' is not accepted; accepted: {accepted}")
    check(Settings(), {variable: value})


def test_what_the_sdk_refuses_is_refused_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096")
    with pytest.raises(ConfigError, match="OpenTelemetry: max_export_batch_size must be less"):
        open_pipeline(ON, "here/scheduler", adapt(RecordingLogger()), SystemClock())


def test_what_the_sdk_falls_back_to_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "nonsense")
    log = Said()
    pipeline = open_pipeline(ON, "here/scheduler", adapt(log), SystemClock())
    assert pipeline
    pipeline.close()
    assert [text for text in log.warnings if "nonsense" in text]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "traces to http://localhost:4318, metrics to http://localhost:4318"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:geheim@a", "OTEL_METRICS_EXPORTER": "none"},
            "traces to https://me:***@a",
        ),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://b/v1/metrics", "OTEL_TRACES_EXPORTER": "none"},
            "metrics to http://b/v1/metrics",
        ),
        ({"OTEL_METRICS_EXPORTER": "none", "OTEL_TRACES_EXPORTER": "none"}, "nothing: both exporters are none"),
        ({"OTEL_SDK_DISABLED": "True"}, "nothing: OTEL_SDK_DISABLED is true"),
    ],
)
def test_the_start_says_where_it_goes(env: dict[str, str], expected: str) -> None:
    assert in_words(env) == expected


def test_one_of_the_two_can_be_left_out() -> None:
    env = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": ""}
    check(ON, env)
    assert (exports("TRACES", env), exports("METRICS", env), exports("METRICS", {})) == (False, True, True)


def test_without_traces_there_is_nothing_to_trace_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    pipeline = open_pipeline(ON, "here/scheduler", adapt(RecordingLogger()), SystemClock())
    assert pipeline
    assert pipeline.tracing is None
    pipeline.export_metrics(dict)
    pipeline.close()


def test_the_switch_of_the_sdk_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_pipeline(ON, "here/scheduler", adapt(RecordingLogger()), SystemClock()) is None
