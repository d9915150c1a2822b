"""All mutants, in the order of the page."""

from __future__ import annotations

from tests.mutants import of_delivery, of_edges, of_flow, of_history, of_otel, of_schedules, of_scripts
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *of_scripts.MUTANTS,
    *of_flow.MUTANTS,
    *of_delivery.MUTANTS,
    *of_edges.MUTANTS,
    *of_history.MUTANTS,
    *of_schedules.MUTANTS,
    *of_otel.MUTANTS,
)
