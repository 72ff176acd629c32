"""How far a potential is from labels: energy, force and stress errors, per element, and how soft it is."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from numpy.typing import NDArray

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import InputError
from mlip_sse.potentials.contract import Potential
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["INDICATORS", "Prediction", "force_errors", "model_errors", "predict"]

INDICATORS = ("forces_std", "extrapolation_grade")
"""What a calculator may offer for each atom beside the forces: the committee's spread in eV/Å, and the grade.

The spread is asked for first: whoever computes it has the grade at hand too."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a potential says of one frame.

    Parameters
    ----------
    energy
        eV.
    forces
        (n_atoms, 3) eV/Å.
    stress
        (6,) eV/Å³ in Voigt order; None where the cell is not periodic.
    indicators
        (n_atoms,) each: ``extrapolation_grade``, and ``forces_std`` in eV/Å, where the potential has them.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None
    indicators: Mapping[str, NDArray[np.float64]]


def predict(
    potential: Potential, frames: Sequence[LabelledFrame], progress: Callable[[float], None] | None = None
) -> list[Prediction]:
    """Evaluate a potential on the structures of frames, with whatever indicators of uncertainty it offers.

    Parameters
    ----------
    potential
        Any potential.
    frames
        Their labels are not looked at.
    progress
        Called with the share done.
    """
    calculator = potential.calculator()
    offered = [name for name in INDICATORS if name in calculator.implemented_properties]
    found: list[Prediction] = []
    for number, frame in enumerate(frames, start=1):
        atoms = Atoms(list(frame.symbols), positions=frame.positions, cell=frame.cell, pbc=frame.pbc)
        try:
            found.append(_evaluate(calculator, atoms, offered))
        except InputError:
            if found or "forces_std" not in offered:
                raise
            offered.remove("forces_std")  # a committee of one has no spread
            found.append(_evaluate(calculator, atoms, offered))
        if progress is not None:
            progress(number / len(frames))
    return found


def _evaluate(calculator: Any, atoms: Atoms, offered: Sequence[str]) -> Prediction:
    indicators = {name: np.asarray(calculator.get_property(name, atoms), dtype=np.float64) for name in offered}
    if "forces_std" in indicators:
        indicators["forces_std"] = np.linalg.norm(indicators["forces_std"].reshape(len(atoms), -1), axis=1)
    try:
        stress = np.asarray(calculator.get_property("stress", atoms), dtype=np.float64)
    except PropertyNotImplementedError:
        stress = None
    return Prediction(
        energy=float(calculator.get_property("energy", atoms)),
        forces=np.asarray(calculator.get_property("forces", atoms), dtype=np.float64),
        stress=stress,
        indicators=indicators,
    )


def force_errors(frames: Sequence[LabelledFrame], predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Return (n_atoms of all frames,) eV/Å, the length of the error of each force."""
    parts = [np.linalg.norm(p.forces - f.forces, axis=1) for f, p in zip(frames, predictions, strict=True)]
    return np.concatenate(parts)


def model_errors(
    potential: Potential, frames: Sequence[LabelledFrame], predictions: Sequence[Prediction] | None = None
) -> dict[str, Any]:
    """Measure a potential against labels.

    Parameters
    ----------
    potential
        Any potential.
    frames
        Labelled frames.
    predictions
        What `predict` returned for them, where that is there already.

    Returns
    -------
    dict
        Plain data: counts; MAE and RMSE of energy (eV/atom), force components (eV/Å, also per element) and stress
        components (GPa; None where no frame has one); ``softening``, the slope s = Σ F·F_label / Σ |F_label|² (below 1:
        the potential is too soft) with its interval over frames.

    Raises
    ------
    InputError
        When there is no frame.

    References
    ----------
    B. Deng et al., npj Comput. Mater. 11, 9 (2025), doi:10.1038/s41524-024-01500-6 (softening).
    """
    if not frames:
        raise InputError("found no frames, expected at least one to measure errors on")
    found = predict(potential, frames) if predictions is None else list(predictions)
    symbols = np.concatenate([np.array(frame.symbols) for frame in frames])
    force = np.concatenate([p.forces - f.forces for f, p in zip(frames, found, strict=True)])
    energy = np.array([(p.energy - f.energy) / f.n_atoms for f, p in zip(frames, found, strict=True)])
    stress = [
        (p.stress - f.stress) * EV_PER_A3_TO_GPA
        for f, p in zip(frames, found, strict=True)
        if f.stress is not None and p.stress is not None
    ]
    return {
        "n_frames": len(frames),
        "n_atoms": len(symbols),
        "energy_ev_atom": _sizes(energy),
        "force_ev_a": _sizes(force),
        "force_by_element_ev_a": {
            element: {"n_atoms": int((symbols == element).sum()), **_sizes(force[symbols == element])}
            for element in sorted(set(symbols.tolist()))
        },
        "stress_gpa": _sizes(np.array(stress)) if stress else None,
        "softening": softening(frames, found),
    }


def softening(frames: Sequence[LabelledFrame], predictions: Sequence[Prediction]) -> dict[str, float | None]:
    """Return the slope of predicted over labelled forces with its 95 % interval, frames taken as independent.

    The interval is Student's with the ratio estimator's variance, n/(n-1) Σ (a_i - s·b_i)² / (Σ b_i)², a_i and b_i the
    frames' parts of numerator and denominator; None where one frame does not show it, or all labels are zero.
    """
    from scipy.stats import t

    a = np.array([float((p.forces * f.forces).sum()) for f, p in zip(frames, predictions, strict=True)])
    b = np.array([float((f.forces**2).sum()) for f in frames])
    n, total = len(a), float(b.sum())
    if total == 0:
        return {"value": None, "low": None, "high": None, "confidence": 0.95}
    slope = float(a.sum()) / total
    if n < 2:
        return {"value": slope, "low": None, "high": None, "confidence": 0.95}
    half = float(t.ppf(0.975, n - 1)) * math.sqrt(n / (n - 1) * float(((a - slope * b) ** 2).sum())) / total
    return {"value": slope, "low": slope - half, "high": slope + half, "confidence": 0.95}


def _sizes(errors: NDArray[np.float64]) -> dict[str, float]:
    return {"mae": float(np.abs(errors).mean()), "rmse": float(np.sqrt((errors**2).mean()))}
