"""How far a prediction can be trusted: extrapolation grade (alarm), committee (ranking), calibrated bounds in eV/Å."""

from mlip_sse.potentials.uncertainty.active_set import (
    ActiveSet,
    extrapolation_grades,
    merge_active_sets,
    select_active_set,
)
from mlip_sse.potentials.uncertainty.alarm import GradeAlarm, calibrate_alarm
from mlip_sse.potentials.uncertainty.committee import energy_spread, force_spreads
from mlip_sse.potentials.uncertainty.conformal import ConformalMap, calibrate
from mlip_sse.potentials.uncertainty.coverage import CoverageReport, CoverageShare, measure_coverage
from mlip_sse.potentials.uncertainty.error_scale import ErrorScale, fit_error_scale

__all__ = [
    "ActiveSet",
    "ConformalMap",
    "CoverageReport",
    "CoverageShare",
    "ErrorScale",
    "GradeAlarm",
    "calibrate",
    "calibrate_alarm",
    "energy_spread",
    "extrapolation_grades",
    "fit_error_scale",
    "force_spreads",
    "measure_coverage",
    "merge_active_sets",
    "select_active_set",
]
