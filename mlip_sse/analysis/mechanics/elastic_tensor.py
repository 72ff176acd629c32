"""Elastic constants by stress over strain, with the symmetry of the crystal and the error of the fit.

Each mode of strain is applied with both signs and several sizes. Half the difference of the stresses at +E and −E has
no even orders of E in it, and no residual stress:

    [S(+E) − S(−E)]/2 = C E + O(E³)

with the second Piola-Kirchhoff stress S and the Lagrangian strain E, which are conjugate. C is a sum of the matrices
that the point group leaves (three for a cubic crystal), and its coefficients follow by least squares.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.mechanics.crystal_symmetry import invariant_stiffnesses
from mlip_sse.analysis.mechanics.elastic_moduli import elastic_moduli, stability_eigenvalues
from mlip_sse.analysis.mechanics.strains import MANDEL
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["ElasticTensor", "distinct_modes", "fit_elastic_tensor", "strain_modes"]

_METHOD = "least squares, Student's t over its misfit, joined with the fits at each size of the strain alone"
_LARGE_MISFIT = 0.05
_DETERMINED = 0.05
"""Least singular value, for strains of size one, of what determines a constant; rotations of a relaxed cell are off by
1e-5, and what leaks through that determines nothing."""
_MODULI = ("bulk_voigt", "bulk_reuss", "bulk", "shear_voigt", "shear_reuss", "shear", "young", "poisson", "anisotropy")


@dataclass(frozen=True, eq=False)
class ElasticTensor:
    """Elastic constants with their errors, and what follows from them.

    Parameters
    ----------
    stiffness_gpa : (6, 6) GPa
    low_gpa, high_gpa : (6, 6) GPa
        Interval of each constant.
    n_constants
        How many are independent.
    eigenvalues_gpa
        Of the stiffness in Mandel form, the smallest first.
    moduli
        By name: ``bulk``, ``shear``, ``young`` and their Voigt and Reuss bounds in GPa, ``poisson``, ``anisotropy``;
        empty where the crystal is not stable.
    misfit
        Root of the mean square misfit over that of the stresses.
    verdict
        Refused where an eigenvalue is not positive (Born), weak where one may not be, or where the misfit is large.
    """

    stiffness_gpa: NDArray[np.float64]
    low_gpa: NDArray[np.float64]
    high_gpa: NDArray[np.float64]
    n_constants: int
    eigenvalues_gpa: tuple[Interval, ...]
    moduli: dict[str, Interval]
    misfit: float
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class _Fit:
    coefficients: NDArray[np.float64]
    covariances: NDArray[np.float64]
    dof: int
    misfit: float


def strain_modes() -> NDArray[np.float64]:
    """Return the six modes of strain (6, 6) in Voigt order with engineering shears, each of size one as a tensor."""
    return np.diag([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


def distinct_modes(rotations: ArrayLike | None = None) -> tuple[int, ...]:
    """Return the modes, as few as possible, that determine all constants a point group (n, 3, 3) leaves.

    For a cubic crystal along its axes these are xx and yz.
    """
    basis = invariant_stiffnesses(rotations)
    chosen: list[int] = []
    rank = 0
    for mode in (0, 3, 2, 5, 4, 1):
        now = int(np.linalg.matrix_rank(_design(basis, strain_modes()[[*chosen, mode]]), tol=_DETERMINED))
        if now > rank:
            chosen, rank = [*chosen, mode], now
        if rank == len(basis):
            return tuple(sorted(chosen))
    raise InputError(f"found {rank} of {len(basis)} constants determined, expected all: give the crystal's rotations")


def fit_elastic_tensor(
    strains: ArrayLike,
    stresses: ArrayLike,
    rotations: ArrayLike | None = None,
    confidence: float = 0.95,
) -> ElasticTensor:
    """Fit the elastic constants.

    Parameters
    ----------
    strains : (n, 6)
        Lagrangian strains with engineering shears; for each the stresses at +E and −E are given.
    stresses : (n, 2, 6) eV/Å³
        Second Piola-Kirchhoff stresses at +E and at −E, relative to the unstrained cell, ions relaxed.
    rotations : (m, 3, 3)
        Point group of the crystal in the same axes; none where not given, and 21 constants.
    confidence
        Of the intervals.

    Returns
    -------
    ElasticTensor

    Raises
    ------
    InputError
        When shapes are wrong, or the strains do not determine all constants.
    """
    strain, halves = _checked(strains, stresses)
    basis = invariant_stiffnesses(rotations)
    fit = _least_squares(strain, halves, basis)
    sizes = np.round(np.abs(strain).max(axis=1) / np.where(np.abs(strain[:, :3]).max(axis=1) > 0, 1.0, 2.0), 10)
    alone = []
    for size in np.unique(sizes):
        rows = sizes == size
        if np.linalg.matrix_rank(_design(basis, strain[rows]), tol=_DETERMINED * size) == len(basis):
            alone.append(_least_squares(strain[rows], halves[rows], basis).coefficients)
    spread = _Spread(fit, np.array(alone if len(alone) > 1 else [fit.coefficients]), confidence)
    scale = EV_PER_A3_TO_GPA / np.outer(MANDEL, MANDEL)

    def constants(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((np.tensordot(coefficients, basis, axes=1) * scale).ravel())

    value, low, high = (each.reshape(6, 6) for each in spread.bounds(constants))
    eigenvalues = spread.intervals(lambda c: stability_eigenvalues(constants(c).reshape(6, 6)))
    verdict = _judged(eigenvalues, fit.misfit)
    moduli: dict[str, Interval] = {}
    if all(each.value is not None and each.value > 0 for each in eigenvalues):
        found = spread.intervals(lambda c: _moduli(constants(c).reshape(6, 6)))
        moduli = dict(zip(_MODULI, found, strict=True))
    return ElasticTensor(value, low, high, len(basis), eigenvalues, moduli, fit.misfit, verdict)


@dataclass(frozen=True, eq=False)
class _Spread:
    """Errors of whatever follows from the constants.

    The larger of two errors, from the misfit of all rows and from that of each, propagated linearly and joined with the
    fits at each size alone.
    """

    fit: _Fit
    alone: NDArray[np.float64]
    confidence: float

    def bounds(
        self, quantity: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        centre = self.fit.coefficients
        value = quantity(centre)
        step = 1e-5 * float(np.abs(centre).max())
        unit = step * np.eye(len(centre))
        slopes = np.array([(quantity(centre + each) - quantity(centre - each)) / (2 * step) for each in unit])
        variances = np.einsum("ki,vkl,li->vi", slopes, self.fit.covariances, slopes)
        errors = np.sqrt(variances.max(axis=0).clip(0.0))
        half = -float(stdtrit(self.fit.dof, 0.5 * (1 - self.confidence))) * errors
        others = np.array([quantity(each) for each in self.alone])
        return value, np.fmin(value - half, np.fmin.reduce(others)), np.fmax(value + half, np.fmax.reduce(others))

    def intervals(self, quantity: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[Interval, ...]:
        bounds = zip(*self.bounds(quantity), strict=True)
        return tuple(Interval(float(v), float(low), float(high), self.confidence, _METHOD) for v, low, high in bounds)


def _moduli(stiffness: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        found = elastic_moduli(stiffness)
    except InputError:  # at one size of the strain alone; the verdict on the eigenvalues says so
        return np.full(len(_MODULI), np.nan)
    return np.array([getattr(found, name) for name in _MODULI])


def _judged(eigenvalues: tuple[Interval, ...], misfit: float) -> Verdict:
    verdict = Verdict()
    listed = ", ".join(f"{each.value:.4g}" for each in eigenvalues)
    if eigenvalues[0].value is None or eigenvalues[0].value <= 0:
        verdict = verdict.refuse(f"not stable (Born): eigenvalues of the stiffness {listed} GPa, expected all positive")
    elif eigenvalues[0].low <= 0:
        verdict = verdict.weaken(
            f"perhaps not stable (Born): the smallest eigenvalue of the stiffness is {eigenvalues[0].value:.4g} "
            f"[{eigenvalues[0].low:.4g}, {eigenvalues[0].high:.4g}] GPa"
        )
    if misfit > _LARGE_MISFIT:
        verdict = verdict.weaken(
            f"the stresses miss the fit by {misfit:.1%} of their size: kinks of the energy, a wrong virial, or strains "
            "that are too large"
        )
    return verdict


def _design(basis: NDArray[np.float64], strains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Mandel stresses (n·6, n_constants) that each independent constant alone would cause."""
    return np.asarray(np.einsum("kij,nj->nik", basis, strains / MANDEL)).reshape(-1, len(basis))


def _least_squares(strains: NDArray[np.float64], halves: NDArray[np.float64], basis: NDArray[np.float64]) -> _Fit:
    matrix, observed = _design(basis, strains), (halves * MANDEL).ravel()
    if np.linalg.matrix_rank(matrix, tol=_DETERMINED * float(np.abs(strains).max())) < len(basis):
        raise InputError(f"found strains that do not determine all {len(basis)} constants, expected more modes")
    inverse = np.linalg.pinv(matrix)
    solved = inverse @ observed
    misfit = observed - matrix @ solved
    # What symmetry makes zero tells nothing of the error: only rows with leverage count.
    leverage = np.einsum("ij,ji->i", matrix, inverse)
    informs = leverage > 1e-9
    dof = max(1, int(informs.sum()) - len(basis))
    pooled = float((misfit[informs] ** 2).sum()) / dof * inverse @ inverse.T
    own = (inverse * (misfit / np.maximum(1 - leverage, 0.1)) ** 2) @ inverse.T  # each row with its own misfit (HC3)
    size = float(np.sqrt((observed**2).mean()))
    return _Fit(solved, np.array([pooled, own]), dof, float(np.sqrt((misfit**2).mean())) / size if size > 0 else 0.0)


def _checked(strains: ArrayLike, stresses: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    strain, stress = np.asarray(strains, dtype=np.float64), np.asarray(stresses, dtype=np.float64)
    if strain.ndim != 2 or strain.shape[1] != 6 or stress.shape != (len(strain), 2, 6):
        raise InputError(f"found strains {strain.shape} and stresses {stress.shape}, expected (n, 6) and (n, 2, 6)")
    if not (np.isfinite(strain).all() and np.isfinite(stress).all()):
        raise InputError("found strains or stresses that are not finite: leave out what did not converge")
    return strain, 0.5 * (stress[:, 0] - stress[:, 1])
