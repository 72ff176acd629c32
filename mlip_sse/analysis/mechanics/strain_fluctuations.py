"""Isothermal elastic constants from the fluctuations of a cell at constant pressure.

    C⁻¹ = V/(k_B T) ⟨ε ε⟩

Nothing is strained, and the ions are as hot as they are: the way for superionic conductors, whose constants at 0 K are
far too large. The barostat must let the cell move as it likes (all six components) and its ensemble must be the right
one (Nosé-Hoover, Parrinello-Rahman; Berendsen's is not). Where only lengths move, the constants among xx, yy and zz
follow; where only the volume moves, K.

References
----------
M. Parrinello, A. Rahman, J. Chem. Phys. 76, 2662 (1982), 10.1063/1.443248
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.mechanics.cell_strains import (
    block_means,
    checked_cells,
    correlation_length,
    half_difference,
    lagrangian_strains,
)
from mlip_sse.analysis.mechanics.crystal_symmetry import invariant_stiffnesses
from mlip_sse.analysis.mechanics.elastic_moduli import elastic_moduli, stability_eigenvalues
from mlip_sse.analysis.mechanics.strains import MANDEL
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K, EV_PER_A3_TO_GPA

__all__ = ["FluctuationStiffness", "fluctuation_stiffness"]

_METHOD = "strain fluctuations, jackknife over blocks of time, Student's t"
_MODULI = ("bulk", "shear", "young", "poisson", "anisotropy")
_HELD = 1e-8
_MIN_FRAMES = 40
_MIN_INDEPENDENT = 50
_DRIFT = 4.0


@dataclass(frozen=True, eq=False)
class FluctuationStiffness:
    """Isothermal elastic constants of a trajectory.

    Parameters
    ----------
    moves
        What of the cell moved: ``all``, ``lengths`` or ``volume``.
    stiffness_gpa, low_gpa, high_gpa : (6, 6) GPa
        Constants with their intervals; not-a-number where the barostat held the cell.
    moduli
        ``bulk``, ``shear``, ``young`` (GPa), ``poisson`` and ``anisotropy`` where all moved, else ``bulk`` alone:
        Voigt's, since the shape is held.
    n_independent
        Frames over the length of their correlation.
    verdict
        Refused where the frames are too few to invert their covariance, weak where the cell drifts.
    """

    moves: str
    stiffness_gpa: NDArray[np.float64]
    low_gpa: NDArray[np.float64]
    high_gpa: NDArray[np.float64]
    moduli: dict[str, Interval]
    n_independent: float
    verdict: Verdict


def fluctuation_stiffness(
    cells: ArrayLike,
    temperature_k: float,
    rotations: ArrayLike | None = None,
    *,
    n_blocks: int = 20,
    confidence: float = 0.95,
) -> FluctuationStiffness:
    """Return the isothermal elastic constants from the cells of a trajectory at constant pressure.

    Parameters
    ----------
    cells : (n_frames, 3, 3) Å
        Lattice vectors as rows; equilibration left out.
    temperature_k
        Temperature.
    rotations : (n, 3, 3)
        Point group in Cartesian axes, where known: it lowers the noise.
    n_blocks
        Blocks of the jackknife; each must be much longer than the memory of the cell.
    confidence
        Of the intervals.

    Raises
    ------
    InputError
        When the cells do not fluctuate, or in a way no barostat known here has.
    """
    frames = checked_cells(cells, max(_MIN_FRAMES, 2 * n_blocks))
    if not (temperature_k > 0 and n_blocks >= 4):
        raise InputError(f"found {temperature_k!r} K and {n_blocks} blocks, expected a positive T and 4 or more blocks")
    strains = lagrangian_strains(frames, frames.mean(axis=0)) / MANDEL
    moves = _moving(strains)
    scale = BOLTZMANN_EV_PER_K * temperature_k / float(np.abs(np.linalg.det(frames)).mean()) * EV_PER_A3_TO_GPA
    basis = invariant_stiffnesses(rotations) if moves == "all" else None
    moments = _Moments.of(strains, n_blocks)
    memory = correlation_length(strains[:, :3] if moves != "all" else strains)
    verdict = _judged(strains, memory, n_blocks, moves)

    def constants(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        return _stiffness(covariance, moves, basis, scale).ravel()

    value, low, high = (each.reshape(6, 6) for each in moments.jackknife(constants, confidence))
    if moves == "volume":
        value, low, high = (np.full((6, 6), np.nan) for _ in range(3))
    moduli: dict[str, Interval] = {}
    if verdict.quality != "refused":
        names = _MODULI if moves == "all" else ("bulk",)
        found = moments.jackknife(lambda c: _moduli(constants(c).reshape(6, 6), moves), confidence)
        bounds = zip(names, *found, strict=True)
        moduli = {n: Interval(float(v), float(a), float(b), confidence, _METHOD) for n, v, a, b in bounds}
        if moves == "all" and (lowest := float(stability_eigenvalues(value)[0])) <= 0:
            verdict, moduli = verdict.refuse(f"found an eigenvalue of {lowest:.4g} GPa, expected all positive"), {}
    return FluctuationStiffness(moves, value, low, high, moduli, len(frames) / memory, verdict)


@dataclass(frozen=True, eq=False)
class _Moments:
    """First and second moments of each block, from which any set of blocks has its covariance."""

    sizes: NDArray[np.float64]
    firsts: NDArray[np.float64]
    seconds: NDArray[np.float64]

    @classmethod
    def of(cls, strains: NDArray[np.float64], n_blocks: int) -> "_Moments":
        blocks = np.array_split(strains, n_blocks)
        firsts = np.array([block.sum(axis=0) for block in blocks])
        return cls(np.array([len(block) for block in blocks], float), firsts, np.array([b.T @ b for b in blocks]))

    def covariance(self, without: int | None = None) -> NDArray[np.float64]:
        kept = np.arange(len(self.sizes)) != (-1 if without is None else without)
        n = self.sizes[kept].sum()
        mean = self.firsts[kept].sum(axis=0) / n
        return np.asarray(self.seconds[kept].sum(axis=0) / n - np.outer(mean, mean))

    def jackknife(
        self, quantity: Callable[[NDArray[np.float64]], NDArray[np.float64]], confidence: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return a quantity of the covariance, less its bias, with its interval.

        The inverse of a noisy covariance is too large on average (by the factor n/(n − 8) for n independent frames);
        leaving out blocks in turn shows by how much.
        """
        n = len(self.sizes)
        full = quantity(self.covariance())
        left = np.array([quantity(self.covariance(without)) for without in range(n)])
        value = n * full - (n - 1) * left.mean(axis=0)
        error = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
        half = -float(stdtrit(n - 1, 0.5 * (1 - confidence))) * error
        return value, value - half, value + half


def _moving(strains: NDArray[np.float64]) -> str:
    """Return what of the cell moves; a barostat that moves lengths or the volume alone leaves the rest exactly."""
    variances = strains.var(axis=0)
    largest = float(variances.max())
    if largest < 1e-16:
        raise InputError("found cells that do not fluctuate, expected a run at constant pressure")
    free = variances > _HELD * largest
    if free.all():
        return "all"
    if free[3:].any() or not free[:3].all():
        names = [name for name, moves in zip(("xx", "yy", "zz", "yz", "xz", "xy"), free, strict=True) if moves]
        raise InputError(f"found a cell that moves in {', '.join(names)}, expected all, three lengths, or the volume")
    values = np.linalg.eigvalsh(np.cov(strains[:, :3].T))
    if values[1] > _HELD * values[2]:
        return "lengths"
    return "volume"


def _stiffness(
    covariance: NDArray[np.float64], moves: str, basis: NDArray[np.float64] | None, scale: float
) -> NDArray[np.float64]:
    """Return the stiffness in GPa (6, 6, Voigt)."""
    stiffness = np.full((6, 6), np.nan)
    if moves == "volume":
        # Nine times K is the sum over xx, yy and zz; nothing more is known, so that it is spread evenly here.
        stiffness[:3, :3] = scale / float(covariance[:3, :3].sum())
    elif moves == "lengths":
        stiffness[:3, :3] = scale * np.linalg.inv(covariance[:3, :3])
    else:
        if basis is not None:
            covariance = np.tensordot(np.einsum("kij,ij->k", basis, covariance), basis, axes=1)
        stiffness = scale * np.linalg.inv(covariance) / np.outer(MANDEL, MANDEL)
    return stiffness


def _moduli(stiffness: NDArray[np.float64], moves: str) -> NDArray[np.float64]:
    if moves != "all":
        return np.array([stiffness[:3, :3].sum() / 9.0])
    found = elastic_moduli(0.5 * (stiffness + stiffness.T))
    return np.array([getattr(found, name) for name in _MODULI])


def _judged(strains: NDArray[np.float64], memory: float, n_blocks: int, moves: str) -> Verdict:
    verdict = Verdict()
    n_independent = len(strains) / memory
    if n_independent < _MIN_INDEPENDENT:
        verdict = verdict.refuse(
            f"found {n_independent:.0f} independent frames among {len(strains)}, expected {_MIN_INDEPENDENT} or more: "
            "run longer"
        )
    elif n_independent < 5 * n_blocks:
        verdict = verdict.weaken(f"blocks of {n_independent / n_blocks:.1f} independent frames, expected 5: run longer")
    if moves == "volume":
        verdict = verdict.weaken("only the volume moved: K alone, and that of a cell whose shape is held (Voigt's)")
    if moves == "lengths":
        verdict = verdict.weaken(
            "only the lengths of the cell moved: no shear constants, and K of a held shape (Voigt's)"
        )
    apart, error = half_difference(block_means(strains, n_blocks))
    if ((apart > _DRIFT * error) & (apart > 0)).any():
        verdict = verdict.weaken(
            f"the cell drifts: its halves are {float(apart.max()):.2%} apart, more than {_DRIFT:g} errors; leave out "
            "more of the beginning"
        )
    return verdict
