"""Onsager matrix and transference numbers of several charged species, from one low-frequency cross-spectrum.

    G_ab = lim d⟨ΔR_a·ΔR_b⟩/(2 d dt),    R_a = Σ_{i in a} r_i,    L_ab = G_ab / (V k_B T)
    σ = e² Σ_ab z_a z_b L_ab,    t_a = z_a Σ_b z_b L_ab / Σ_cd z_c z_d L_cd

2 G is the zero-frequency density matrix of the increments ΔR/Δt. The cutoffs and orders of `spectrum` are judged on
every species, every pair sum and difference and the charge current together, and answer with common weights, so that

    Ĝ_ab = Σ_k w_k Re Ī_ab(f_k)

with one kernel w for all pairs: the matrix is symmetric (reciprocity), what vanishes for the coordinates vanishes in
the matrix (Σ_b M_b L_ab = 0 in the barycentric frame), and σ is a spectral estimate of the charge current. With
independent ordinates Ĝ is a Wishart variable of ν = 2/Σ_k w_k²/κ_k degrees of freedom; intervals are quantiles over
matrices drawn with the prior that makes every Σ c_a c_b G_ab exactly scaled χ²_ν.

Transference numbers depend on the reference frame: it is part of the result.

References
----------
10.1002/aic.17091 (Onsager transport framework); 10.1214/07-AOS501 (matching priors of covariance matrices).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.results import Estimate, Interval, Quality, Verdict
from mlip_sse.analysis.transport.charge.periodogram import Ordinates, cross_periodogram, periodogram
from mlip_sse.analysis.transport.charge.spectrum import (
    Candidates,
    candidate_moments,
    candidate_weights,
    fit_candidates,
    intercept_kernel,
)
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K, conductivity_ms_cm

__all__ = ["OnsagerMatrix", "onsager_matrix"]

Array = NDArray[np.float64]

_N_DRAWS = 4000
_SEED = 20240229  # fixed: the same data give the same interval
_MIN_DOF_PER_SPECIES = 4
_AT_REST = 1e-10


@dataclass(frozen=True)
class OnsagerMatrix:
    """Onsager coefficients, transference numbers and conductivity, with intervals.

    Parameters
    ----------
    species
        Names, in the order of all arrays.
    charges
        Charge of each species in e.
    reference_frame
        What is at rest, for example ``framework:…`` or ``barycentric``.
    onsager_per_ev_angstrom_fs : rows of intervals
        L_ab in 1/(eV Å fs); signed off the diagonal.
    distinct_per_ev_angstrom_fs : rows of intervals
        L_ab minus the self part N_a D_a/(V k_B T) on the diagonal; None where no self part was given.
    transference_numbers
        t_a; they sum to 1.
    conductivity_ms_cm
        Total conductivity.
    collective_rates_a2_per_fs : (n_species, n_species) Å²/fs
        G_ab.
    degrees_of_freedom
        ν of the Wishart distribution.
    """

    species: tuple[str, ...]
    charges: tuple[float, ...]
    reference_frame: str
    verdict: Verdict
    onsager_per_ev_angstrom_fs: tuple[tuple[Interval, ...], ...] = ()
    distinct_per_ev_angstrom_fs: tuple[tuple[Interval | None, ...], ...] = ()
    transference_numbers: tuple[Interval, ...] = ()
    conductivity_ms_cm: Interval | None = None
    collective_rates_a2_per_fs: tuple[tuple[float, ...], ...] = ()
    degrees_of_freedom: float = 0.0
    n_ordinates: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return every field, pairs named ``a-b``."""

        def pairs(rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
            named = (
                (f"{a}-{b}", i, j) for i, a in enumerate(self.species) for j, b in enumerate(self.species) if i <= j
            )
            return {name: rows[i][j] for name, i, j in named} if rows else {}

        return {
            "reference_frame": self.reference_frame,
            "charges_e": dict(zip(self.species, self.charges, strict=True)),
            "onsager_per_ev_angstrom_fs": pairs(self.onsager_per_ev_angstrom_fs),
            "distinct_per_ev_angstrom_fs": pairs(self.distinct_per_ev_angstrom_fs),
            "transference_numbers": dict(zip(self.species, self.transference_numbers, strict=False)),
            "conductivity_ms_cm": self.conductivity_ms_cm,
            "degrees_of_freedom": self.degrees_of_freedom,
            "n_ordinates": self.n_ordinates,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


def onsager_matrix(
    displacements: ArrayLike,
    species: Sequence[str],
    charges: Sequence[float],
    spacing_fs: float,
    volume: float,
    temperature_k: float,
    reference_frame: str,
    self_rates_a2_per_fs: Mapping[str, Estimate] | None = None,
    confidence: float = 0.95,
) -> OnsagerMatrix:
    """Estimate the Onsager matrix from species-summed coordinates.

    Parameters
    ----------
    displacements : (n_species, n_frames, d) Å
        R_a(t) = Σ_{i in a} r_i(t), unwrapped, reference drift removed from every ion.
    species, charges : (n_species,)
        Names, and charges in e.
    spacing_fs
        Time between frames in fs.
    volume
        Mean cell volume in Å³.
    temperature_k
        Temperature in K.
    reference_frame
        Stated in the result.
    self_rates_a2_per_fs
        N_a D_a in Å²/fs by species, for the distinct parts on the diagonal; taken as independent of G.

    Raises
    ------
    InputError
        When shapes do not fit, all charges vanish, or the coordinates are not finite.
    """
    positions = np.asarray(displacements, dtype=np.float64)
    z = np.asarray(charges, dtype=np.float64)
    _check(positions, species, z)
    stated = (tuple(species), tuple(map(float, z)), reference_frame)
    steps = np.diff(positions, axis=1) / spacing_fs
    scales = (steps**2).mean(axis=(1, 2))
    if frozen := _at_rest(steps, species, z, scales):
        return OnsagerMatrix(*stated, Verdict().refuse(frozen))
    ordinates = periodogram(_judged_series(steps, z, scales), spacing_fs)
    candidates = fit_candidates(ordinates)
    if not candidates.accepted.all(axis=1).any():
        reason = "the run is too short, or no smooth spectrum describes all species at low frequency"
        return OnsagerMatrix(*stated, Verdict().refuse(reason))
    kernel, variance, n_ordinates = _common_kernel(ordinates, candidates)
    rates = 0.5 * np.einsum("k,abk->ab", kernel, cross_periodogram(steps, spacing_fs, ordinates.edges))
    dof = 2.0 / variance
    factor = _positive_factor(rates, scales)
    verdict = _judge(rates, factor, dof, z)
    if verdict.quality is Quality.REFUSED:
        return OnsagerMatrix(*stated, verdict, degrees_of_freedom=dof, n_ordinates=n_ordinates)
    sample = _Sample(rates, _draw(factor, dof), dof, confidence)
    per_ev = 1.0 / (volume * BOLTZMANN_EV_PER_K * temperature_k)
    n = range(len(z))
    conductivity = sample.combination(z).scaled(conductivity_ms_cm(1.0, volume, temperature_k))
    return OnsagerMatrix(
        *stated,
        verdict,
        onsager_per_ev_angstrom_fs=tuple(tuple(sample.element(a, b).scaled(per_ev) for b in n) for a in n),
        distinct_per_ev_angstrom_fs=_distinct(sample, species, self_rates_a2_per_fs or {}, per_ev),
        transference_numbers=tuple(sample.transference(a, z) for a in n),
        conductivity_ms_cm=conductivity.interval(confidence),
        collective_rates_a2_per_fs=tuple(tuple(float(x) for x in row) for row in rates),
        degrees_of_freedom=dof,
        n_ordinates=n_ordinates,
    )


@dataclass(frozen=True, eq=False)
class _Sample:
    """The estimated matrix and matrices drawn around it, (n_draws, n_species, n_species)."""

    rates: Array
    draws: Array
    dof: float
    confidence: float

    @property
    def method(self) -> str:
        return f"zero-frequency cross-spectrum, Wishart with {self.dof:.0f} degrees of freedom"

    def interval(self, value: float, sample: Array) -> Interval:
        low, high = np.quantile(sample, [0.5 - self.confidence / 2, 0.5 + self.confidence / 2])
        return Interval(float(value), float(low), float(high), self.confidence, self.method)

    def element(self, a: int, b: int) -> Interval:
        return self.interval(self.rates[a, b], self.draws[:, a, b])

    def combination(self, c: Array) -> Estimate:
        return Estimate(float(c @ self.rates @ c), 2.0 / self.dof, method=self.method)

    def transference(self, a: int, z: Array) -> Interval:
        drawn = z * (self.draws @ z)
        return self.interval(z[a] * (self.rates @ z)[a] / (z @ self.rates @ z), drawn[:, a] / drawn.sum(axis=1))


def _distinct(
    sample: _Sample, species: Sequence[str], self_rates: Mapping[str, Estimate], unit: float
) -> tuple[tuple[Interval | None, ...], ...]:
    def one(a: int, b: int) -> Interval | None:
        if a != b:
            return sample.element(a, b).scaled(unit)
        own = self_rates.get(species[a])
        if own is None:
            return None
        nu = 2.0 / max(own.relative_variance, 1e-12)
        drawn = own.value * nu / np.random.default_rng(_SEED + 1 + a).chisquare(nu, len(sample.draws))
        return sample.interval(sample.rates[a, a] - own.value, sample.draws[:, a, a] - drawn).scaled(unit)

    return tuple(tuple(one(a, b) for b in range(len(species))) for a in range(len(species)))


def _check(positions: Array, species: Sequence[str], z: Array) -> None:
    if positions.ndim != 3 or len(positions) != len(species) or z.shape != (len(species),):
        raise InputError(
            f"displacements {positions.shape}, {len(species)} species and {z.size} charges do not fit; "
            "expected (n_species, n_frames, d)"
        )
    if not z.any():
        raise InputError("all charges are zero; an Onsager matrix needs charged species")
    if not np.isfinite(positions).all():
        raise InputError("the displacements hold NaN or infinite values")


def _at_rest(steps: Array, species: Sequence[str], z: Array, scales: Array) -> str | None:
    if not (scales > 0).all():
        return f"{species[int(np.argmin(scales))]} does not move; leave it out of the Onsager matrix"
    if (np.einsum("a,atd->td", z, steps) ** 2).mean() <= _AT_REST * (z**2 @ scales):
        return "the charge current vanishes in this reference frame; use the framework frame"
    return None


def _judged_series(steps: Array, z: Array, scales: Array) -> Array:
    """Return the series by which a cutoff is judged, each of unit variance.

    The charge current comes first, then every species, pair sum and difference; those that the reference frame holds at
    rest (a combination of zero variance) carry no noise and are left out.
    """
    unit = steps / np.sqrt(scales)[:, None, None]
    current = np.einsum("a,atd->td", z, steps) / np.sqrt(z**2 @ scales)
    mixed = [unit[a] + sign * unit[b] for a, b in itertools.combinations(range(len(z)), 2) for sign in (1.0, -1.0)]
    return np.stack([s / np.sqrt((s**2).mean()) for s in (current, *unit, *mixed) if (s**2).mean() > _AT_REST])


def _common_kernel(ordinates: Ordinates, candidates: Candidates) -> tuple[Array, float, float]:
    """Return the kernel over bins, the relative variance of a diagonal element, and the mean number of ordinates.

    The spectra are whitened by the fit of the first series (the charge current), for which the kernel then returns the
    maximum-likelihood value itself.
    """
    n_series = candidates.misfits.shape[1]
    common = Candidates(
        candidates.orders,
        candidates.sizes,
        candidates.variances,
        candidates.log_values,
        np.repeat(candidates.misfits.max(axis=1, keepdims=True), n_series, axis=1),
        np.repeat(candidates.accepted.all(axis=1, keepdims=True), n_series, axis=1),
    )
    weights = candidate_weights(common)
    kernel, flat = np.zeros(len(ordinates.shapes)), np.zeros(len(ordinates.shapes))
    for weight, order, size in zip(weights[:, 0], common.orders, common.sizes, strict=True):
        if weight > 1e-6:
            row, shape = intercept_kernel(ordinates, 0, int(order), int(size))
            kernel[:size] += weight * row / shape
            flat[:size] += weight * row
    excess = float(candidate_moments(common, weights)[2].mean())
    variance = float((flat**2 / ordinates.shapes).sum()) + max(0.0, excess)
    return kernel, variance, float(weights[:, 0] @ ordinates.edges[common.sizes])


def _positive_factor(rates: Array, scales: Array) -> Array:
    """Return A with A Aᵀ = the positive part of G, (n_species, rank)."""
    unit = np.sqrt(scales)
    eigenvalues, vectors = np.linalg.eigh(rates / np.outer(unit, unit))
    keep = eigenvalues > 1e-9 * eigenvalues.max()
    factor: Array = unit[:, None] * vectors[:, keep] * np.sqrt(eigenvalues[keep])
    return factor


def _judge(rates: Array, factor: Array, dof: float, z: Array) -> Verdict:
    rank = factor.shape[1]
    if z @ rates @ z <= 0:
        return Verdict().refuse("the conductivity is not positive within the noise: run longer")
    if dof <= rank:
        return Verdict().refuse(f"{dof:.1f} degrees of freedom for {rank} species: run longer")
    verdict = Verdict()
    if dof < _MIN_DOF_PER_SPECIES * rank:
        verdict = verdict.weaken(f"only {dof:.0f} degrees of freedom for {rank} independent species: run longer")
    lost = float(np.abs(factor @ factor.T - rates).max() / np.abs(rates).max())
    if lost > 1e-6:
        verdict = verdict.weaken(f"the matrix is not positive within the noise ({lost:.1%} was cut off)")
    return verdict


def _draw(factor: Array, dof: float) -> Array:
    """Draw matrices G = ν A W⁻¹ Aᵀ, W a Wishart of ν + rank - 1 degrees of freedom (Bartlett), (n_draws, n, n).

    Every c·G·c is then Ĝ_cc ν/χ²_ν.
    """
    rng, rank = np.random.default_rng(_SEED), factor.shape[1]
    lower = np.zeros((_N_DRAWS, rank, rank))
    for i in range(rank):
        lower[:, i, i] = np.sqrt(rng.chisquare(dof + rank - 1 - i, _N_DRAWS))
        lower[:, i, :i] = rng.standard_normal((_N_DRAWS, i))
    # W = T Tᵀ, W⁻¹ = T⁻ᵀ T⁻¹
    half = np.linalg.solve(lower, np.broadcast_to(factor.T, (_N_DRAWS, rank, len(factor))))
    draws: Array = dof * half.transpose(0, 2, 1) @ half
    return draws
