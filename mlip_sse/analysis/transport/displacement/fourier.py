"""Mean squared displacement at every lag, by the Wiener-Khinchin theorem, in float64.

With x the coordinates of one ion, K = n_frames - m origins and S(m) = Σ_t x(t) · x(t + m),

    MSD(m) = [ Σ_{t<K} |x(t)|² + Σ_{t≥m} |x(t)|² - 2 S(m) ] / K.

S is the inverse Fourier transform of the power spectrum of the zero-padded coordinates, and linear in it: the spectra
of all ions and axes are summed first, so that one inverse transform serves them all. Coordinates are centred first; the
difference of large numbers then keeps ten digits at a lag of one frame, which it would not in float32.

References
----------
V. Calandrini, E. Pellegrini, P. Calligari, K. Hinsen, G. R. Kneller, Collection SFN 12, 201 (2011),
doi:10.1051/sfn/201112010.
"""

from collections.abc import Iterator

import numpy as np
import scipy.fft
from numba import get_num_threads
from numpy.typing import NDArray

from mlip_sse.analysis.transport.displacement.blocks import Positions, position_blocks, refuse_not_finite
from mlip_sse.errors import InputError

__all__ = ["collective_msd_all_lags", "msd_all_lags", "msd_all_lags_per_ion"]

_BUFFER_BYTES = 4 << 20
"""Coordinates transformed at a time: those of a few ions, which keeps them near the cache and the memory flat."""


def msd_all_lags(positions: Positions, workers: int | None = None) -> NDArray[np.float64]:
    """Return the mean squared displacement over ions and time origins at every lag.

    Parameters
    ----------
    positions : (n_ions, 3, n_frames) Å, unwrapped, or an iterable of such blocks
    workers
        Threads of the transforms; as many as numba uses where it is not given. The result does not depend on it.

    Returns
    -------
    (n_frames,) Å², zero at lag 0

    Raises
    ------
    InputError
        When shapes are wrong or coordinates are not finite.
    """
    n_ions = 0
    squares: NDArray[np.float64] = np.zeros(0)
    power: NDArray[np.float64] = np.zeros(0)
    for block in position_blocks(positions):
        n_frames = block.shape[2]
        if n_ions == 0:
            squares, power = np.zeros(n_frames), np.zeros(_padded_length(n_frames) // 2 + 1)
        for padded in _padded_parts(block, n_ions):
            coordinates = padded[:, :, :n_frames]
            squares += np.einsum("iat,iat->t", coordinates, coordinates)
            power += _power(padded, workers, "iaf,iaf->f")
        n_ions += block.shape[0]
    total: NDArray[np.float64] = _msd_from_power(squares[None], power[None], workers)[0]
    return total / n_ions


def msd_all_lags_per_ion(positions: Positions, workers: int | None = None) -> NDArray[np.float64]:
    """Return the mean squared displacement of each ion over time origins at every lag.

    Parameters
    ----------
    positions : (n_ions, 3, n_frames) Å, unwrapped, or an iterable of such blocks
    workers
        Threads of the transforms; as many as numba uses where it is not given.

    Returns
    -------
    (n_ions, n_frames) Å²

    Raises
    ------
    InputError
        When shapes are wrong or coordinates are not finite.
    """
    rows: list[NDArray[np.float64]] = []
    n_ions = 0
    for block in position_blocks(positions):
        for padded in _padded_parts(block, n_ions):
            coordinates = padded[:, :, : block.shape[2]]
            squares = np.einsum("iat,iat->it", coordinates, coordinates)
            rows.append(_msd_from_power(squares, _power(padded, workers, "iaf,iaf->if"), workers))
        n_ions += block.shape[0]
    return np.concatenate(rows)


def collective_msd_all_lags(dipole: NDArray[np.floating], workers: int | None = None) -> NDArray[np.float64]:
    """Return ⟨|Q(t + m) - Q(t)|²⟩ of a collective displacement at every lag.

    Parameters
    ----------
    dipole : (n_frames, 3) e Å
        Q(t) = Σ_i z_i r_i(t) of unwrapped coordinates, as `Trajectory.weighted_sum` returns it.
    workers
        Threads of the transforms; as many as numba uses where it is not given.

    Returns
    -------
    (n_frames,) e² Å², not divided by the number of ions

    Raises
    ------
    InputError
        When the shape is wrong or a value is not finite.
    """
    if dipole.ndim != 2 or dipole.shape[1] != 3:
        raise InputError(f"the dipole has shape {dipole.shape}, expected (n_frames, 3)")
    return msd_all_lags(np.asarray(dipole, dtype=np.float64).T[None], workers)


def _padded_length(n_frames: int) -> int:
    """Return a length at which the circular correlation equals the linear one, and the transform is fast."""
    return int(scipy.fft.next_fast_len(2 * n_frames - 1, real=True))


def _padded_parts(block: NDArray[np.floating], n_ions_before: int) -> Iterator[NDArray[np.float64]]:
    """Yield the centred float64 coordinates of a few ions at a time, zeros behind them: (n, 3, padded length).

    It is one buffer that is filled anew; fresh memory for each part would cost as much as the transforms.
    """
    n_ions, _, n_frames = block.shape
    length = _padded_length(n_frames)
    step = min(n_ions, max(1, _BUFFER_BYTES // (3 * 8 * length)))
    buffer = np.zeros((step, 3, length))
    for first in range(0, n_ions, step):
        part = block[first : first + step]
        with np.errstate(invalid="ignore"):
            mean = part.mean(axis=2, dtype=np.float64, keepdims=True)
        if not np.all(np.isfinite(mean)):
            refuse_not_finite(part, n_ions_before + first)
        padded = buffer[: len(part)]
        np.subtract(part, mean, out=padded[:, :, :n_frames])
        yield padded


def _power(padded: NDArray[np.float64], workers: int | None, summed: str) -> NDArray[np.float64]:
    """Return Σ |X(f)|² over the axes, and over the ions where `summed` says so."""
    spectrum = scipy.fft.rfft(padded, axis=2, workers=get_num_threads() if workers is None else workers)
    parts = spectrum.view(np.float64)  # real and imaginary part side by side: no temporaries of |X|²
    squared = np.einsum(summed, parts, parts)
    return np.asarray(squared[..., 0::2] + squared[..., 1::2], dtype=np.float64)


def _msd_from_power(
    squares: NDArray[np.float64], power: NDArray[np.float64], workers: int | None
) -> NDArray[np.float64]:
    """Turn |x(t)|² (n, n_frames) and power spectra (n, n_frequencies) into MSDs (n, n_frames)."""
    n_frames = squares.shape[1]
    threads = get_num_threads() if workers is None else workers
    correlation = scipy.fft.irfft(power, _padded_length(n_frames), axis=1, workers=threads)[:, :n_frames]
    summed = np.concatenate([np.zeros((len(squares), 1)), np.cumsum(squares, axis=1)], axis=1)
    heads = summed[:, n_frames:0:-1]
    tails = summed[:, n_frames:] - summed[:, :n_frames]
    msd = (heads + tails - 2.0 * correlation) / np.arange(n_frames, 0, -1)
    msd[:, 0] = 0.0
    return np.asarray(np.maximum(msd, 0.0), dtype=np.float64)
