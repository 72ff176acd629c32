"""Slabs of a periodic cell, and which ions are in which of them for how long.

A region is one or several slabs between planes of constant fractional coordinate along one cell vector; the planes
stand across that vector's reciprocal, whatever the angles of the cell. An ion's stay in a slab is a run of consecutive
frames; one that steps from a slab into another slab of the same region has left.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["Region", "add_displacements", "add_runs", "frame_of_axis", "slabs_near_planes", "survivors"]


@dataclass(frozen=True)
class Region:
    """A named set of slabs.

    Parameters
    ----------
    name
        For tables and messages.
    slabs
        Lower and upper fractional coordinate of each; the upper one may lie beyond 1.
    """

    name: str
    slabs: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.slabs:
            raise InputError(f"region {self.name!r} has no slab, expected at least one [low, high]")
        for low, high in self.slabs:
            if not (math.isfinite(low) and 0 < high - low <= 1 + 1e-12):
                raise InputError(
                    f"region {self.name!r}: found a slab from {low:g} to {high:g}, expected low < high, at most one "
                    "cell apart; a slab across the border is for example [0.9, 1.1]"
                )

    @property
    def is_whole(self) -> bool:
        """Whether the region is the whole cell."""
        return len(self.slabs) == 1 and self.slabs[0][1] - self.slabs[0][0] >= 1 - 1e-12

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middle of each slab, fractional."""
        return np.array([0.5 * (low + high) for low, high in self.slabs])

    @property
    def half_widths(self) -> NDArray[np.float64]:
        """Half the width of each slab, fractional."""
        return np.array([0.5 * (high - low) for low, high in self.slabs])


def slabs_near_planes(planes: Sequence[float], within: float, height: float) -> Mapping[str, Region]:
    """Return the region near some planes, and the rest.

    Parameters
    ----------
    planes
        Fractional coordinates, such as those of grain boundaries.
    within
        Å from a plane.
    height
        Å between the planes 0 and 1.

    Raises
    ------
    InputError
        When the slabs overlap or fill the cell.
    """
    half = within / height
    places = sorted(plane % 1.0 for plane in planes)
    near = tuple((place - half, place + half) for place in places)
    ends = [*near[1:], (near[0][0] + 1, 0.0)]
    rest = tuple((slab[1], following[0]) for slab, following in zip(near, ends, strict=True))
    if not within > 0 or any(high - low <= 1e-9 for low, high in rest):
        raise InputError(
            f"slabs of {within:g} Å on both sides of planes at {', '.join(f'{p:g}' for p in places)} overlap or fill "
            f"the cell of {height:.4g} Å; choose a smaller distance"
        )
    return {"near planes": Region("near planes", near), "elsewhere": Region("elsewhere", rest)}


def frame_of_axis(cell: NDArray[np.float64], axis: int) -> tuple[NDArray[np.float64], float]:
    """Return the directions that go with a cell vector's planes, and the height of the cell across them.

    Parameters
    ----------
    cell : (3, 3) Å, rows are the cell vectors
    axis
        0, 1 or 2.

    Returns
    -------
    directions : (3, 3) rows: two in the plane, then its normal
    height
        Å.
    """
    reciprocal = np.linalg.inv(cell)[:, axis]
    normal = reciprocal / np.linalg.norm(reciprocal)
    first = cell[(axis + 1) % 3] / np.linalg.norm(cell[(axis + 1) % 3])
    return np.array([first, np.cross(normal, first), normal]), float(1.0 / np.linalg.norm(reciprocal))


def survivors(ended: NDArray[np.int64], open_ended: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for time origins at every frame of every stay, how many leave at a lag and how many could.

    Stays that the trajectory's end cuts off count as long as they were seen (Kaplan and Meier).

    Parameters
    ----------
    ended : (n_frames + 1,) stays by length in frames, left before the end of the trajectory
    open_ended : (n_frames + 1,) stays by length, cut off by it

    Returns
    -------
    leaving : (n_frames,) at lags 1, 2, …
    at_risk : (n_frames,) still there one lag before, and seen until this one
    """

    def at_least(counts: NDArray[np.int64]) -> NDArray[np.int64]:
        summed: NDArray[np.int64] = np.flip(np.cumsum(np.flip(counts, -1), axis=-1), -1)
        return summed

    leaving = at_least(ended)[..., 1:]
    # a stay of n frames has n - m + 1 origins that can leave at lag m, and n - m if its end is not seen
    zeros = np.zeros_like(open_ended[..., :1])
    shifted = np.concatenate([open_ended[..., 1:], zeros], axis=-1)
    return leaving, at_least(at_least(ended))[..., 1:] + at_least(at_least(shifted))[..., 1:]


@nb.njit(cache=True)
def add_runs(fractions: Any, centres: Any, half_widths: Any, ended: Any, open_ended: Any) -> None:
    """Count stays by length.

    fractions : (n_ions, n_frames) along the axis; centres, half_widths : (n_slabs,)
    ended, open_ended : (n_frames + 1,), added to
    """
    n_frames = fractions.shape[1]
    for i in range(fractions.shape[0]):
        label, length = -1, 0
        for t in range(n_frames):
            now = _slab(fractions[i, t], centres, half_widths)
            if now != label:
                if label >= 0:
                    ended[length] += 1
                label, length = now, 0
            length += 1
        if label >= 0:
            open_ended[length] += 1


@nb.njit(cache=True)
def add_displacements(
    fractions: Any,
    before: Any,
    after: Any,
    margin: int,
    groups: Any,
    centres: Any,
    half_widths: Any,
    lags: Any,
    sums: Any,
    counts: Any,
) -> None:
    """Add squared displacements over a lag, or up to the first frame outside of the slab where that comes earlier.

    fractions : (n_ions, n_frames); before, after : (n_ions, 3, n_frames) Å, two coordinates in the plane and the normal
    one, of the start and of the end of a displacement, known but for ``margin`` frames at the start and at the end
    sums : (n_groups, n_blocks, n_lags, 3) Å² in the plane, Å² along the normal, frames
    counts : (n_groups, n_blocks, n_lags, 2) origins, and those of them that have not left; both added to
    """
    n_frames, n_blocks = fractions.shape[1], sums.shape[1]
    for i in range(fractions.shape[0]):
        early, late, start = before[i], after[i], 0
        label = _slab(fractions[i, 0], centres, half_widths)
        for t in range(1, n_frames + 1):
            now = _slab(fractions[i, t], centres, half_widths) if t < n_frames else -2
            if now == label:
                continue
            if label >= 0:
                for block in range(start * n_blocks // n_frames, (t - 1) * n_blocks // n_frames + 1):
                    first = max(start, margin, -(-block * n_frames // n_blocks))
                    last = min(t, -(-(block + 1) * n_frames // n_blocks))
                    for j in range(lags.size):
                        end = min(last, n_frames - margin - lags[j])
                        if end > first:
                            own = sums[groups[i], block, j], counts[groups[i], block, j]
                            _add_stay(early, late, first, end, t, lags[j], own[0], own[1])
            label, start = now, t


@nb.njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _add_stay(early: Any, late: Any, first: int, end: int, stop: int, lag: int, sums: Any, counts: Any) -> None:
    """Take every frame from first to before end as an origin; at stop the ion is outside, or the trajectory ends."""
    plane = normal = 0.0
    n_stay = max(0, min(end, stop - lag) - first)
    if n_stay > 0:
        one, two = early[:, first : first + n_stay], late[:, first + lag : first + lag + n_stay]
        for k in range(n_stay):
            dx, dy, dz = two[0, k] - one[0, k], two[1, k] - one[1, k], two[2, k] - one[2, k]
            plane += dx * dx + dy * dy
            normal += dz * dz
    frames = n_stay * lag
    for k in range(first + n_stay, end):
        dx, dy, dz = late[0, stop] - early[0, k], late[1, stop] - early[1, k], late[2, stop] - early[2, k]
        plane += dx * dx + dy * dy
        normal += dz * dz
        frames += stop - k
    sums[0] += plane
    sums[1] += normal
    sums[2] += frames
    counts[0] += end - first
    counts[1] += n_stay


@nb.njit(cache=True)
def _slab(fraction: float, centres: Any, half_widths: Any) -> int:
    for s in range(centres.size):
        apart = fraction - centres[s]
        apart -= np.floor(apart + 0.5)
        if -half_widths[s] <= apart < half_widths[s]:
            return s
    return -1
