"""Strains of a cell that breathes: against a reference, frame by frame, and what their correlation in time leaves."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.mechanics.strains import strain_voigt
from mlip_sse.errors import InputError

__all__ = [
    "block_means",
    "checked_cells",
    "correlation_length",
    "half_difference",
    "hencky_strains",
    "lagrangian_strains",
]


def lagrangian_strains(cells: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Return the strains E = (FᵀF − 1)/2 of cells against a reference; a rotation of the cell leaves none.

    Parameters
    ----------
    cells : (n_frames, 3, 3) Å
        Lattice vectors as rows.
    reference : (3, 3) Å

    Returns
    -------
    (n_frames, 6)
        Voigt order, engineering shears.
    """
    return strain_voigt(0.5 * (_stretch_squared(cells, reference) - np.eye(3)))


def hencky_strains(cells: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Return the logarithmic strains ½ ln(FᵀF), whose trace is ln(V/V₀); shapes as for `lagrangian_strains`."""
    values, vectors = np.linalg.eigh(_stretch_squared(cells, reference))
    return strain_voigt(np.einsum("...ij,...j,...kj->...ik", vectors, 0.5 * np.log(values), vectors))


def block_means(values: ArrayLike, n_blocks: int) -> NDArray[np.float64]:
    """Return the means over consecutive blocks of frames, (n_blocks, ...)."""
    blocks = np.array_split(np.asarray(values, dtype=np.float64), n_blocks)
    return np.array([block.mean(axis=0) for block in blocks])


def half_difference(blocks: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far the halves of a run are apart, and the standard error of that, from the blocks inside each half.

    Parameters
    ----------
    blocks : (n_blocks, n)
        Means over consecutive blocks.
    """
    values = np.asarray(blocks, dtype=np.float64)
    halves = np.array_split(values, 2)
    variance = sum(half.var(axis=0, ddof=1) / len(half) for half in halves)
    return np.abs(halves[1].mean(axis=0) - halves[0].mean(axis=0)), np.sqrt(np.asarray(variance))


def correlation_length(series: ArrayLike) -> float:
    """Return over how many frames the slowest of some series (n_frames, n) keeps its memory, at least 1.

    g = 1 + 2 Σ ρ(t), summed up to the first lag at which ρ(t) + ρ(t+1) is not positive; n_frames/g of the frames are
    independent.

    References
    ----------
    C. J. Geyer, Stat. Sci. 7, 473 (1992), 10.1214/ss/1177011137
    """
    values = np.asarray(series, dtype=np.float64)
    n_frames = len(values)
    longest = 1.0
    for column in values.T:
        centred = column - column.mean()
        spectrum = np.abs(np.fft.rfft(centred, 2 * n_frames)) ** 2
        correlation = np.fft.irfft(spectrum)[:n_frames]
        if correlation[0] <= 0:
            continue
        pairs = correlation[: n_frames // 2 * 2].reshape(-1, 2).sum(axis=1) / correlation[0]
        negative = np.flatnonzero(pairs <= 0)
        longest = max(longest, 2.0 * float(pairs[: negative[0] if len(negative) else None].sum()) - 1.0)
    return longest


def checked_cells(cells: ArrayLike, n_least: int) -> NDArray[np.float64]:
    """Return cells (n_frames, 3, 3) as an array, or refuse what they are not."""
    array = np.asarray(cells, dtype=np.float64)
    if array.ndim != 3 or array.shape[1:] != (3, 3) or len(array) < n_least:
        raise InputError(
            f"found cells of shape {array.shape}, expected (n_frames, 3, 3) with at least {n_least} frames"
        )
    if not np.isfinite(array).all() or (np.linalg.det(array) <= 0).any():
        raise InputError("found a cell without a positive volume, expected right-handed lattice vectors in Å")
    return array


def _stretch_squared(cells: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """Return FᵀF, where rows of a cell are F times rows of the reference: h = h₀ Fᵀ."""
    transposed = np.linalg.solve(np.asarray(reference, dtype=np.float64), np.asarray(cells, dtype=np.float64))
    return np.asarray(transposed @ np.swapaxes(transposed, -1, -2))
