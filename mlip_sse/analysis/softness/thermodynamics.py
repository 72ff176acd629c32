"""What softness does to the barrier: ΔE(S) and Σ(S) of P_R(S, T), and the onset temperature.

    ln P_R = Σ(S) − ΔE(S)/k_B T,   ΔE = e0 − e1 S,   Σ = Σ0 − Σ1 S,   T0 = e1/(k_B Σ1)

holds where hops are rare. A window can hold more than one, so the fit is made for the expected number of hops,
−ln(1 − P_R): a binomial model with complementary log-log link, which is ln P_R for small P_R and does not flatten at
high temperature. A softness that vibrates, or a barrier that is no straight line in S, flattens e1; ranges of softness
are therefore fitted by themselves as well. Intervals are from a bootstrap over ions at each temperature.

References
----------
Schoenholz et al., 10.1038/nphys3644.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.softness.cloglog import dispersion, fit_cloglog
from mlip_sse.analysis.softness.hop_probability import (
    BinnedHops,
    HopWindows,
    bin_hops,
    probabilities,
    softness_edges,
)
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["HopThermodynamics", "SoftnessRange", "fit_thermodynamics"]

_MIN_HOPS = 20
"""At a temperature, or in a range over all of them: a count known to about a fifth."""

_MIN_HOPS_AT_ONE = 3
"""In a range, for its temperature to take part in the fit of that range alone."""

_FINE_BINS = 24
"""Of softness, behind every fit: thirds, and 2, 3, 4, 6, 8 or 12 ranges, are made of whole ones."""

_LARGE_DISPERSION = 2.0
"""χ²/dof of the straight lines above which they are said not to be straight."""


@dataclass(frozen=True)
class SoftnessRange:
    """Ions of one range of softness.

    Parameters
    ----------
    low, high, softness
        Edges, infinite at the ends, and mean softness.
    energy_ev
        ΔE from this range alone; None with too few hops.
    probability
        P_R at each temperature.
    windows, hops
        Counts at each temperature.
    """

    low: float
    high: float
    softness: float
    energy_ev: Interval | None
    probability: tuple[Interval | None, ...]
    windows: tuple[int, ...]
    hops: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class HopThermodynamics:
    """Barriers and prefactors against softness.

    Parameters
    ----------
    temperatures_k : (n_temperatures,)
    energy_ev, energy_slope_ev
        e0 and e1: the barrier of ions of softness zero, and how much it falls with one unit of softness.
    prefactor, prefactor_slope
        Σ0 and Σ1, for windows of ``window_ps``.
    onset_k
        T0, above which softness says nothing; None where e1 or Σ1 is not resolved, or their signs differ.
    barrier_difference_ev
        ΔE of the softest third less that of the hardest third of ions, each fitted by itself; None with too few hops.
    dispersion
        Pearson's χ² over degrees of freedom of the straight lines ΔE(S) and Σ(S).
    ranges
        P_R and ΔE by range of softness.
    window_ps, confidence
        Of P_R and of the intervals.
    verdict
        Quality and reasons.
    """

    temperatures_k: tuple[float, ...]
    energy_ev: Interval
    energy_slope_ev: Interval
    prefactor: Interval
    prefactor_slope: Interval
    onset_k: Interval | None
    barrier_difference_ev: Interval | None
    dispersion: float
    ranges: tuple[SoftnessRange, ...]
    window_ps: float
    confidence: float
    verdict: Verdict


def fit_thermodynamics(
    series: Sequence[HopWindows], window_ps: float, confidence: float, seed: int, n_ranges: int = 6, n_draws: int = 400
) -> HopThermodynamics:
    """Fit P_R(S, T) of at least two temperatures with one softness.

    Parameters
    ----------
    series
        Windows at each temperature, softness by one and the same classifier.
    window_ps
        t_R in ps.
    n_ranges
        Ranges of softness that are shown, a divisor of 24.

    Raises
    ------
    InputError
        With fewer than two temperatures, or fewer than 20 hops at one.
    """
    _check(series, n_ranges)
    inverse = np.array([1.0 / (BOLTZMANN_EV_PER_K * float(w.temperature_k or math.nan)) for w in series])
    edges = softness_edges(series, _FINE_BINS)
    ions = _Resampled([bin_hops(windows, edges) for windows in series], inverse, confidence, seed, n_draws)
    design = np.concatenate([_design(part.middles, x) for part, x in zip(ions.parts, inverse, strict=True)])
    windows, hops = (np.concatenate([counts.sum(axis=0) for counts in pair]) for pair in ions.counts)
    best = fit_cloglog(design, windows, hops)
    draws = np.array(
        [
            fit_cloglog(design, np.concatenate(n), np.concatenate(k), best)
            for n, k in zip(ions.drawn_windows, ions.drawn_hops, strict=True)
        ]
    )
    method = f"binomial complementary log-log fit; bootstrap over ions, {n_draws} draws"
    numbers = [ions.interval(best[k], draws[:, k], method) for k in range(4)]
    onset = _onset(numbers[3], numbers[1], draws, confidence)
    spread = dispersion(design, windows, hops, best)
    per_range = _FINE_BINS // n_ranges
    ranges = tuple(_range(ions, edges, slice(k, k + per_range)) for k in range(0, _FINE_BINS, per_range))
    difference = _difference(ions)
    return HopThermodynamics(
        temperatures_k=tuple(float(w.temperature_k or math.nan) for w in series),
        energy_ev=numbers[2],
        energy_slope_ev=numbers[3],
        prefactor=numbers[0],
        prefactor_slope=numbers[1],
        onset_k=onset,
        barrier_difference_ev=difference,
        dispersion=spread,
        ranges=ranges,
        window_ps=window_ps,
        confidence=confidence,
        verdict=_judge(numbers, onset, difference, spread),
    )


class _Resampled:
    """Counts by temperature and fine bin, and the same draws of ions for every fit, so that fits can be compared."""

    def __init__(
        self, parts: Sequence[BinnedHops], inverse: NDArray[np.float64], confidence: float, seed: int, n_draws: int
    ) -> None:
        rng = np.random.default_rng(seed)
        drawn = [part.drawn(rng, n_draws) for part in parts]
        self.parts = parts
        self.inverse = inverse
        self.confidence = confidence
        self.seed = seed
        self.counts = [part.windows for part in parts], [part.hops for part in parts]
        self.drawn_windows = np.stack([windows for windows, _ in drawn], axis=1)
        self.drawn_hops = np.stack([hops for _, hops in drawn], axis=1)

    def interval(self, value: float, draws: NDArray[np.float64], method: str) -> Interval:
        dof = min(len(part.windows) for part in self.parts) - 1
        reach = float(stdtrit(dof, 0.5 * (1 + self.confidence))) * float(np.std(draws, ddof=1))
        return Interval(float(value), float(value) - reach, float(value) + reach, self.confidence, method)

    def barrier(self, columns: slice) -> tuple[float, NDArray[np.float64]] | None:
        """Return ΔE of a range of fine bins and its draws (nan where a draw has too little); None with too few hops."""
        windows, hops = (np.array([part[:, columns].sum() for part in pair]) for pair in self.counts)
        enough = hops >= _MIN_HOPS_AT_ONE
        if len(set(self.inverse[enough])) < 2 or hops[enough].sum() < _MIN_HOPS:
            return None
        design = np.stack([np.ones(int(enough.sum())), -self.inverse[enough]], axis=1)
        best = fit_cloglog(design, windows[enough], hops[enough])
        drawn = np.full(len(self.drawn_windows), math.nan)
        for k, (n, h) in enumerate(zip(self.drawn_windows, self.drawn_hops, strict=True)):
            n_drawn, h_drawn = n[enough][:, columns].sum(axis=1), h[enough][:, columns].sum(axis=1)
            if (h_drawn > 0).all():
                drawn[k] = fit_cloglog(design, n_drawn, h_drawn, best)[1]
        return float(best[1]), drawn


def _check(series: Sequence[HopWindows], n_ranges: int) -> None:
    temperatures = [w.temperature_k for w in series]
    known = sorted({float(kelvin) for kelvin in temperatures if kelvin is not None})
    if None in temperatures or len(known) < 2:
        raise InputError(
            f"found temperatures {known} K of {len(series)} series, expected at least two, all known: say them for "
            "files that do not"
        )
    if _FINE_BINS % n_ranges:
        raise InputError(f"found {n_ranges} ranges of softness, expected a divisor of {_FINE_BINS}")
    for windows in series:
        if windows.hopped.sum() < _MIN_HOPS:
            raise InputError(
                f"found {int(windows.hopped.sum())} hops in {len(windows.hopped)} windows at "
                f"{windows.temperature_k:g} K, expected at least {_MIN_HOPS}; run longer or allow more windows"
            )


def _design(softness: NDArray[np.float64], inverse: float) -> NDArray[np.float64]:
    """Return the columns that Σ0, Σ1, e0 and e1 stand before; an empty bin's softness does not matter."""
    s = np.nan_to_num(softness)
    one = np.ones_like(s)
    return np.stack([one, -s, -inverse * one, inverse * s], axis=1)


def _onset(
    slope: Interval, prefactor_slope: Interval, draws: NDArray[np.float64], confidence: float
) -> Interval | None:
    if slope.value is None or prefactor_slope.value is None:
        return None
    resolved = all(part.low > 0 or part.high < 0 for part in (slope, prefactor_slope))
    if not resolved or slope.value * prefactor_slope.value <= 0:
        return None
    tail = 0.5 * (1 - confidence)
    low, high = np.quantile(draws[:, 3] / (BOLTZMANN_EV_PER_K * draws[:, 1]), [tail, 1 - tail])
    value = slope.value / (BOLTZMANN_EV_PER_K * prefactor_slope.value)
    return Interval(value, float(low), float(high), confidence, "percentiles of the bootstrap over ions")


def _range(ions: _Resampled, edges: NDArray[np.float64], columns: slice) -> SoftnessRange:
    windows, hops = (np.array([part[:, columns].sum() for part in pair]) for pair in ions.counts)
    total = sum(part.softness[:, columns].sum() for part in ions.parts)
    found = ions.barrier(columns)
    energy = None
    if found is not None:
        known = found[1][np.isfinite(found[1])]
        energy = ions.interval(found[0], known, "this range alone; bootstrap over ions")
    return SoftnessRange(
        low=float(edges[columns.start]),
        high=float(edges[columns.stop]),
        softness=float(total / windows.sum()) if windows.sum() else math.nan,
        energy_ev=energy,
        probability=tuple(probabilities(part.merged(columns), ions.confidence, ions.seed)[0] for part in ions.parts),
        windows=tuple(map(int, windows)),
        hops=tuple(map(int, hops)),
    )


def _difference(ions: _Resampled) -> Interval | None:
    third = _FINE_BINS // 3
    hard, soft = ions.barrier(slice(0, third)), ions.barrier(slice(_FINE_BINS - third, _FINE_BINS))
    if hard is None or soft is None:
        return None
    draws = soft[1] - hard[1]
    method = "softest less hardest third of ions, each fitted by itself; bootstrap over ions"
    return ions.interval(soft[0] - hard[0], draws[np.isfinite(draws)], method)


def _judge(numbers: Sequence[Interval], onset: Interval | None, difference: Interval | None, spread: float) -> Verdict:
    verdict = Verdict()
    if onset is None:
        slopes = f"e1 = {_said(numbers[3])} eV, Σ1 = {_said(numbers[1])}"
        verdict = verdict.weaken(f"the onset temperature is not resolved: {slopes}")
    if difference is None:
        verdict = verdict.weaken(
            f"the hardest or softest third of ions has fewer than {_MIN_HOPS} hops at two temperatures: no barrier"
        )
    if spread > _LARGE_DISPERSION:
        verdict = verdict.weaken(
            f"ΔE(S) and Σ(S) are no straight lines in S (χ²/dof = {spread:.2g}): read the ranges and thirds, not e1"
        )
    return verdict


def _said(interval: Interval) -> str:
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
