"""Thermal expansion: the tensor from cells at several temperatures, transitions between them found first.

    α = dε/dT,    ε = ½ ln(FᵀF) of the mean cell against that at the reference temperature

so that the trace of α is d ln V/dT exactly, and a third of it the mean linear coefficient. Tables of expansion often
give the volumetric one (AFLOW does): three times the linear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc, stdtrit

from mlip_sse.analysis.mechanics.cell_strains import block_means, checked_cells, half_difference, hencky_strains
from mlip_sse.analysis.mechanics.crystal_symmetry import symmetrised_tensor
from mlip_sse.analysis.mechanics.strains import strain_tensor, strain_voigt
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError

__all__ = ["ThermalExpansion", "Transition", "find_transition", "thermal_expansion"]

_METHOD = "weighted polynomial through block means, Student's t"
_MIN_TEMPERATURES = 3
_GOOD_TEMPERATURES = 5

_SMALLEST_JUMP = 1e-3
"""Of ln V or of a strain; what is smaller is called neither a transition nor a drift."""

_CHI2_GAIN = 16.0
"""By which a step must fit better than a parabola, which has as many coefficients: four standard errors of one."""

_CHI2_RATIO = 4.0
"""By which, as a factor, it must do so too: with errors that are too small, every model fits badly."""

_DRIFT = 5.0
"""Standard errors between the halves of a run: of six strains at ten temperatures, chance gives none."""

_ALLOWED_ORDERS = {"linear": 1, "quadratic": 2}


@dataclass(frozen=True)
class Transition:
    """A jump of the cell between two temperatures.

    Parameters
    ----------
    below_k, above_k
        Temperatures on both sides.
    jump
        Of ln V, or of the strain that jumps most.
    component
        ``ln V``, ``xx`` ... ``xy``.
    """

    below_k: float
    above_k: float
    jump: float
    component: str


@dataclass(frozen=True, eq=False)
class ThermalExpansion:
    """The expansion tensor at one temperature.

    Parameters
    ----------
    temperature_k
        Where it holds.
    tensor_per_k, error_per_k : (3, 3) 1/K
        α in the axes of the cell, with standard errors.
    volumetric, linear
        Trace of α and a third of it, in 1/K.
    principal : (3,) 1/K
        Eigenvalues of α.
    order
        1 where the strains are straight in T, 2 where they bend.
    temperatures_k : (n,)
    strains, strain_errors : (n, 6)
        Logarithmic strains of the mean cells (engineering shears), and their standard errors from blocks of all runs.
    transition
        A jump that was found, or None.
    verdict
        Refused where there is a transition or too few temperatures, weak below five or where a cell drifts.
    """

    temperature_k: float
    tensor_per_k: NDArray[np.float64]
    error_per_k: NDArray[np.float64]
    volumetric: Interval
    linear: Interval
    principal: NDArray[np.float64]
    order: int
    temperatures_k: NDArray[np.float64]
    strains: NDArray[np.float64]
    strain_errors: NDArray[np.float64]
    transition: Transition | None
    verdict: Verdict


def thermal_expansion(
    temperatures_k: Sequence[float],
    cells: Sequence[ArrayLike],
    rotations: ArrayLike | None = None,
    *,
    reference_k: float = 300.0,
    order: Literal["auto", "linear", "quadratic"] = "auto",
    n_blocks: int = 8,
    confidence: float = 0.95,
) -> ThermalExpansion:
    """Return the expansion tensor from trajectories at constant pressure.

    Parameters
    ----------
    temperatures_k : (n,)
        At least three, better five or more.
    cells : n times (n_frames, 3, 3) Å
        Lattice vectors as rows, for each temperature, equilibration left out.
    rotations : (m, 3, 3)
        Point group in Cartesian axes, where known.
    reference_k
        Temperature at which α is given.
    order
        Straight, bent, or as the data ask for.
    n_blocks
        Blocks of time, for the error of each mean cell.
    confidence
        Of the intervals.

    Raises
    ------
    InputError
        When there are fewer than three temperatures, one is not positive, a cell is none, or there is no such order.
    """
    kelvins, frames = _ordered(temperatures_k, cells, n_blocks)
    nearest = int(np.abs(kelvins - reference_k).argmin())
    reference = frames[nearest].mean(axis=0)
    blocks = np.array([_block_strains(each, reference, rotations, n_blocks) for each in frames])
    strains, errors = blocks.mean(axis=1), _errors(blocks, kelvins)
    volumes = blocks[:, :, :3].sum(axis=2)
    log_v, log_v_errors = volumes.mean(axis=1), _errors(volumes, kelvins)
    transition = find_transition(kelvins, log_v, log_v_errors, strains, errors)
    degree = _degree(kelvins, log_v, log_v_errors, order)
    t_blocks = len(kelvins) * (n_blocks - 1)
    slopes = [_slope(kelvins, s, e, degree, reference_k, t_blocks) for s, e in zip(strains.T, errors.T, strict=True)]
    tensor, error = (strain_tensor([each[at] for each in slopes]) for at in (0, 1))
    value, volume_error, dof = _slope(kelvins, log_v, log_v_errors, degree, reference_k, t_blocks)
    half = -float(stdtrit(dof, 0.5 * (1 - confidence))) * volume_error
    volumetric = Interval(value, value - half, value + half, confidence, _METHOD)
    verdict = _judged(kelvins, blocks, transition, reference_k)
    return ThermalExpansion(
        reference_k,
        tensor,
        error,
        volumetric,
        volumetric.scaled(1 / 3),
        np.asarray(np.linalg.eigvalsh(tensor), dtype=np.float64),
        degree,
        kelvins,
        strains,
        errors,
        transition,
        verdict,
    )


def find_transition(
    temperatures_k: ArrayLike,
    log_volumes: ArrayLike,
    log_volume_errors: ArrayLike,
    strains: ArrayLike,
    strain_errors: ArrayLike,
) -> Transition | None:
    """Return the jump of the cell between two temperatures, or None where a bend explains the data as well.

    A straight line with a step is held against a parabola, which has as many coefficients: the step must win by 16 in
    χ², four times over, and measure 0.1 %.

    Parameters
    ----------
    temperatures_k : (n,)
    log_volumes, log_volume_errors : (n,)
    strains, strain_errors : (n, 6)
    """
    kelvins = np.asarray(temperatures_k, dtype=np.float64)
    columns = [(np.asarray(log_volumes), np.asarray(log_volume_errors), "ln V")]
    names = ("xx", "yy", "zz", "yz", "xz", "xy")
    columns += list(zip(np.asarray(strains).T, np.asarray(strain_errors).T, names, strict=True))
    found: list[Transition] = []
    for values, errors, name in columns:
        step = _step(kelvins, values, errors, name)
        found += [] if step is None else [step]
    return max(found, key=lambda each: abs(each.jump), default=None)


def _step(
    kelvins: NDArray[np.float64], values: NDArray[np.float64], errors: NDArray[np.float64], name: str
) -> Transition | None:
    if len(kelvins) < _GOOD_TEMPERATURES or not (errors > 0).all():
        return None
    _, _, bent = _polynomial(kelvins, values, errors, 2, 0.0)
    best: tuple[float, float, int] | None = None
    for split in range(2, len(kelvins) - 1):
        high = (np.arange(len(kelvins)) >= split).astype(np.float64)
        design = np.stack([np.ones_like(kelvins), kelvins / kelvins[-1], high], axis=1) / errors[:, None]
        solved = np.linalg.lstsq(design, values / errors, rcond=None)[0]
        chi2 = float(((values / errors - design @ solved) ** 2).sum())
        if best is None or chi2 < best[0]:
            best = (chi2, float(solved[2]), split)
    if best is None or abs(best[1]) < _SMALLEST_JUMP:
        return None
    if bent - best[0] < _CHI2_GAIN or bent < _CHI2_RATIO * best[0]:
        return None
    return Transition(float(kelvins[best[2] - 1]), float(kelvins[best[2]]), best[1], name)


def _degree(kelvins: NDArray[np.float64], values: NDArray[np.float64], errors: NDArray[np.float64], order: str) -> int:
    """Return 2 where a parabola is asked for, or where it fits better than a line by more than chance (1 %)."""
    if order != "auto":
        if order not in _ALLOWED_ORDERS:
            raise InputError(f"order: found {order!r}, expected auto, {' or '.join(_ALLOWED_ORDERS)}")
        return _ALLOWED_ORDERS[order]
    if len(kelvins) < _GOOD_TEMPERATURES or not (errors > 0).all():
        return 1
    gain = _polynomial(kelvins, values, errors, 1, 0.0)[2] - _polynomial(kelvins, values, errors, 2, 0.0)[2]
    return 2 if float(gammaincc(0.5, 0.5 * gain)) < 0.01 else 1


def _slope(
    kelvins: NDArray[np.float64],
    values: NDArray[np.float64],
    errors: NDArray[np.float64],
    degree: int,
    at_k: float,
    t_blocks: int,
) -> tuple[float, float, int]:
    """Return the slope at a temperature, its standard error, and the degrees of freedom of that error.

    The errors are those of the blocks; where the points scatter by more than these allow (5 %), that of the scatter.
    """
    if not (errors > 0).all():  # what symmetry makes zero, and cells without any noise
        errors = np.full_like(values, max(float(errors.max()), 1e-12))
    solved, covariance, chi2 = _polynomial(kelvins, values, errors, degree, at_k)
    dof = len(kelvins) - degree - 1
    error, t_dof = float(np.sqrt(covariance[1, 1])), t_blocks
    if dof > 0 and float(gammaincc(0.5 * dof, 0.5 * chi2)) < 0.05:
        error, t_dof = error * float(np.sqrt(chi2 / dof)), dof
    return float(solved[1]), error, t_dof


def _polynomial(
    kelvins: NDArray[np.float64], values: NDArray[np.float64], errors: NDArray[np.float64], degree: int, at_k: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    scale = float(np.ptp(kelvins))
    powers = np.arange(degree + 1)
    design = ((kelvins - at_k) / scale)[:, None] ** powers / errors[:, None]
    solved = np.linalg.lstsq(design, values / errors, rcond=None)[0]
    chi2 = float(((values / errors - design @ solved) ** 2).sum())
    unit = scale ** -powers.astype(np.float64)
    return solved * unit, np.linalg.inv(design.T @ design) * np.outer(unit, unit), chi2


def _errors(blocks: NDArray[np.float64], kelvins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard errors of the means of blocks (n, n_blocks, ...), from the blocks of all temperatures.

    Fluctuations grow with T; eight blocks of one run alone would tell their size to a quarter only.
    """
    columns = (-1,) + (1,) * (blocks.ndim - 2)
    scaled = blocks.var(axis=1, ddof=1) / kelvins.reshape(columns)
    return np.asarray(np.sqrt(scaled.mean(axis=0) * kelvins.reshape(columns) / blocks.shape[1]))


def _block_strains(
    cells: NDArray[np.float64], reference: NDArray[np.float64], rotations: ArrayLike | None, n_blocks: int
) -> NDArray[np.float64]:
    strains = hencky_strains(block_means(cells, n_blocks), reference)
    return strain_voigt(symmetrised_tensor(strain_tensor(strains), rotations))


def _ordered(
    temperatures_k: Sequence[float], cells: Sequence[ArrayLike], n_blocks: int
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    kelvins = np.asarray(temperatures_k, dtype=np.float64)
    if len(kelvins) < _MIN_TEMPERATURES or len(kelvins) != len(cells) or len(np.unique(kelvins)) != len(kelvins):
        raise InputError(
            f"found {len(kelvins)} temperatures and {len(cells)} runs, expected as many, {_MIN_TEMPERATURES} or more, "
            "each temperature once: give the runs of one temperature as one"
        )
    if not (kelvins > 0).all():
        raise InputError(f"found a temperature of {kelvins.min():g} K, expected positive ones: give them in kelvin")
    order = np.argsort(kelvins)
    return kelvins[order], [checked_cells(cells[at], 2 * n_blocks) for at in order]


def _judged(
    kelvins: NDArray[np.float64], blocks: NDArray[np.float64], transition: Transition | None, reference_k: float
) -> Verdict:
    verdict = Verdict()
    if transition is not None:
        verdict = verdict.refuse(
            f"a phase transition between {transition.below_k:g} and {transition.above_k:g} K: {transition.component} "
            f"jumps by {transition.jump:.2%}; give the temperatures of one side alone"
        )
    if len(kelvins) < _GOOD_TEMPERATURES:
        verdict = verdict.weaken(f"found {len(kelvins)} temperatures, expected {_GOOD_TEMPERATURES} or more")
    if not kelvins[0] <= reference_k <= kelvins[-1]:
        verdict = verdict.weaken(f"{reference_k:g} K lies outside {kelvins[0]:g} to {kelvins[-1]:g} K: extrapolated")
    apart, errors = (np.array(each) for each in zip(*map(half_difference, blocks), strict=True))
    pooled = np.sqrt((errors**2 / kelvins[:, None]).mean(axis=0) * kelvins[:, None])
    for kelvin, far, error in zip(kelvins, apart, pooled, strict=True):
        if ((far > _DRIFT * error) & (far > _SMALLEST_JUMP)).any():
            verdict = verdict.weaken(
                f"at {kelvin:g} K the halves of the run are {float(far.max()):.2%} apart: not in equilibrium, or "
                "changing phase"
            )
    return verdict
