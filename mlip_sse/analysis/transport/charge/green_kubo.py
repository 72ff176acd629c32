"""Conductivity from the current of the ions, and the agreement of estimators.

    σ = 1/(3 V k_B T) ∫_0^∞ ⟨J(0)·J(t)⟩ dt = S_J(0) / (2 V k_B T),    J = e Σ_i z_i (v_i - v_framework)

S_J(0) is the two-sided zero-frequency density, mean over the three components, from `spectrum`; the running integral
with its plateau and a block error stands beside it as a check. With Q(t) = Σ_i z_i r_i(t) the same spectrum of the
increments ΔQ/Δt gives d⟨|ΔQ|²⟩/(2 d dt) = S(0)/2 without velocities.

Currents of a run with a Langevin thermostat are damped by it, and a trajectory does not say which thermostat made it:
use Green-Kubo on NVE, Nosé-Hoover or Bussi runs only.

References
----------
10.1143/JPSJ.12.570 (Kubo); 10.1038/s41567-019-0562-0 (integer charges suffice).
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from mlip_sse.analysis.results import Estimate, Verdict
from mlip_sse.analysis.transport.charge.spectrum import SpectralDensity, zero_frequency_density
from mlip_sse.errors import InputError
from mlip_sse.units import conductivity_ms_cm

__all__ = [
    "Agreement",
    "GreenKuboConductivity",
    "RunningIntegral",
    "agreement",
    "charge_current",
    "collective_spectrum_diffusivity",
    "green_kubo_conductivity",
    "running_integral",
]

Array = NDArray[np.float64]

_BLOCK_BYTES = 32 << 20
"""Of velocities that are held as float64 at a time."""

_N_BLOCKS = 10
"""Of the running integral: nine degrees of freedom for its error, and lags of up to a twentieth of the run."""

_ALIASING_WEAK, _ALIASING_REFUSED = 0.2, 1.0
"""S(Nyquist)/S(0): too wide a spacing folds power onto the band, as much as the answer where the ratio is one."""


@dataclass(frozen=True, eq=False)
class RunningIntegral:
    """∫_0^t ⟨x(0)·x(t')⟩ dt'/d against t, with block errors and its plateau.

    Parameters
    ----------
    times_fs : (n_lags,) fs
    values, errors : (n_lags,) unit of the series squared times fs; errors from blocks of the run
    plateau
        Mean over [t_p, 2 t_p], with t_p twice the first time after which doubling the time changes nothing; or None.
    plateau_start_fs
        t_p in fs.
    """

    times_fs: Array
    values: Array
    errors: Array
    plateau: Estimate | None
    plateau_start_fs: float | None

    def scaled(self, factor: float) -> "RunningIntegral":
        """Return the same integral in another unit (``factor`` > 0)."""
        plateau = None if self.plateau is None else self.plateau.scaled(factor)
        return RunningIntegral(
            self.times_fs, self.values * factor, self.errors * factor, plateau, self.plateau_start_fs
        )


@dataclass(frozen=True, eq=False)
class GreenKuboConductivity:
    """Conductivity from a current: the spectral estimate, the running integral as a check, and the verdict.

    Parameters
    ----------
    conductivity_ms_cm
        From the low-frequency spectrum, mS/cm.
    running_ms_cm
        Running integral in mS/cm.
    nyquist_ratio
        S(Nyquist)/S(0) of the current: how much power the stored spacing may fold onto zero frequency.
    n_ordinates, cutoff_frequency_per_fs
        Of the spectral estimate; see `SpectralDensity`.
    verdict
        Quality and reasons.
    """

    conductivity_ms_cm: Estimate | None
    running_ms_cm: RunningIntegral
    nyquist_ratio: float
    n_ordinates: float
    cutoff_frequency_per_fs: float
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return intervals, the plateau and the verdict."""
        plateau = self.running_ms_cm.plateau
        return {
            "conductivity_ms_cm": None if self.conductivity_ms_cm is None else self.conductivity_ms_cm.interval(),
            "plateau_conductivity_ms_cm": None if plateau is None else plateau.interval(),
            "plateau_start_fs": self.running_ms_cm.plateau_start_fs,
            "nyquist_ratio": self.nyquist_ratio,
            "n_ordinates": self.n_ordinates,
            "cutoff_frequency_per_fs": self.cutoff_frequency_per_fs,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


@dataclass(frozen=True)
class Agreement:
    """Whether estimates of one quantity agree.

    Parameters
    ----------
    z_scores
        ln(a/b) in units of its standard error, by ``"a / b"``.
    limit
        Largest |z| that passes, two-sided 95 % shared among the pairs.
    correlation
        ρ of the logarithms that was assumed.
    verdict
        Weak where a pair disagrees, with the pair.
    """

    z_scores: Mapping[str, float]
    limit: float
    correlation: float
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return z-scores, limit and verdict."""
        return {
            "z_scores": dict(self.z_scores),
            "limit": self.limit,
            "correlation": self.correlation,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


def charge_current(
    velocities: NDArray[np.floating],
    charges: Array,
    masses: Array | None = None,
    framework: NDArray[np.intp] | None = None,
) -> Array:
    """Return J(t) = Σ_i z_i (v_i - v_F), v_F the centre-of-mass velocity of the framework; streamed over frames.

    Parameters
    ----------
    velocities : (n_frames, n_atoms, 3) Å/fs
    charges : (n_atoms,) e
    masses : (n_atoms,) amu, needed with ``framework``
    framework : (n_framework,) atoms held at rest; without it v_F = 0

    Returns
    -------
    (n_frames, 3) e Å/fs

    Raises
    ------
    InputError
        When shapes do not fit, or a framework is named without masses or is empty.
    """
    if velocities.ndim != 3 or charges.shape != (velocities.shape[1],):
        raise InputError(
            f"found velocities of shape {velocities.shape} and charges of shape {charges.shape}, expected "
            "(n_frames, n_atoms, 3) and (n_atoms,): give one charge for each atom"
        )
    n_frames, n_atoms = velocities.shape[:2]
    weights = np.asarray(charges, dtype=np.float64).copy()
    if framework is not None:
        if masses is None or len(framework) == 0:
            raise InputError("a framework at rest needs its masses and at least one atom; name another reference")
        weights[framework] -= charges.sum() * masses[framework] / masses[framework].sum()
    current = np.empty((n_frames, 3))
    rows = max(1, _BLOCK_BYTES // (8 * 3 * n_atoms))
    for first in range(0, n_frames, rows):
        part = np.asarray(velocities[first : first + rows], dtype=np.float64)
        current[first : first + rows] = np.einsum("a,tad->td", weights, part)
    return current


def green_kubo_conductivity(
    current: ArrayLike, spacing_fs: float, volume: float, temperature_k: float
) -> GreenKuboConductivity:
    """Conductivity of a current.

    Parameters
    ----------
    current : (n_frames, d) e Å/fs, in the framework frame
    spacing_fs
        Time between stored velocities in fs.
    volume
        Mean cell volume in Å³.
    temperature_k
        Temperature in K.
    """
    series = np.asarray(current, dtype=np.float64)
    spectrum = zero_frequency_density(series, spacing_fs)
    unit = conductivity_ms_cm(1.0, volume, temperature_k)
    running = running_integral(series, spacing_fs).scaled(unit)
    verdict, ratio = spectrum.verdict, math.nan
    conductivity = None if spectrum.estimate is None else spectrum.estimate.scaled(0.5 * unit)
    if spectrum.estimate is not None:
        high = spectrum.densities[spectrum.frequencies > 0.45 / spacing_fs]
        ratio = float(high.mean() / spectrum.estimate.value) if high.size else math.nan
        verdict = _judge_aliasing(verdict, ratio, spacing_fs)
        verdict = _judge_plateau(verdict, conductivity, running.plateau)
    if ratio > _ALIASING_REFUSED:
        conductivity = None
    return GreenKuboConductivity(
        conductivity, running, ratio, spectrum.n_ordinates, spectrum.cutoff_frequency_per_fs, verdict
    )


def collective_spectrum_diffusivity(dipole: ArrayLike, spacing_fs: float) -> SpectralDensity:
    """Estimate d⟨|ΔQ|²⟩/(2 d dt) from the spectrum of the increments of a position or dipole.

    Parameters
    ----------
    dipole : (n_frames, d) Å e (or Å), unwrapped, drift removed
    spacing_fs
        Time between frames in fs.

    Returns
    -------
    SpectralDensity
        In e² Å²/fs (or Å²/fs): half the zero-frequency density of ΔQ/Δt.
    """
    positions = np.asarray(dipole, dtype=np.float64)
    if positions.ndim != 2:
        raise InputError(
            f"found a dipole of shape {positions.shape}, expected (n_frames, d): give one row for each frame"
        )
    return zero_frequency_density(np.diff(positions, axis=0) / spacing_fs, spacing_fs).scaled(0.5)


def running_integral(series: ArrayLike, spacing_fs: float) -> RunningIntegral:
    """Integrate the autocorrelation function, averaged over components, in blocks of the run.

    The run is cut in ten blocks; lags reach half a block. Each block gives its own integral (trapezium rule, every time
    origin, divided by the number of origins); mean and standard error follow.

    Parameters
    ----------
    series : (n_frames, d), mean zero by physics
    spacing_fs
        Time between frames in fs.
    """
    values = np.asarray(series, dtype=np.float64)
    n_block = len(values) // _N_BLOCKS
    n_lags = n_block // 2
    if n_lags < 4:
        empty = np.empty(0)
        return RunningIntegral(empty, empty, empty, None, None)
    blocks = values[: n_block * _N_BLOCKS].reshape(_N_BLOCKS, n_block, -1)
    padded = np.fft.rfft(blocks, n=2 * n_block, axis=1)
    origins = n_block - np.arange(n_lags)
    correlation = np.fft.irfft((np.abs(padded) ** 2).mean(axis=2), axis=1)[:, :n_lags] / origins
    steps = 0.5 * spacing_fs * (correlation[:, 1:] + correlation[:, :-1])
    integrals = np.concatenate([np.zeros((_N_BLOCKS, 1)), np.cumsum(steps, axis=1)], axis=1)
    start = _plateau_start(integrals)
    plateau = None
    if start is not None:
        means = integrals[:, start : 2 * start + 1].mean(axis=1)
        value, variance = float(means.mean()), float(means.var(ddof=1)) / _N_BLOCKS
        if value > 0:
            method = f"plateau of the running integral, {_N_BLOCKS} blocks"
            plateau = Estimate(value, variance / value**2, dof=_N_BLOCKS - 1, method=method)
    return RunningIntegral(
        times_fs=np.arange(n_lags, dtype=np.float64) * spacing_fs,
        values=integrals.mean(axis=0),
        errors=integrals.std(axis=0, ddof=1) / _N_BLOCKS**0.5,
        plateau=plateau,
        plateau_start_fs=None if plateau is None or start is None else start * spacing_fs,
    )


def agreement(estimates: Mapping[str, Estimate], correlation: float = 0.0) -> Agreement:
    """Compare estimates of one quantity pairwise: z = ln(a/b)/√(v_a + v_b - 2ρ√(v_a v_b)).

    Estimates from the same trajectory are positively correlated by an unknown ρ, so that the true error of their
    difference is smaller than ρ = 0 says. With the default ρ = 0 a disagreement is therefore certain at least to the
    stated level (95 % shared among the pairs), while a mild one can pass; a caller who knows ρ gives it.

    Parameters
    ----------
    estimates
        By name, all of one quantity in one unit.
    correlation
        ρ of the logarithms, 0 ≤ ρ < 1.

    Raises
    ------
    InputError
        With fewer than two estimates, or ρ out of range.
    """
    if len(estimates) < 2:
        raise InputError(f"an agreement test needs at least two estimates, found {len(estimates)}")
    if not 0 <= correlation < 1:
        raise InputError(f"correlation must lie in [0, 1), found {correlation!r}")
    pairs = list(itertools.combinations(estimates.items(), 2))
    limit = float(ndtri(1 - 0.025 / len(pairs)))
    z_scores, verdict = {}, Verdict()
    for (name_a, a), (name_b, b) in pairs:
        u, v = a.log_variance, b.log_variance
        error = math.sqrt(max(u + v - 2 * correlation * math.sqrt(u * v), 1e-24))
        z = math.log(a.value / b.value) / error
        z_scores[f"{name_a} / {name_b}"] = z
        if abs(z) > limit:
            factor = a.value / b.value
            verdict = verdict.weaken(
                f"{name_a} and {name_b} disagree: factor {factor:.2f}, {abs(z):.1f} standard errors"
            )
    return Agreement(z_scores, limit, correlation, verdict)


def _plateau_start(integrals: Array) -> int | None:
    """Return 2t, t the first lag of a grid where I(2s) - I(s) is within two block errors for s = t, 1.4 t and 2 t."""
    n_blocks, n_lags = integrals.shape
    grid = np.unique(np.geomspace(2, n_lags / 4, 40).astype(np.intp)) if n_lags >= 8 else np.empty(0, dtype=np.intp)
    for t in grid:
        flat = True
        for s in {int(t), int(1.4 * t), min(int(2 * t), (n_lags - 1) // 2)}:
            change = integrals[:, 2 * s] - integrals[:, s]
            flat &= bool(abs(change.mean()) < 2 * change.std(ddof=1) / n_blocks**0.5)
        if flat:
            return int(min(2 * t, (n_lags - 1) // 2))  # doubled: noise lets an early time pass that is a little low
    return None


def _judge_aliasing(verdict: Verdict, ratio: float, spacing_fs: float) -> Verdict:
    reason = (
        f"velocities every {spacing_fs:g} fs are too coarse: S(Nyquist) is {ratio:.2g} of S(0) and folds onto it; "
        "store them every 2-5 fs or use positions"
    )
    if ratio > _ALIASING_REFUSED:
        return verdict.refuse(reason)
    return verdict.weaken(reason) if ratio > _ALIASING_WEAK else verdict


def _judge_plateau(verdict: Verdict, conductivity: Estimate | None, plateau: Estimate | None) -> Verdict:
    if conductivity is None:
        return verdict
    if plateau is None:
        return verdict.weaken("the running integral has no plateau within a twentieth of the run")
    found = agreement({"spectrum": conductivity, "running integral": plateau}).verdict
    return verdict.weaken(found.reasons[0]) if found.reasons else verdict
