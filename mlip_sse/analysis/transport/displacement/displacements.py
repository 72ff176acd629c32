"""Moments of ionic displacements over chosen lags and all time origins, in one pass.

For every ion i and lag m, with Δ = x_i(t + m) - x_i(t) and the origins t = 0 … n_frames - m - 1,

    ⟨|Δ|²⟩, ⟨|Δ|⁴⟩ and ⟨Δ_a Δ_b⟩

are means over the origins. Pooled over the ions they give the mean squared displacement, its variance, the non-Gaussian
parameter α₂ = 3⟨|Δ|⁴⟩ / (5⟨|Δ|²⟩²) - 1 and the displacement tensor.

References
----------
A. Rahman, Phys. Rev. 136, A405 (1964), doi:10.1103/PhysRev.136.A405 (α₂).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.transport.displacement.blocks import Positions, position_blocks, refuse_not_finite
from mlip_sse.analysis.transport.displacement.lags import checked_lags
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

__all__ = ["DisplacementMoments", "displacement_moments", "transport_moments"]

_CHUNK = 2048
"""Origins that are summed in the precision of the positions before the sum goes into a float64 total."""

_LINE_BYTES = 64
"""A cache line, and the width of the widest vector registers."""

_NAN_SAFE_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}
"""Sums may be reordered, so that they vectorise, but a NaN must come out as a NaN."""


@dataclass(frozen=True, eq=False)
class DisplacementMoments:
    """Moments of displacements of some ions at some lags.

    Parameters
    ----------
    lags : (n_lags,) frames
    n_frames
        Frames of the trajectory, so that lag m had ``n_frames - m`` origins.
    msd_per_ion : (n_ions, n_lags) Å², ⟨|Δ|²⟩ over the origins
    quartic_per_ion : (n_ions, n_lags) Å⁴, ⟨|Δ|⁴⟩ over the origins
    tensor : (n_lags, 3, 3) Å², ⟨Δ_a Δ_b⟩ over ions and origins
    """

    lags: NDArray[np.int64]
    n_frames: int
    msd_per_ion: NDArray[np.float64]
    quartic_per_ion: NDArray[np.float64]
    tensor: NDArray[np.float64]

    @property
    def n_ions(self) -> int:
        """Number of ions, one for a collective displacement."""
        return int(self.msd_per_ion.shape[0])

    @property
    def n_origins(self) -> NDArray[np.int64]:
        """Number of time origins of each lag, (n_lags,)."""
        return self.n_frames - self.lags

    @cached_property
    def msd(self) -> NDArray[np.float64]:
        """⟨|Δ|²⟩ over ions and origins, (n_lags,) Å²."""
        mean: NDArray[np.float64] = self.msd_per_ion.mean(axis=0)
        return mean

    @cached_property
    def quartic(self) -> NDArray[np.float64]:
        """⟨|Δ|⁴⟩ over ions and origins, (n_lags,) Å⁴."""
        mean: NDArray[np.float64] = self.quartic_per_ion.mean(axis=0)
        return mean

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        """Variance of |Δ|² over ions and origins, ⟨|Δ|⁴⟩ - ⟨|Δ|²⟩², (n_lags,) Å⁴."""
        return np.maximum(self.quartic - self.msd**2, 0.0)

    @cached_property
    def alpha2(self) -> NDArray[np.float64]:
        """Non-Gaussian parameter 3⟨|Δ|⁴⟩ / (5⟨|Δ|²⟩²) - 1, (n_lags,); NaN where nothing moved."""
        moved = self.msd > 0
        ratio = np.divide(3.0 * self.quartic, 5.0 * self.msd**2, out=np.full_like(self.msd, np.nan), where=moved)
        return ratio - 1.0

    @staticmethod
    def merge(parts: Sequence["DisplacementMoments"]) -> "DisplacementMoments":
        """Join the moments of disjoint groups of ions of one trajectory, in the order given.

        Raises
        ------
        InputError
            When there is nothing to join, or lags or frame counts differ.
        """
        if not parts:
            raise InputError("no ions were given, expected at least one block of positions")
        first = parts[0]
        for part in parts[1:]:
            if part.n_frames != first.n_frames or not np.array_equal(part.lags, first.lags):
                raise InputError(
                    "moments of different lags or frame counts cannot be merged: use the same for all ions"
                )
        n_ions = np.array([part.n_ions for part in parts], dtype=np.float64)
        return DisplacementMoments(
            lags=first.lags,
            n_frames=first.n_frames,
            msd_per_ion=np.concatenate([part.msd_per_ion for part in parts]),
            quartic_per_ion=np.concatenate([part.quartic_per_ion for part in parts]),
            tensor=np.einsum("p,pkab->kab", n_ions / n_ions.sum(), np.stack([part.tensor for part in parts])),
        )


def displacement_moments(positions: Positions, lags: ArrayLike) -> DisplacementMoments:
    """Compute the moments of displacements over all time origins.

    Parameters
    ----------
    positions : (n_ions, 3, n_frames) Å, unwrapped, or an iterable of such blocks
        float32 is twice as fast as float64; its sums run over at most 2,048 origins before they enter float64 totals.
        Subtract each ion's mean first where float32 is used, as `Trajectory.ion_blocks` does.
    lags : (n_lags,) frames, increasing

    Returns
    -------
    DisplacementMoments

    Raises
    ------
    InputError
        When shapes are wrong, a lag does not fit or coordinates are not finite.
    """
    parts = []
    n_before = 0
    for block in position_blocks(positions):
        chosen = checked_lags(lags, block.shape[2])
        sums = _moment_sums(block, chosen)
        if not np.all(np.isfinite(sums)):
            refuse_not_finite(block, n_before)
        sums /= (block.shape[2] - chosen)[:, None]
        products = sums.mean(axis=0)
        products[:, 1] = np.maximum(products[:, 1] - products[:, 2] - products[:, 3], 0.0)  # zz, what xx and yy leave
        parts.append(
            DisplacementMoments(
                lags=chosen,
                n_frames=block.shape[2],
                msd_per_ion=np.ascontiguousarray(sums[:, :, 1]),
                quartic_per_ion=np.ascontiguousarray(sums[:, :, 0]),
                tensor=products[:, [[2, 4, 5], [4, 3, 6], [5, 6, 1]]],
            )
        )
        n_before += block.shape[0]
    return DisplacementMoments.merge(parts)


def transport_moments(
    trajectory: Trajectory, indices: NDArray[np.intp], charges: NDArray[np.float64], lags: ArrayLike
) -> tuple[DisplacementMoments, DisplacementMoments]:
    """Compute the moments of single ions and of the charge displacement Q(t) = Σ_i z_i r_i(t).

    Parameters
    ----------
    trajectory
        Seen from the reference frame that the transport coefficients shall have.
    indices : (n_ions,)
        The ions whose tracer moments are wanted.
    charges : (n_atoms,) e
        Charges of all mobile species, zero for atoms that do not count.
    lags : (n_lags,) frames, increasing

    Returns
    -------
    moments of the ions, in Å
    moments of the one collective walker Q, in e Å, float64 throughout

    Raises
    ------
    InputError
        When there is not one charge an atom, a lag does not fit or coordinates are not finite.
    """
    weights = np.asarray(charges, dtype=np.float64)
    if weights.shape != (trajectory.n_atoms,):
        raise InputError(f"charges have shape {weights.shape}, expected one for each of the {trajectory.n_atoms} atoms")
    ions = displacement_moments(trajectory.ion_blocks(indices), lags)
    dipole = trajectory.weighted_sum(weights)
    dipole -= dipole.mean(axis=0)
    return ions, displacement_moments(np.ascontiguousarray(dipole.T)[None], lags)


@njit(parallel=True, cache=True, fastmath=_NAN_SAFE_FASTMATH)
def _moment_sums(positions, lags):  # type: ignore[no-untyped-def]
    """Sum |Δ|⁴, |Δ|², xx, yy, xy, xz, yz over the origins: (n_ions, n_lags, 7) float64.

    The origins of a chunk stay in the first-level cache while all lags pass over them, two lags at a time. Each ion is
    one task with its own output, so the number of threads does not change a bit of the result.
    """
    n_ions, _, n_frames = positions.shape
    n_lags = lags.size
    out = np.zeros((n_ions, n_lags, 7))
    for i in prange(n_ions):
        ion = _aligned(positions[i])
        for start in range(0, n_frames - lags[0], _CHUNK):
            for k in range(0, n_lags, 2):
                stop = min(start + _CHUNK, n_frames - lags[k])
                if stop <= start:
                    break
                shared = start  # up to here both lags of the pair have origins
                if k + 1 < n_lags:
                    shared = max(start, min(stop, n_frames - lags[k + 1]))
                if shared > start:
                    _add_pair(ion, start, shared, lags[k], lags[k + 1], out[i, k], out[i, k + 1])
                if stop > shared:
                    _add_single(ion, shared, stop, lags[k], out[i, k])
    return out


@njit(inline="always", fastmath=_NAN_SAFE_FASTMATH)  # as a call it takes almost twice the time
def _add_pair(ion, start, stop, lag, longer, total, longer_total):  # type: ignore[no-untyped-def]
    """Add the sums of two lags over origins that both have; each origin is loaded once.

    Slices, instead of an index with the lag added, keep numba's test for negative indices out of the loop, so that it
    vectorises.
    """
    x0, y0, z0 = ion[0, start:stop], ion[1, start:stop], ion[2, start:stop]
    a, b = start + lag, stop + lag
    x1, y1, z1 = ion[0, a:b], ion[1, a:b], ion[2, a:b]
    a, b = start + longer, stop + longer
    x2, y2, z2 = ion[0, a:b], ion[1, a:b], ion[2, a:b]
    zero = ion.dtype.type(0)
    sums = (zero, zero, zero, zero, zero, zero, zero)
    longer_sums = sums
    for t in range(x0.size):
        sums = _grown(sums, x1[t] - x0[t], y1[t] - y0[t], z1[t] - z0[t])
        longer_sums = _grown(longer_sums, x2[t] - x0[t], y2[t] - y0[t], z2[t] - z0[t])
    _add(sums, total)
    _add(longer_sums, longer_total)


@njit(inline="always", fastmath=_NAN_SAFE_FASTMATH)
def _add_single(ion, start, stop, lag, total):  # type: ignore[no-untyped-def]
    """Add the sums of one lag."""
    x0, y0, z0 = ion[0, start:stop], ion[1, start:stop], ion[2, start:stop]
    a, b = start + lag, stop + lag
    x1, y1, z1 = ion[0, a:b], ion[1, a:b], ion[2, a:b]
    zero = ion.dtype.type(0)
    sums = (zero, zero, zero, zero, zero, zero, zero)
    for t in range(x0.size):
        sums = _grown(sums, x1[t] - x0[t], y1[t] - y0[t], z1[t] - z0[t])
    _add(sums, total)


@njit(inline="always", fastmath=_NAN_SAFE_FASTMATH)
def _grown(sums, dx, dy, dz):  # type: ignore[no-untyped-def]
    """Return the seven sums with one displacement more.

    |Δ|² is summed instead of zz because the fourth moment needs it anyway: additions and multiplications, which have
    units of their own in the processor, are then equally many.
    """
    quartic, square, xx, yy, xy, xz, yz = sums
    length = dx * dx + dy * dy + dz * dz
    quartic += length * length
    square += length
    xx += dx * dx
    yy += dy * dy
    xy += dx * dy
    xz += dx * dz
    yz += dy * dz
    return quartic, square, xx, yy, xy, xz, yz


@njit(inline="always", fastmath=_NAN_SAFE_FASTMATH)
def _add(sums, total):  # type: ignore[no-untyped-def]
    """Add the sums over a chunk to float64 totals."""
    for k in range(7):
        total[k] += sums[k]


@njit(cache=True)
def _aligned(ion):  # type: ignore[no-untyped-def]
    """Copy the coordinates of an ion to cache-line boundaries: (3, padded length). Loads across two lines cost more."""
    n_frames = ion.shape[1]
    per_line = _LINE_BYTES // ion.itemsize
    stride = (n_frames + per_line - 1) // per_line * per_line
    memory = np.empty(3 * stride + per_line, ion.dtype)
    first = (_LINE_BYTES - memory.ctypes.data % _LINE_BYTES) // ion.itemsize
    rows = memory[first : first + 3 * stride].reshape((3, stride))
    for axis in range(3):  # a loop along each row is twice as fast as one assignment of all three
        row, given = rows[axis], ion[axis]
        for t in range(n_frames):
            row[t] = given[t]
    return rows
