"""Activation energy and attempt frequency of a hop class from its counts at several temperatures.

    N_m ~ Poisson(k_m τ_m),    ln k_m = ln ν - E_a / (k_B T_m)

is fitted by maximum likelihood, so that a temperature with three hops, or with none, counts for what it is; intervals
are those of the profile likelihood (the twofold drop of ln L equals the χ²_1 quantile). Where the counts scatter more
than Poisson's around the line (deviance per degree of freedom φ > 1), the drop is scaled by φ.

References
----------
P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed. (Chapman & Hall, 1989), ch. 6
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtri, xlogy

from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["HopActivation", "hop_activation"]

_PER_FS_TO_THZ = 1e3


@dataclass(frozen=True)
class HopActivation:
    """Arrhenius law of a hop class.

    Parameters
    ----------
    activation_energy_ev
        E_a in eV.
    attempt_frequency_thz
        ν in THz; degeneracy of equal hops from one site is contained.
    dispersion
        Deviance per degree of freedom; 1 for two temperatures, which leave none.
    n_temperatures
        How many temperatures entered.
    """

    activation_energy_ev: Interval
    attempt_frequency_thz: Interval
    dispersion: float
    n_temperatures: int


def hop_activation(
    temperatures_k: Sequence[float] | NDArray[np.float64],
    counts: Sequence[int] | NDArray[np.int64],
    times_fs: Sequence[float] | NDArray[np.float64],
    confidence: float = 0.95,
    least_dispersion: float = 1.0,
) -> HopActivation:
    """Fit the counts of one hop class.

    Parameters
    ----------
    temperatures_k : (n,) K
    counts : (n,) jumps
    times_fs : (n,) time on the sites of departure, fs
    confidence
        Of the intervals.
    least_dispersion
        Variance over mean of the counts where time blocks show it, at least 1; the deviance may show more.

    Raises
    ------
    InputError
        When there are fewer than two temperatures, or hops at fewer than two.
    """
    temperature = np.asarray(temperatures_k, dtype=np.float64)
    n, time = np.asarray(counts, dtype=np.float64), np.asarray(times_fs, dtype=np.float64)
    used = time > 0
    temperature, n, time = temperature[used], n[used], time[used]
    if len(np.unique(temperature)) < 2 or len(np.unique(temperature[n > 0])) < 2:
        raise InputError(
            f"hops were counted at {len(np.unique(temperature[n > 0]))} temperatures, expected at least two: an "
            "activation energy needs hops at different temperatures"
        )
    x = -1.0 / (BOLTZMANN_EV_PER_K * temperature)
    energy = _root(lambda e: _score(e, x, n, time), _guess(x, n, time))
    log_nu = _log_nu(energy, x, n, time)
    top = _log_likelihood(log_nu, energy, x, n, time)
    full = float((xlogy(n, np.where(n > 0, n, 1.0)) - n).sum() - xlogy(n, time).sum())
    dof = len(n) - 2
    dispersion = max(least_dispersion, 2 * (full - top) / dof if dof > 0 else 1.0)
    drop = 0.5 * float(chdtri(1, 1 - confidence)) * dispersion

    def of_energy(e: float) -> float:
        return top - drop - _log_likelihood(_log_nu(e, x, n, time), e, x, n, time)

    def of_nu(value: float) -> float:
        e = _root(lambda trial: _slope_at(value, trial, x, n, time), energy)
        return top - drop - _log_likelihood(value, e, x, n, time)

    method = "Poisson likelihood, profile interval"
    low, high = _edges(of_energy, energy, 0.02)
    low_nu, high_nu = _edges(of_nu, log_nu, 0.5)
    scale = _PER_FS_TO_THZ
    return HopActivation(
        Interval(energy, low, high, confidence, method),
        Interval(math.exp(log_nu) * scale, math.exp(low_nu) * scale, math.exp(high_nu) * scale, confidence, method),
        dispersion,
        len(np.unique(temperature)),
    )


Array = NDArray[np.float64]


def _log_nu(energy: float, x: Array, n: Array, time: Array) -> float:
    """Return ln ν that is most likely at an energy: total counts are met exactly."""
    exponent = energy * x
    shift = float(exponent.max())
    return math.log(float(n.sum())) - shift - math.log(float((time * np.exp(exponent - shift)).sum()))


def _log_likelihood(log_nu: float, energy: float, x: Array, n: Array, time: Array) -> float:
    log_rate = log_nu + energy * x
    return float((n * log_rate - time * np.exp(log_rate)).sum())


def _score(energy: float, x: Array, n: Array, time: Array) -> float:
    """Return d ln L / dE along the profile; it falls with the energy."""
    return _slope_at(_log_nu(energy, x, n, time), energy, x, n, time)


def _slope_at(log_nu: float, energy: float, x: Array, n: Array, time: Array) -> float:
    return float((x * (n - time * np.exp(np.minimum(log_nu + energy * x, 700.0)))).sum())


def _guess(x: Array, n: Array, time: Array) -> float:
    rate = np.log((n + 0.5) / time)
    weight = n + 0.5
    centred = x - np.average(x, weights=weight)
    return float((weight * centred * rate).sum() / (weight * centred**2).sum())


def _root(function: Callable[[float], float], start: float) -> float:
    """Return the zero of a function of one sign change near ``start``."""
    at = function(start)
    if at == 0:
        return start
    step = 0.05
    for _ in range(60):
        for end in (start - step, start + step):
            if function(end) * at < 0:
                return float(brentq(function, min(start, end), max(start, end), xtol=1e-12))
        step *= 1.6
    raise InputError("the counts do not determine an activation energy: hops at more, or more different, temperatures")


def _edges(function: Callable[[float], float], value: float, step: float) -> tuple[float, float]:
    """Return where a function that is negative at ``value`` turns positive on both sides."""
    found = []
    for sign in (-1.0, 1.0):
        reach = step
        while function(value + sign * reach) < 0 and reach < 1e4:
            reach *= 2
        inside, outside = value, value + sign * reach
        found.append(float(brentq(function, min(inside, outside), max(inside, outside), xtol=1e-10)))
    return found[0], found[1]
