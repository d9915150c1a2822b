"""Which attempts are recorded: those of messages whose request is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.context import Context, create_key, get_value, set_value
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceState, set_span_in_context
from opentelemetry.util.types import Attributes

_KEPT: Final = create_key("kept")


def beside(kept: SpanContext | None) -> Context:
    """Return the context for the root of a new trace that ``Following`` samples as if it were a child of ``kept``."""
    return Context() if kept is None else set_value(_KEPT, kept, Context())


class Following(Sampler):
    """Asks the sampler of ``OTEL_TRACES_SAMPLER`` about an attempt as if it were a child of the kept context.

    An attempt is the root of a trace of its own, and a share of 10 % would otherwise be drawn anew: of most requests
    that are recorded no attempt would be.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(  # noqa: PLR0917 - the base class's
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See ``Sampler``."""
        kept = get_value(_KEPT, parent_context)
        if isinstance(kept, SpanContext):
            parent_context, trace_id = set_span_in_context(NonRecordingSpan(kept), Context()), kept.trace_id
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """See ``Sampler``."""
        return f"Following({self._sampler.get_description()})"
