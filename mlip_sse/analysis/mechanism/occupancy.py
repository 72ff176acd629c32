"""Occupancies of site classes with intervals from time blocks, and where ions are not on any site."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.assignment import Assignment
from mlip_sse.analysis.results import Interval

__all__ = ["ClassOccupancy", "bootstrap_ratio", "class_occupancies"]

_RESAMPLES = 2000


@dataclass(frozen=True)
class ClassOccupancy:
    """How a site class is occupied.

    Parameters
    ----------
    label
        The class.
    n_sites
        Its sites.
    fraction
        Of the assigned ions.
    per_site
        Mean number of ions on a site.
    multiple
        Fraction of the occupied sites' time with two or more ions.
    """

    label: str
    n_sites: int
    fraction: Interval
    per_site: Interval
    multiple: float


def class_occupancies(assignment: Assignment, confidence: float = 0.95, seed: int = 0) -> tuple[ClassOccupancy, ...]:
    """Return the occupancy of each site class.

    Parameters
    ----------
    assignment
        Of `mlip_sse.analysis.mechanism.assignment.assign`.
    confidence
        Of the intervals.
    seed
        Of the bootstrap.
    """
    sites = assignment.sites
    which = np.eye(len(sites.classes))[sites.class_of]
    inside = assignment.inside @ which
    occupied = assignment.occupied.sum(axis=0) @ which
    multiple = assignment.multiple.sum(axis=0) @ which
    found = []
    for k, label in enumerate(sites.classes):
        n_sites = int(which[:, k].sum())
        found.append(
            ClassOccupancy(
                label=label,
                n_sites=n_sites,
                fraction=bootstrap_ratio(inside[:, k], inside.sum(axis=1), confidence, seed),
                per_site=bootstrap_ratio(inside[:, k], assignment.block_frames * float(n_sites), confidence, seed),
                multiple=float(multiple[k] / max(1.0, occupied[k])),
            )
        )
    return tuple(found)


def bootstrap_ratio(
    numerators: NDArray[Any], denominators: NDArray[Any], confidence: float = 0.95, seed: int = 0, ordered: bool = True
) -> Interval:
    """Return Σ numerators / Σ denominators with a moving-block bootstrap interval over time blocks.

    Runs of consecutive blocks are drawn, as long as the blocks' correlation asks for (their integrated correlation
    time, from the lag-one autocorrelation), and the spread is widened for the few independent runs that there are.

    Parameters
    ----------
    numerators, denominators : (n_blocks,)
        Sums over consecutive time blocks.
    confidence
        Of the interval.
    seed
        Of the draws.
    ordered
        False where the blocks are not in time but independent of each other, such as ions: they are drawn singly.
    """
    numerators, denominators = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    total = float(denominators.sum())
    if total <= 0:
        return Interval(None, 0.0, 1.0, confidence, "nothing observed")
    value, n_blocks = float(numerators.sum()) / total, len(numerators)
    residual = numerators - value * denominators
    variance = float((residual**2).mean())
    if n_blocks < 4 or variance == 0:
        return Interval(
            value, value if variance == 0 else 0.0, value if variance == 0 else 1.0, confidence, "one block"
        )
    lag_one = float((residual[1:] * residual[:-1]).mean() / variance)
    memory = max(0.0, min(lag_one + 1.0 / n_blocks, 0.95))
    length = int(
        np.clip(np.ceil(2 * (1 + memory) / (1 - memory)) if memory > 0.1 and ordered else 1, 1, max(1, n_blocks // 4))
    )
    rng = np.random.default_rng(seed)
    n_runs = -(-n_blocks // length)
    starts = rng.integers(0, n_blocks, size=(_RESAMPLES, n_runs))
    rows = ((starts[:, :, None] + np.arange(length)) % n_blocks).reshape(_RESAMPLES, -1)[:, :n_blocks]
    drawn = numerators[rows].sum(axis=1) / np.maximum(denominators[rows].sum(axis=1), 1e-300)
    tail = 0.5 * (1 - confidence)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    widened = np.sqrt(n_runs / max(1.0, n_runs - 1.0)) * _student(n_runs - 1, confidence)
    method = f"block bootstrap, {n_blocks} time blocks in runs of {length}" if ordered else "bootstrap over ions"
    low, high = value - widened * (value - low), value + widened * (high - value)
    return Interval(value, float(max(0.0, low)), float(high), confidence, method)


def _student(dof: int, confidence: float) -> float:
    """Return how much wider Student's interval is than the normal one."""
    from scipy.special import ndtri, stdtrit

    tail = 0.5 * (1 + confidence)
    return float(stdtrit(max(1, dof), tail) / ndtri(tail))
