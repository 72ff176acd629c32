"""A bound in eV/Å on the force error of every atom, from a score, calibrated on frames whose errors are known.

With the score u and the error e of the force on each atom (its length: the components are correlated), the bound is
q·u, where q is the ⌈(n + 1)c⌉/n quantile of e/u over the calibration atoms. For atoms exchangeable with those, e ≤ q·u
holds with probability c or more, whatever the distribution and however poor the score; a poor score only makes the
bound loose. The quantile is taken for each element on its own (Mondrian), as mobile ions and framework err differently.

Two things spoil the promise. Atoms of one frame and frames close in time err together, so that n atoms tell as much as
fewer independent ones: ``clusters`` says which belong together, n is replaced in the quantile by the effective number
of `effective_count`, and an element is calibrated on its own only where that is large enough. The bound stays right on
average; with few clusters it is the single calibration that varies. And a run that leaves what the calibration frames
saw is not exchangeable with them: calibrate again with every round of labels, and watch the grade.

References
----------
V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random World (2005), doi:10.1007/b106715;
Y. Hu et al., Mach. Learn.: Sci. Technol. 3, 045028 (2022), doi:10.1088/2632-2153/aca7b1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.uncertainty.correlated import effective_count

__all__ = ["ConformalMap", "calibrate"]


@dataclass(frozen=True)
class ConformalMap:
    """From a score to a bound on the force error.

    Parameters
    ----------
    coverage
        Share of atoms whose error is to lie below the bound.
    quantiles
        q of each element that was calibrated, eV/Å for one unit of the score.
    pooled
        q of all atoms together, for elements without their own.
    n_atoms, n_effective
        Calibration atoms of each element, and how many independent ones they are worth.
    notes
        In words: which elements use the pooled quantile, and why.
    """

    coverage: float
    quantiles: Mapping[str, float]
    pooled: float
    n_atoms: Mapping[str, int]
    n_effective: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def bounds(self, scores: ArrayLike, elements: Sequence[str]) -> NDArray[np.float64]:
        """Return the bound on the force error of each atom.

        Parameters
        ----------
        scores
            (n_atoms,) the score that was calibrated.
        elements
            Chemical symbol of each atom; one that was never calibrated has the pooled quantile.

        Returns
        -------
        (n_atoms,) eV/Å
        """
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != (len(elements),):
            raise InputError(f"found scores of shape {values.shape}, expected one for each of {len(elements)} atoms")
        limits: NDArray[np.float64] = values * [self.quantiles.get(element, self.pooled) for element in elements]
        return limits

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the card."""
        return {
            "coverage": self.coverage,
            "quantiles": dict(self.quantiles),
            "pooled": self.pooled,
            "n_atoms": dict(self.n_atoms),
            "n_effective": dict(self.n_effective),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ConformalMap":
        """Return what `to_dict` wrote.

        Raises
        ------
        FormatError
            When it did not.
        """
        try:
            return cls(
                coverage=float(plain["coverage"]),
                quantiles={str(k): float(v) for k, v in plain["quantiles"].items()},
                pooled=float(plain["pooled"]),
                n_atoms={str(k): int(v) for k, v in plain["n_atoms"].items()},
                n_effective={str(k): float(v) for k, v in plain["n_effective"].items()},
                notes=tuple(str(note) for note in plain["notes"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"found a conformal map without {error}, expected what mlip-sse wrote") from error


def calibrate(
    force_errors: ArrayLike,
    scores: ArrayLike,
    elements: Sequence[str],
    *,
    coverage: float = 0.9,
    clusters: ArrayLike | None = None,
    min_effective: float = 30.0,
) -> ConformalMap:
    """Calibrate the bound on frames that were not trained on.

    Parameters
    ----------
    force_errors
        (n_atoms,) length of the error of the force on each atom, eV/Å.
    scores
        (n_atoms,) positive, growing with the error that is expected.
    elements
        Chemical symbol of each atom.
    coverage
        Share of atoms whose error is to lie below the bound.
    clusters
        (n_atoms,) which atoms err together: the number of their frame or, better, of their stretch of a trajectory.
        None: all are independent, which atoms of one frame are not.
    min_effective
        Elements worth fewer independent atoms use the pooled quantile; at 30 the coverage is known to 5 %.

    Raises
    ------
    InputError
        When lengths differ, a score is not positive, or all atoms together are too few for the coverage.
    """
    if not 0 < coverage < 1:
        raise InputError(f"found a coverage of {coverage}, expected more than 0 and less than 1")
    errors, divisors, symbols = _checked(force_errors, scores, elements)
    groups = np.arange(len(errors)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    if len(groups) != len(errors):
        raise InputError(f"found {len(groups)} clusters, expected one for each of {len(errors)} atoms")
    ratios = errors / divisors
    fewest = coverage / (1 - coverage)  # with fewer the quantile is the largest ratio, or beyond
    n_all, pooled = _quantile(ratios, groups, coverage)
    if n_all < fewest:
        raise InputError(
            f"found {len(errors)} atoms worth {n_all:.0f} independent ones, expected at least {math.ceil(fewest)} for "
            f"a coverage of {coverage:g}: label more validation frames"
        )
    quantiles, n_atoms, n_effective, notes = {}, {}, {}, []
    for element in sorted(set(symbols.tolist())):
        mine = symbols == element
        worth, quantile = _quantile(ratios[mine], groups[mine], coverage)
        n_atoms[element], n_effective[element] = int(mine.sum()), worth
        if worth >= max(min_effective, fewest):
            quantiles[element] = quantile
        else:
            notes.append(
                f"{element}: {n_atoms[element]} atoms worth {worth:.0f} independent ones, fewer than "
                f"{max(min_effective, fewest):.0f}; the quantile of all elements is used"
            )
    return ConformalMap(coverage, quantiles, pooled, n_atoms, n_effective, tuple(notes))


def _quantile(ratios: NDArray[np.float64], clusters: NDArray[np.intp], coverage: float) -> tuple[float, float]:
    """Return the effective number of atoms, and the quantile at ⌈(n + 1)c⌉/n of it."""
    plain = float(np.quantile(ratios, coverage, method="higher"))
    n_effective = effective_count(ratios > plain, clusters)
    n = max(math.floor(n_effective), 1)
    level = min(math.ceil(round((n + 1) * coverage, 9)) / n, 1.0)
    # The smallest ratio that a share of at least `level` of the atoms does not exceed.
    place = min(math.ceil(round(level * len(ratios), 9)), len(ratios)) - 1
    return n_effective, float(np.partition(ratios, place)[place])


def _checked(
    force_errors: ArrayLike, scores: ArrayLike, elements: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    errors, divisors = np.asarray(force_errors, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if errors.ndim != 1 or not len(errors) or errors.shape != divisors.shape or len(elements) != len(errors):
        raise InputError(
            f"found errors {errors.shape}, scores {divisors.shape} and {len(elements)} elements, expected one each for "
            "every atom"
        )
    if not (np.isfinite(errors).all() and np.isfinite(divisors).all()) or (errors < 0).any() or (divisors <= 0).any():
        raise InputError("found an error below zero, a score that is not positive, or a number that is not finite")
    return errors, divisors, np.asarray(elements, dtype=np.str_)
