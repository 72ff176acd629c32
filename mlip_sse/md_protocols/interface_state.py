"""What the state of an interface says of its run: how hot it became, what heat left at each end, what drifted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Verdict
from mlip_sse.md_protocols.interface_decks import STATE_COLUMNS

__all__ = ["run_figures", "run_verdict"]

_N_BLOCKS = 8
_WINDOW_PS = 1.0
_HOT_SHARE = 0.05
_STANDARD_ERRORS = 4.0
_PRESSURE_GPA = 0.1
_DRIFT_MEV_ATOM_PS = 1.0
_LIQUID_ABOVE_K: Mapping[str, float] = {"Li": 450.0, "Na": 370.0, "K": 335.0}


def run_figures(
    tables: Sequence[NDArray[np.float64]], temperature_k: float, timestep_fs: float, n_atoms: int, n_inner: int
) -> dict[str, Any]:
    """Return the figures of a run from the state of its segments.

    Parameters
    ----------
    tables
        For each segment (n_rows, 11), the columns of `STATE_COLUMNS`; energies and heat begin anew in each.
    temperature_k
        Target of the thermostats.
    timestep_fs
        MD time step.
    n_atoms, n_inner
        Of the whole cell, and those between the thermostats.
    """
    rows = np.concatenate(tables)
    column = {name: rows[:, index] for index, name in enumerate(STATE_COLUMNS)}
    times_ps = column["step"] * timestep_fs / 1000
    edge = max(1, len(rows) // 10)
    pe = column["potential_energy_ev"]
    window = max(1, round(_WINDOW_PS / (times_ps[-1] / len(rows))))
    inner = column["inner_temperature_k"]
    running = np.convolve(inner, np.ones(min(window, len(inner))) / min(window, len(inner)), mode="valid")
    return {
        "n_rows": len(rows),
        "temperature_mean_k": float(column["temperature_k"].mean()),
        "inner_temperature_k": float(inner.mean()),
        "inner_temperature_error_k": _error(inner),
        "inner_fluctuation_k": temperature_k * float(np.sqrt(2 / (3 * max(1, n_inner)))),
        "inner_excess_k": float(inner.mean() - temperature_k),
        "inner_peak_k": float(running.max()),
        "outer_temperatures_k": [float(column[f"outer_{side}_temperature_k"].mean()) for side in "ab"],
        "potential_energy_start_ev": float(pe[:edge].mean()),
        "potential_energy_end_ev": float(pe[-edge:].mean()),
        "energy_change_ev_atom": float(pe[-edge:].mean() - pe[:edge].mean()) / n_atoms,
        "heat_left_ev": [
            float(sum(table[-1, STATE_COLUMNS.index(f"heat_left_{side}_ev")] for table in tables)) for side in "ab"
        ],
        "conserved_drift_mev_atom_ps": _drift(tables, timestep_fs) * 1000 / n_atoms,
        "height_a": float(column["height_a"].mean()),
        "height_change": float(column["height_a"][-edge:].mean() / column["height_a"][:edge].mean()) - 1,
        "pressure_z_gpa": float(column["pressure_z_gpa"].mean()),
        "pressure_z_error_gpa": _error(column["pressure_z_gpa"]),
    }


def run_verdict(run: Mapping[str, Any], *, pressure_gpa: float, is_fixed: bool, metals: Sequence[str]) -> Verdict:
    """Return what is to be said of a run.

    Parameters
    ----------
    run
        As a task returns it: `run_figures`, ``ended``, ``grades``, with ``temperature_k``.
    pressure_gpa
        The barostat's target.
    is_fixed
        Whether the height was fixed.
    metals
        The elements of the sides that are metals of one element.
    """
    verdict, kelvin = Verdict(), float(run["temperature_k"])
    if (ended := run["ended"]) is not None:
        reason = f"ended in {ended['stage']}: {ended['kind']}: {ended['reason']}"
        verdict = verdict.weaken(reason) if run["n_segments_done"] else verdict.refuse(reason)
    for metal in metals:
        if kelvin > (melts := _LIQUID_ABOVE_K.get(metal, np.inf)):
            verdict = verdict.weaken(f"{metal} metal at {kelvin:g} K: above about {melts:g} K it is a liquid")
    if not run["n_segments_done"]:
        return verdict
    excess, error = run["inner_excess_k"], run["inner_temperature_error_k"]
    # Nothing but its neighbours holds the middle: in a short run its mean may be off by one fluctuation of its energy.
    if abs(excess) > max(_HOT_SHARE * kelvin, _STANDARD_ERRORS * error, run["inner_fluctuation_k"]):
        words = "heat of reaction leaves more slowly than it comes" if excess > 0 else "it has not warmed up"
        verdict = verdict.weaken(
            f"between the thermostats found {run['inner_temperature_k']:.0f} K on average, expected {kelvin:g}: {words}"
        )
    drift = run["conserved_drift_mev_atom_ps"]
    if abs(drift) > _DRIFT_MEV_ATOM_PS:
        verdict = verdict.weaken(
            f"the conserved energy drifts by {drift:.2g} meV/atom/ps, expected at most {_DRIFT_MEV_ATOM_PS:g}: lower "
            "timestep_fs"
        )
    push, doubt = run["pressure_z_gpa"] - pressure_gpa, run["pressure_z_error_gpa"]
    if not is_fixed and abs(push) > max(_PRESSURE_GPA, _STANDARD_ERRORS * doubt):
        verdict = verdict.weaken(
            f"found {run['pressure_z_gpa']:.2f} GPa along z on average, expected {pressure_gpa:g}: heat it longer"
        )
    return _graded(verdict, run["grades"])


def _graded(verdict: Verdict, grades: Mapping[str, Any] | None) -> Verdict:
    if grades is None or not grades["n_above_alarm"]:
        return verdict
    return verdict.weaken(
        f"{grades['n_above_alarm']} of {grades['n_frames']} frames are above the alarm of the grade, the worst "
        f"{grades['largest_excess']:.3g} times its limit: the potential extrapolates; teach it this interface"
    )


def _error(values: NDArray[np.float64]) -> float:
    """Return the standard error of a mean from blocks."""
    n_blocks = min(_N_BLOCKS, len(values))
    if n_blocks < 2:
        return float("inf")
    means = np.array([block.mean() for block in np.array_split(values, n_blocks)])
    return float(means.std(ddof=1) / np.sqrt(n_blocks))


def _drift(tables: Sequence[NDArray[np.float64]], timestep_fs: float) -> float:
    """Return the slope of the conserved energy in eV/ps, the mean over segments by their length."""
    slopes, weights = [], []
    for table in tables:
        if len(table) < 2:
            continue
        times_ps = table[:, 0] * timestep_fs / 1000
        slopes.append(np.polyfit(times_ps - times_ps[0], table[:, STATE_COLUMNS.index("conserved_energy_ev")], 1)[0])
        weights.append(times_ps[-1] - times_ps[0])
    return float(np.average(slopes, weights=weights)) if slopes else 0.0
