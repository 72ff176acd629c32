"""Does a bound hold? The share of atoms below it, per element, with an interval that knows that atoms err together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError
from mlip_sse.potentials.uncertainty.correlated import binomial_interval, effective_count

__all__ = ["CoverageReport", "CoverageShare", "measure_coverage"]


@dataclass(frozen=True)
class CoverageShare:
    """The share of atoms whose error is at most their bound.

    Parameters
    ----------
    share
        In [0, 1].
    low, high
        Its binomial (Clopper-Pearson) interval with the effective number of atoms.
    n_atoms
        How many were measured.
    n_effective
        How many independent ones they are worth.
    mean_bound, mean_error
        eV/Å; a bound far above the error is true and useless.
    """

    share: float
    low: float
    high: float
    n_atoms: int
    n_effective: float
    mean_bound: float
    mean_error: float


@dataclass(frozen=True)
class CoverageReport:
    """Coverage of all atoms and of each element.

    Parameters
    ----------
    overall
        All atoms.
    by_element
        Each element.
    confidence
        Of the intervals.
    """

    overall: CoverageShare
    by_element: Mapping[str, CoverageShare]
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the card."""
        return {
            "confidence": self.confidence,
            "overall": vars(self.overall).copy(),
            "by_element": {element: vars(share).copy() for element, share in self.by_element.items()},
        }

    def describe(self) -> str:
        """Return a table for a reader, one line for all atoms and one for each element."""
        rows = [("all", self.overall), *self.by_element.items()]
        lines = [f"{'':>4} {'covered':>8} {'interval':>15} {'atoms':>7} {'worth':>6} {'bound':>7} {'error':>7}  eV/Å"]
        lines += [
            f"{name:>4} {100 * row.share:7.1f}% {100 * row.low:6.1f} to {100 * row.high:4.1f}% {row.n_atoms:7d} "
            f"{row.n_effective:6.0f} {row.mean_bound:7.3f} {row.mean_error:7.3f}"
            for name, row in rows
        ]
        return "\n".join(lines)


def measure_coverage(
    force_errors: ArrayLike,
    bounds: ArrayLike,
    elements: Sequence[str],
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> CoverageReport:
    """Count how often the error stays below its bound.

    Parameters
    ----------
    force_errors
        (n_atoms,) eV/Å, of frames that neither trained nor calibrated.
    bounds
        (n_atoms,) eV/Å, from `ConformalMap.bounds`.
    elements
        Chemical symbol of each atom.
    clusters
        (n_atoms,) which atoms err together, such as the number of their frame; None: all are independent.
    confidence
        Of the intervals.

    Raises
    ------
    InputError
        When lengths differ or there is no atom.
    """
    errors, limits = np.asarray(force_errors, dtype=np.float64), np.asarray(bounds, dtype=np.float64)
    groups = np.arange(len(errors)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    lengths = {len(errors), len(limits), len(elements), len(groups)}
    if len(lengths) != 1 or lengths == {0}:
        raise InputError(
            f"found {len(errors)} errors, {len(limits)} bounds, {len(elements)} elements and {len(groups)} clusters, "
            "expected the same number, at least one"
        )
    if not 0 < confidence < 1:
        raise InputError(f"found a confidence of {confidence}, expected more than 0 and less than 1")
    symbols = np.asarray(elements, dtype=np.str_)
    by_element = {
        element: _share(errors[mine], limits[mine], groups[mine], confidence)
        for element in sorted(set(symbols.tolist()))
        for mine in [symbols == element]
    }
    return CoverageReport(_share(errors, limits, groups, confidence), by_element, confidence)


def _share(
    errors: NDArray[np.float64], bounds: NDArray[np.float64], clusters: NDArray[np.intp], confidence: float
) -> CoverageShare:
    covered = errors <= bounds
    share, worth = float(covered.mean()), effective_count(covered, clusters)
    low, high = binomial_interval(share, worth, confidence)
    return CoverageShare(share, low, high, len(errors), worth, float(bounds.mean()), float(errors.mean()))
