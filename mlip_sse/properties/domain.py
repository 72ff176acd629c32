"""How far a question is from the answers: distance to the training rows, in units of what is usual among them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.storage import storable

__all__ = ["Domain"]

Floats = npt.NDArray[np.float64]

_MAX_ROWS = 2000
_CHUNK = 512
"""Rows that are asked at once: arrays beyond 32 MB are fetched from the system anew each time."""
_EDGE_QUANTILE = 0.99
_MIN_EDGE = 2.0


@storable
@dataclass(frozen=True, eq=False)
class Domain:
    """The training rows that distances are taken to.

    Parameters
    ----------
    rows
        (n_rows, n_columns) standardised features of at most 2000 training rows.
    unit
        Median distance of a row to the nearest row of another group.
    edge
        Distance, in that unit, beyond which a row is outside: the 0.99 quantile among the training rows, at least 2.
    """

    rows: Floats
    unit: float
    edge: float

    @classmethod
    def fitted_to(cls, standardised: Floats, groups: npt.NDArray[np.intp], seed: int) -> "Domain":
        """Learn from standardised features (n_rows, n_columns) and the group of each row."""
        if len(standardised) > _MAX_ROWS:
            chosen = np.sort(np.random.default_rng(seed).choice(len(standardised), _MAX_ROWS, replace=False))
            standardised, groups = standardised[chosen], groups[chosen]
        squared = _squared(standardised, standardised)
        squared[groups[:, None] == groups[None, :]] = np.inf
        nearest = np.sqrt(squared.min(axis=1))
        nearest = nearest[np.isfinite(nearest)]
        positive = nearest[nearest > 0]
        if not len(positive):
            return cls(standardised, 1.0, _MIN_EDGE)
        unit = float(np.median(positive))
        return cls(standardised, unit, max(float(np.quantile(nearest, _EDGE_QUANTILE)) / unit, _MIN_EDGE))

    def distances(self, standardised: Floats) -> Floats:
        """Return the distance of each row to the nearest training row, (n_rows,), in units of `unit`."""
        found = np.empty(len(standardised))
        for start in range(0, len(standardised), _CHUNK):
            part = slice(start, start + _CHUNK)
            found[part] = np.sqrt(_squared(standardised[part], self.rows).min(axis=1))
        return found / self.unit

    def widening(self, distances: Floats) -> Floats:
        """Return by what an interval grows: 1 inside, and distance/edge outside."""
        return np.maximum(distances / self.edge, 1.0)


def _squared(first: Floats, second: Floats) -> Floats:
    """Return |x − y|², (n_first, n_second); below the rounding of the dot product it is 0."""
    a, b = (first**2).sum(axis=1), (second**2).sum(axis=1)
    total = a[:, None] + b[None, :]
    squared = total - 2.0 * (first @ second.T)
    return np.where(squared > 1e-10 * total, squared, 0.0)
