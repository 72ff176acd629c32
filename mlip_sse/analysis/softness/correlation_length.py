"""How far softness reaches: the correlation of the softness of two ions against their distance.

C(r) = ⟨δS_i δS_j⟩_{r_ij ≈ r}/⟨δS²⟩ with δS = S − ⟨S⟩, fitted by A exp(−r/ξ).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.structure.neighbours import neighbour_list
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["SpatialCorrelation", "fit_decay", "spatial_correlation"]

_BIN = 0.5
_BLOCKS = 10
_N_DRAWS = 300


@dataclass(frozen=True, eq=False)
class SpatialCorrelation:
    """Correlation of softness in space.

    Parameters
    ----------
    distances : (n_bins,) Å, middles of bins that hold pairs
    values : (n_bins,) C(r)
    errors : (n_bins,) standard errors, from blocks of frames
    length
        ξ in Å; None where it is not resolved.
    reason
        Why not.
    """

    distances: NDArray[np.float64]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    length: Interval | None
    reason: str = ""


def spatial_correlation(
    trajectory: "Trajectory",
    functions: StructureFunctions,
    frames: NDArray[np.integer],
    ions: NDArray[np.integer],
    softness: NDArray[np.float64],
    confidence: float,
    seed: int,
) -> SpatialCorrelation:
    """Return C(r) of the ions and its decay length, up to half the smallest height of the cell.

    Parameters
    ----------
    softness : (n_frames, n_ions)

    Raises
    ------
    InputError
        With fewer than two frames or ions.
    """
    if len(frames) < 2 or len(ions) < 2:
        raise InputError(f"found {len(frames)} frames of {len(ions)} ions, expected at least two of each")
    cell = trajectory.mean_cell
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    n_bins = max(int(0.5 * heights.min() / _BIN), 1)
    away = softness - softness.mean()
    products, pairs = np.zeros((2, len(frames), n_bins))
    for row, frame in enumerate(frames):
        positions, box = functions.averaged(trajectory, int(frame))
        near = neighbour_list(positions[ions], box, n_bins * _BIN)
        bins = np.minimum((near.distances / _BIN).astype(np.int64), n_bins - 1)
        product = away[row, near.centres] * away[row, near.indices]
        products[row] = np.bincount(bins, product, minlength=n_bins)
        pairs[row] = np.bincount(bins, minlength=n_bins)
    products, pairs, squares = _blocks(products), _blocks(pairs), _blocks((away**2).mean(axis=1)[:, None])
    middles = np.asarray(_BIN * (np.arange(n_bins) + 0.5), dtype=np.float64)
    used = (pairs > 0).all(axis=0)
    weights = _draws(len(pairs), seed)
    values, errors, drawn = _ratios(products[:, used], pairs[:, used], squares, weights)
    length, reason = _length(middles[used], values, drawn, pairs[:, used].sum(axis=0), confidence)
    return SpatialCorrelation(middles[used], values, errors, length, reason)


def fit_decay(
    distances: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit A exp(−r/ξ) to curves by weighted least squares: a search over ξ, with the best A for each.

    Parameters
    ----------
    distances, weights : (n_bins,)
    values : (n_curves, n_bins)

    Returns
    -------
    A and ξ in Å, each (n_curves,); ξ lies between a twentieth of the first distance and ten times the last
    """
    lengths = np.geomspace(0.05 * distances[0], 10.0 * distances[-1], 400)
    shapes = np.exp(-(distances[None, :] - distances[0]) / lengths[:, None])
    norms = (weights * shapes**2).sum(axis=1)
    overlaps = (values * weights) @ shapes.T
    best = np.argmax(overlaps**2 / norms, axis=1)
    at_first = overlaps[np.arange(len(values)), best] / norms[best]
    return at_first * np.exp(np.minimum(distances[0] / lengths[best], 50.0)), lengths[best]


def _length(
    distances: NDArray[np.float64],
    values: NDArray[np.float64],
    drawn: NDArray[np.float64],
    weights: NDArray[np.float64],
    confidence: float,
) -> tuple[Interval | None, str]:
    if len(distances) < 4:
        return None, f"{len(distances)} bins of distance hold pairs in all blocks of time, expected at least 4"
    _, (length,) = fit_decay(distances, values[None, :], weights)
    amplitudes, lengths = fit_decay(distances, drawn, weights)
    tail = 0.5 * (1 - confidence)
    low, high = np.quantile(lengths, [tail, 1 - tail])
    positive = float(np.mean(amplitudes > 0))
    if positive < 1 - tail:
        first = f"C({distances[0]:.2g} Å) = {values[0]:.2g}"
        return None, f"softness of neighbours is not positively correlated ({first})"
    if low < 0.06 * distances[0] or high > 9.0 * distances[-1]:
        return None, f"ξ = {length:.2g} Å is not resolved between {distances[0]:.2g} and {distances[-1]:.2g} Å"
    method = f"A exp(−r/ξ); percentiles of a bootstrap over {_BLOCKS} blocks of time, in one frozen disorder"
    return Interval(float(length), float(low), float(high), confidence, method), ""


def _blocks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    parts = np.array_split(values, min(_BLOCKS, len(values)))
    return np.array([part.mean(axis=0) for part in parts])


def _draws(n_blocks: int, seed: int) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=_N_DRAWS)
    return drawn.astype(np.float64)


def _ratios(
    products: NDArray[np.float64],
    pairs: NDArray[np.float64],
    squares: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    values = products.mean(axis=0) / pairs.mean(axis=0) / squares.mean()
    drawn = (weights @ products) / (weights @ pairs) / ((weights @ squares) / weights.sum(axis=1, keepdims=True))
    return values, drawn.std(axis=0, ddof=1), drawn
