"""The hop indicator p_hop, and the thresholds above which an ion hops and below which it rests.

With A the half window before frame t and B the one that begins with it, ⟨·⟩ means over their frames,

    p_hop(i, t) = √( ⟨|r_i − ⟨r_i⟩_B|²⟩_A · ⟨|r_i − ⟨r_i⟩_A|²⟩_B )
                = √( (σ_A² + d²) (σ_B² + d²) ),   d = ⟨r_i⟩_B − ⟨r_i⟩_A,

which is about u² (the three-dimensional variance of the cage) where nothing happens, and a² + u² in the middle of a
jump of length a.

References
----------
Candelier et al., 10.1103/PhysRevLett.105.135702; Smessaert, Rottler, 10.1103/PhysRevE.88.022314.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["HopIndicator", "Thresholds", "choose_thresholds", "hop_indicator", "indicator_of"]

HOP_PER_JUMP = 0.25
"""p_c is at least this part of a²."""

HOP_PER_CAGE = 5.0
"""p_c is at least this many u²."""

STABLE_PER_CAGE = 1.75
"""p_0 is this many u²."""

_START_CAGES = 5.0
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class HopIndicator:
    """p_hop of some ions, and what their thresholds are chosen from.

    Parameters
    ----------
    ions : (n_ions,) atom indices
    half
        Frames in half a window, t_R/2.
    values : (n_ions, n_frames - 2 half + 1) Å²
        Column k belongs to frame ``k + half``.
    shifts : same shape, Å
        d, the distance between the means of the two half windows.
    spreads : same shape, Å²
        σ_A², the variance of the half window before the frame.
    frame_spacing_fs
        Time between frames.
    """

    ions: NDArray[np.int64]
    half: int
    values: NDArray[np.float64]
    shifts: NDArray[np.float64]
    spreads: NDArray[np.float64]
    frame_spacing_fs: float

    @property
    def n_frames(self) -> int:
        """Number of frames of the trajectory."""
        return int(self.values.shape[1]) + 2 * self.half - 1

    @property
    def half_window_ps(self) -> float:
        """t_R/2 in ps."""
        return self.half * self.frame_spacing_fs / 1000.0


@dataclass(frozen=True)
class Thresholds:
    """Where a hop begins and where rest ends.

    Parameters
    ----------
    hop
        p_c in Å².
    stable
        p_0 in Å².
    cage_variance
        u² in Å², three-dimensional.
    jump_length
        a in Å.
    rule
        In words, how they were chosen.
    """

    hop: float
    stable: float
    cage_variance: float
    jump_length: float
    rule: str

    @property
    def release(self) -> float:
        """The value of p_hop in Å² below which a hop is over: half of p_c, so that noise at p_c is not a second hop."""
        return 0.5 * self.hop


def indicator_of(trajectory: "Trajectory", ions: NDArray[np.integer], half_window_ps: float) -> HopIndicator:
    """Return p_hop of some ions of a trajectory, in its reference frame.

    Raises
    ------
    InputError
        When fewer than three frames make half a window, or the trajectory is shorter than four half windows.
    """
    spacing = trajectory.frame_spacing_fs
    half = round(1000.0 * half_window_ps / spacing)
    if half < 3:
        raise InputError(
            f"frames are {spacing:g} fs apart, {half} in half a window of {half_window_ps:g} ps: too coarse for hops, "
            f"expected at least 3; store every {1000 * half_window_ps / 5:g} fs or widen half_window_ps"
        )
    if trajectory.n_frames < 4 * half:
        raise InputError(
            f"found {trajectory.n_frames} frames, expected at least {4 * half} (two windows of {2 * half} frames); "
            f"run longer or narrow half_window_ps"
        )
    blocks = trajectory.ion_blocks(np.asarray(ions, dtype=np.intp), dtype=np.float64)
    values, shifts, spreads = _stacked(hop_indicator(block, half) for block in blocks)
    return HopIndicator(np.asarray(ions, dtype=np.int64), half, values, shifts, spreads, spacing)


def hop_indicator(
    coordinates: NDArray[np.floating], half: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return p_hop by running sums.

    Parameters
    ----------
    coordinates : (n_ions, 3, n_frames) Å, unwrapped
    half
        Frames in half a window.

    Returns
    -------
    p_hop in Å², d in Å and σ_A² in Å², each (n_ions, n_frames - 2 half + 1); column k belongs to frame ``k + half``
    """
    coordinates = np.ascontiguousarray(coordinates, dtype=np.float64)
    n_columns = coordinates.shape[2] - 2 * half + 1
    if half < 2 or n_columns < 1:
        raise InputError(f"found {coordinates.shape[2]} frames for two half windows of {half}, expected 2 or more each")
    values, shifts, spreads = (np.empty((len(coordinates), n_columns)) for _ in range(3))
    _sum_windows(coordinates, half, values, shifts, spreads)
    return values, shifts, spreads


def choose_thresholds(
    indicator: HopIndicator, jump_length: float | None = None, hop: float | None = None
) -> Thresholds:
    """Choose p_c and p_0 from the data.

    u² is the median variance of half windows: most of them hold no hop as long as half a window is shorter than a
    third of the residence time. a is the length up to which the hops above p_c make up half of their squared
    displacement, so that the many small rearrangements count little. Then p_c = max(a²/4, 5 u²), repeated until both
    agree, and p_0 = 1.75 u².

    Parameters
    ----------
    indicator
        p_hop of all ions.
    jump_length
        a in Å where the distance of neighbouring sites is known.
    hop
        p_c in Å² where it is wanted as it is.

    Raises
    ------
    InputError
        When the ions do not move at all.
    """
    cage = float(np.median(indicator.spreads)) * indicator.half / (indicator.half - 1)
    if not cage > 0:
        raise InputError(
            f"the median variance of {len(indicator.ions)} ions in {indicator.half_window_ps:g} ps is {cage:g} Å²: "
            "they never move, expected positions of molecular dynamics; check the mobile species"
        )
    said = f"u² = {cage:.3g} Å² is the median variance of half windows"
    if hop is not None:
        length = _carrying_length(indicator, hop) if jump_length is None else jump_length
        return Thresholds(hop, min(STABLE_PER_CAGE * cage, 0.5 * hop), cage, length, f"p_c as given; {said}")
    length, chosen = 0.0, _START_CAGES * cage
    for _ in range(_ROUNDS):
        length = _carrying_length(indicator, chosen) if jump_length is None else jump_length
        wanted = max(HOP_PER_JUMP * length**2, HOP_PER_CAGE * cage)
        if abs(wanted - chosen) < 1e-3 * chosen:
            break
        chosen = wanted
    origin = "carries half of the hops' squared displacement" if jump_length is None else "as given"
    rule = f"p_c = max(a²/4, 5 u²), p_0 = 1.75 u²; {said}; a = {length:.3g} Å {origin}"
    return Thresholds(chosen, STABLE_PER_CAGE * cage, cage, length, rule)


def _carrying_length(indicator: HopIndicator, threshold: float) -> float:
    """Return the length up to which the hops above a threshold make up half of their squared displacement, in Å."""
    lengths = np.sort(_peak_shifts(indicator.values, indicator.shifts, threshold))
    if not len(lengths):
        return 0.0
    carried = np.cumsum(lengths**2)
    return float(lengths[np.searchsorted(carried, 0.5 * carried[-1])])


def _stacked(parts: Iterable[tuple[NDArray[np.float64], ...]]) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


@njit(cache=True)
def _sum_windows(
    coordinates: NDArray[np.float64],
    half: int,
    values: NDArray[np.float64],
    shifts: NDArray[np.float64],
    spreads: NDArray[np.float64],
) -> None:
    n_columns = values.shape[1]
    for ion in range(coordinates.shape[0]):
        apart = np.zeros(n_columns)
        before, after = np.zeros(n_columns), np.zeros(n_columns)
        for axis in range(3):
            path = coordinates[ion, axis]
            a = b = aa = bb = 0.0
            for t in range(half):
                a += path[t]
                aa += path[t] * path[t]
                b += path[t + half]
                bb += path[t + half] * path[t + half]
            for k in range(n_columns):
                mean_a, mean_b = a / half, b / half
                before[k] += aa / half - mean_a * mean_a
                after[k] += bb / half - mean_b * mean_b
                apart[k] += (mean_b - mean_a) ** 2
                if k + 1 < n_columns:
                    old, middle, new = path[k], path[k + half], path[k + 2 * half]
                    a += middle - old
                    aa += middle * middle - old * old
                    b += new - middle
                    bb += new * new - middle * middle
        for k in range(n_columns):
            spreads[ion, k] = max(before[k], 0.0)
            shifts[ion, k] = np.sqrt(apart[k])
            values[ion, k] = np.sqrt((spreads[ion, k] + apart[k]) * (max(after[k], 0.0) + apart[k]))


@njit(cache=True)
def _peak_shifts(values: NDArray[np.float64], shifts: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    out = np.empty(values.size // 2 + 1)
    n = 0
    for ion in range(values.shape[0]):
        inside, best = False, 0.0
        for k in range(values.shape[1]):
            if not inside and values[ion, k] >= threshold:
                inside, best = True, 0.0
                n += 1
            elif inside and values[ion, k] < 0.5 * threshold:
                inside = False
            if inside and values[ion, k] > best:
                best = values[ion, k]
                out[n - 1] = shifts[ion, k]
    return out[:n]
