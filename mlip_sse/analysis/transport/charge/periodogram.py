"""Periodogram of a vector time series, binned so that the noise of every bin is a known Gamma distribution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError

__all__ = ["Ordinates", "cross_periodogram", "periodogram"]

Array = NDArray[np.float64]

_UNBINNED = 32  # ordinates kept one by one; above, bins of 5 % in frequency
_BIN_WIDTH = 0.05


@dataclass(frozen=True, eq=False)
class Ordinates:
    """Periodogram of one or several series of the same length, binned towards high frequency.

    Parameters
    ----------
    frequencies : (n_bins,) 1/fs
    xi : (n_bins,) sin²(πf Δt), mean of the bin
    densities : (n_series, n_bins) unit of the series squared times fs, two-sided, mean over components
    shapes : (n_bins,) shape κ of the Gamma distribution of each bin
    edges : (n_bins + 1,) first ordinate of each bin
    """

    frequencies: Array
    xi: Array
    densities: Array
    shapes: Array
    edges: NDArray[np.intp]


def periodogram(series: ArrayLike, spacing_fs: float) -> Ordinates:
    """Return the two-sided periodogram, averaged over components and binned towards high frequency.

    I(f_k) = Δt/(n d) Σ_c |Σ_t x_c(t) e^{-2πikt/n}|²;  shape κ = d for k > 0 and d/2 for k = 0. The mean of the series
    counts as an ordinate (a current has mean zero in equilibrium) unless it was removed beforehand. The Nyquist
    ordinate is left out.

    Parameters
    ----------
    series : (n_frames, d) or (n_series, n_frames, d)
    spacing_fs
        Time between frames in fs.

    Raises
    ------
    InputError
        When the array has another number of axes, holds NaN, or is shorter than four frames.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise InputError(f"a series must have shape (n_frames, d) or (n_series, n_frames, d), found {np.shape(series)}")
    n_frames, d = values.shape[1:]
    if n_frames < 4:
        raise InputError(f"a spectrum needs at least 4 frames, found {n_frames}")
    if not np.isfinite(values).all():
        raise InputError("the series holds NaN or infinite values; repair or cut the trajectory before the analysis")
    if not spacing_fs > 0:
        raise InputError(f"spacing_fs must be positive, found {spacing_fs!r}")
    raw = np.abs(np.fft.rfft(values, axis=1)) ** 2
    density = raw.mean(axis=2) * (spacing_fs / n_frames)
    first = 1 if bool(np.any(density[:, 0] <= 1e-16 * density.mean(axis=1))) else 0
    edges = _bin_edges(first, (n_frames - 1) // 2 + 1)
    counts = np.diff(edges)
    k = np.arange(edges[-1])
    shapes = d * counts.astype(np.float64)
    if first == 0:
        shapes[0] = 0.5 * d
    return Ordinates(
        frequencies=np.add.reduceat(k, edges[:-1]) / counts / (n_frames * spacing_fs),
        xi=np.add.reduceat(np.sin(np.pi * k / n_frames) ** 2, edges[:-1]) / counts,
        densities=np.add.reduceat(density[:, : edges[-1]], edges[:-1], axis=1) / counts,
        shapes=shapes,
        edges=edges,
    )


def cross_periodogram(series: ArrayLike, spacing_fs: float, edges: NDArray[np.intp]) -> Array:
    """Return the real part of the cross-periodograms of several series in the bins of an `Ordinates`.

    Parameters
    ----------
    series : (n_series, n_frames, d)
    spacing_fs
        Time between frames in fs.
    edges : (n_bins + 1,) first ordinate of each bin

    Returns
    -------
    (n_series, n_series, n_bins) unit of the series squared times fs, mean over components
    """
    values = np.asarray(series, dtype=np.float64)
    n_frames, d = values.shape[1:]
    amplitudes = np.fft.rfft(values, axis=1)[:, : edges[-1]]
    products = np.einsum("akc,bkc->abk", amplitudes, amplitudes.conj()).real * (spacing_fs / (n_frames * d))
    binned: Array = np.add.reduceat(products, edges[:-1], axis=2) / np.diff(edges)
    return binned


def _bin_edges(first: int, stop: int) -> NDArray[np.intp]:
    edges = [first]
    while edges[-1] < stop:
        k = edges[-1]
        edges.append(min(stop, k + (1 if k < _UNBINNED else max(1, int(k * _BIN_WIDTH)))))
    return np.array(edges, dtype=np.intp)
