"""Mutants of traces and metrics over OTLP."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_TRACING = "tests/unit/otel/test_tracing.py"
_DELIVERY = "tests/integration/test_otel.py"

MUTANTS = (
    Mutant(
        "otel-old-traceparent",
        "scheduler/channels/webhook/engine.py",
        "span.traceparent if span else None",
        "None",
        "a webhook carries the sender's trace although its attempt has a span",
        "what the endpoint did is missing in the trace of the attempt",
        (_DELIVERY,),
    ),
    Mutant(
        "otel-sampled-anew",
        "scheduler/otel/pipeline.py",
        "self._provider.sampler = Following(self._provider.sampler)",
        "pass",
        "the sampler is asked about each attempt by itself",
        "requests that are not to be recorded have attempts that are, and links lead nowhere",
        (_DELIVERY,),
    ),
    Mutant(
        "otel-attempts-stay",
        "scheduler/otel/tracing.py",
        "held = self._open.pop((outcome.claim.id, outcome.claim.token), None)",
        "held = self._open.get((outcome.claim.id, outcome.claim.token))",
        "attempts that ended stay known",
        "the memory of a process grows with every message",
        (_TRACING,),
    ),
    Mutant(
        "otel-release-is-an-attempt",
        "scheduler/otel/tracing.py",
        'elif outcome.kind == "release":',
        'elif outcome.kind == "":',
        "a message that is given back unused has a span",
        "one hanging endpoint makes a thousand spans a minute of attempts that never were",
        (_TRACING,),
    ),
)
