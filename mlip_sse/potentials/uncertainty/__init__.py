"""How far a prediction can be trusted: extrapolation grade (alarm), committee (ranking), calibrated bounds in eV/Å."""

from mlip_sse.potentials.uncertainty.active_set import (
    ActiveSet,
    extrapolation_grades,
    merge_active_sets,
    select_active_set,
)

__all__ = ["ActiveSet", "extrapolation_grades", "merge_active_sets", "select_active_set"]
