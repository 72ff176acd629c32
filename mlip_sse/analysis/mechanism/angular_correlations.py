"""How fast bodies and their bonds forget their orientation.

Bonds:   C₁(t) = ⟨u(0) · u(t)⟩,   C₂(t) = ⟨P₂(u(0) · u(t))⟩

Bodies:  B_l(t) = ⟨sin((2l + 1) θ/2) / ((2l + 1) sin(θ/2))⟩,   θ the angle of the rotation from 0 to t,

which are B₁ = ⟨1 + 2 cos θ⟩/3 and B₂ = ⟨1 + 2 cos θ + 2 cos 2θ⟩/5: the same decay, without the bonds' own vibration.
All are exp(-l (l + 1) D_r t) for isotropic rotational diffusion, and the same for l = 1 and 2 but for a factor near one
where the body jumps by large angles: τ₁/τ₂ is 3 for small steps, and near 1 for jumps.
"""

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

__all__ = ["FUNCTIONS", "CorrelationSums", "correlation_sums"]

FUNCTIONS = ("bond_1", "bond_2", "body_1", "body_2")
"""Order of the four functions in the sums."""

_MOST_ORIGINS = 2000


@dataclass(frozen=True, eq=False)
class CorrelationSums:
    """Sums over time origins, kept apart by unit and by block of origins.

    Parameters
    ----------
    lags : (n_lags,) frames
    sums : (n_units, n_blocks, n_lags, 4)
    counts : (n_units, n_blocks, n_lags) origins
    """

    lags: NDArray[np.int64]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]

    def mean(self, left_out: int | None = None) -> NDArray[np.float64]:
        """Return the functions over all groups, or without one of them, (n_lags, 4); not a number without origins."""
        sums = self.sums.reshape(-1, *self.sums.shape[2:])
        counts = self.counts.reshape(-1, self.counts.shape[2])
        total, number = sums.sum(axis=0), counts.sum(axis=0)
        if left_out is not None:
            total, number = total - sums[left_out], number - counts[left_out]
        with np.errstate(invalid="ignore"):
            return np.where(number[:, None] > 0, total / np.maximum(number, 1)[:, None], np.nan)

    @property
    def n_groups(self) -> int:
        """Number of groups that may be left out: units times blocks."""
        return int(self.sums.shape[0] * self.sums.shape[1])


def correlation_sums(
    bonds: NDArray[np.float64],
    quaternions: NDArray[np.float64],
    ends: NDArray[np.int64],
    lags: NDArray[np.int64],
    n_blocks: int,
) -> CorrelationSums:
    """Sum the angular correlations of units over time origins.

    Parameters
    ----------
    bonds : (n_units, n_frames, n_ligands, 3) Å
    quaternions : (n_units, n_frames, 4)
    ends : (n_units,) frames in which each unit is whole
    lags : (n_lags,) frames, increasing
    n_blocks
        Into how many blocks the origins are sorted by time.
    """
    n_units, n_frames = bonds.shape[:2]
    sums = np.zeros((n_units, n_blocks, len(lags), 4))
    counts = np.zeros((n_units, n_blocks, len(lags)), dtype=np.int64)
    directions = bonds / np.maximum(np.linalg.norm(bonds, axis=3, keepdims=True), 1e-300)
    stride = max(1, n_frames // _MOST_ORIGINS)
    _correlate(directions, quaternions, ends, lags, stride, sums, counts)
    return CorrelationSums(lags, sums, counts)


@nb.njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _correlate(directions: Any, quaternions: Any, ends: Any, lags: Any, stride: int, sums: Any, counts: Any) -> None:
    n_units, n_frames, n_ligands = directions.shape[0], directions.shape[1], directions.shape[2]
    n_blocks = sums.shape[1]
    for u in range(n_units):
        for j in range(lags.size):
            lag = lags[j]
            for t in range(0, ends[u] - lag, stride):
                block = t * n_blocks // n_frames
                first, second = directions[u, t], directions[u, t + lag]
                c1 = c2 = 0.0
                for k in range(n_ligands):
                    x = first[k, 0] * second[k, 0] + first[k, 1] * second[k, 1] + first[k, 2] * second[k, 2]
                    c1 += x
                    c2 += 1.5 * x * x - 0.5
                p, q = quaternions[u, t], quaternions[u, t + lag]
                w = p[0] * q[0] + p[1] * q[1] + p[2] * q[2] + p[3] * q[3]
                cosine = 2.0 * w * w - 1.0
                target = sums[u, block, j]
                target[0] += c1 / n_ligands
                target[1] += c2 / n_ligands
                target[2] += (1.0 + 2.0 * cosine) / 3.0
                target[3] += (4.0 * cosine * cosine + 2.0 * cosine - 1.0) / 5.0
                counts[u, block, j] += 1
