"""Reorientation events: when a body leaves the orientation it librates about and settles in another one.

A body is settled where it stays, over a residence time, within the settling angle (root mean square) of the mean
orientation of that time. It has reoriented once it is settled farther than the jump angle from where it was settled
before; an excursion that returns within the settling angle is none. The event is dated at the last frame that is
nearer to the old orientation than to the new one. States whose mean orientations come out within the settling angle are
one state. Ligands are told apart, so that a tetrahedron's turn by 120° onto
itself counts.
"""

import math
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.orientations import rotation_angles

__all__ = ["Reorientations", "find_reorientations"]


@dataclass(frozen=True, eq=False)
class Reorientations:
    """Events in time order, and the states between them.

    Parameters
    ----------
    frames, units : (n_events,)
        First frame nearer to the new orientation, and which unit.
    angles_deg : (n_events,) between the mean orientations before and after
    returned : (n_events,) whether the unit went back to the orientation it had before the last one
    states : (n_units, n_frames)
        Number of the state that the unit is in, counted from 0; -1 between states.
    libration_deg2 : (n_units,) mean squared angle from the state's mean orientation
    n_settled : (n_units,) frames in a state
    """

    frames: NDArray[np.int64]
    units: NDArray[np.int64]
    angles_deg: NDArray[np.float64]
    returned: NDArray[np.bool_]
    states: NDArray[np.int64]
    libration_deg2: NDArray[np.float64]
    n_settled: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.frames)


def find_reorientations(
    quaternions: NDArray[np.float64],
    ends: NDArray[np.int64],
    residence: int,
    jump_angle_deg: float = 60.0,
    settling_angle_deg: float = 30.0,
) -> Reorientations:
    """Find the reorientations of all units.

    Parameters
    ----------
    quaternions : (n_units, n_frames, 4) unit quaternions
    ends : (n_units,) frames in which each unit is whole
    residence
        Frames that a body must stay for a state.
    jump_angle_deg, settling_angle_deg
        Degrees, the first the larger one.
    """
    n_units, n_frames = quaternions.shape[:2]
    states = np.full((n_units, n_frames), -1, dtype=np.int64)
    most = max(1, n_frames // max(residence, 1) + 1)
    dates = np.full((n_units, most), -1, dtype=np.int64)
    _find(
        np.ascontiguousarray(quaternions),
        np.asarray(ends, dtype=np.int64),
        int(residence),
        float(np.cos(np.radians(jump_angle_deg) / 2)),
        float(np.radians(settling_angle_deg)),
        states,
        dates,
    )
    path = np.ascontiguousarray(quaternions)
    means, _, _ = _averages(path, states)
    near = rotation_angles(means[:, :-1], means[:, 1:]) < settling_angle_deg
    near &= dates[:, : near.shape[1]] >= 0
    if near.any():
        _merge(states, dates, near)
        means, _, _ = _averages(path, states)
    _, squares, settled = _averages(path, states)
    units, numbers = np.nonzero(dates >= 0)
    angles = rotation_angles(means[units, numbers], means[units, numbers + 1])
    back = np.zeros(len(units), dtype=bool)
    again = numbers > 0
    before, after = means[units[again], numbers[again] - 1], means[units[again], numbers[again] + 1]
    back[again] = rotation_angles(before, after) < settling_angle_deg
    frames = dates[units, numbers]
    order = np.lexsort((units, frames))
    with np.errstate(invalid="ignore"):
        libration = np.degrees(1.0) ** 2 * squares / settled
    return Reorientations(
        frames[order], units[order].astype(np.int64), angles[order], back[order], states, libration, settled
    )


def _averages(
    path: NDArray[np.float64], states: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the mean orientation of each state, and by unit the summed squared angles from it and their number."""
    n_units = len(path)
    means = np.zeros((n_units, max(1, int(states.max(initial=-1)) + 1), 4))
    squares, settled = np.zeros(n_units), np.zeros(n_units, dtype=np.int64)
    _average(path, states, means, squares, settled)
    return means, squares, settled


def _merge(states: NDArray[np.int64], dates: NDArray[np.int64], near: NDArray[np.bool_]) -> None:
    """Make one state of two, in place, wherever ``near`` (n_units, n_states - 1) says that they are the same."""
    for u in np.flatnonzero(near.any(axis=1)):
        fewer = np.concatenate([[0], np.cumsum(near[u])])
        inside = states[u] >= 0
        states[u, inside] -= fewer[states[u, inside]]
        kept = dates[u, : near.shape[1]][~near[u]]
        kept = kept[kept >= 0]
        dates[u] = -1
        dates[u, : len(kept)] = kept


@nb.njit(cache=True)
def _overlap(p: Any, q: Any) -> float:
    return float(abs(p[0] * q[0] + p[1] * q[1] + p[2] * q[2] + p[3] * q[3]))


@nb.njit(cache=True)
def _norm(q: Any) -> float:
    return math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])


@nb.njit(cache=True)
def _settled_mean(path: Any, start: int, stop: int, settling: float, mean: Any) -> bool:
    """Write the mean orientation of some frames; say whether they stay within the settling angle of it."""
    for a in range(4):
        mean[a] = 0.0
    for t in range(start, stop):
        q = path[t]
        dot = mean[0] * q[0] + mean[1] * q[1] + mean[2] * q[2] + mean[3] * q[3]
        sign = -1.0 if dot < 0.0 else 1.0
        for a in range(4):
            mean[a] += sign * q[a]
    norm = _norm(mean)
    if norm == 0.0:
        return False
    for a in range(4):
        mean[a] /= norm
    total = 0.0
    for t in range(start, stop):
        angle = 2.0 * math.acos(min(1.0, _overlap(mean, path[t])))
        total += angle * angle
    return total <= settling * settling * (stop - start)


@nb.njit(cache=True)
def _add(total: Any, q: Any, mean: Any) -> None:
    """Take one more orientation into a running mean."""
    dot = mean[0] * q[0] + mean[1] * q[1] + mean[2] * q[2] + mean[3] * q[3]
    sign = -1.0 if dot < 0.0 else 1.0
    for a in range(4):
        total[a] += sign * q[a]
    norm = _norm(total)
    if norm > 0.0:
        for a in range(4):
            mean[a] = total[a] / norm


@nb.njit(cache=True)
def _find(
    quaternions: Any, ends: Any, residence: int, jump_overlap: float, settling: float, states: Any, dates: Any
) -> None:
    home, mean, total = np.zeros(4), np.zeros(4), np.zeros(4)
    for u in range(quaternions.shape[0]):
        path, end = quaternions[u], ends[u]
        t, state = 0, -1
        while t < end:
            if state >= 0 and _overlap(home, path[t]) > jump_overlap:
                states[u, t] = state
                _add(total, path[t], home)
                t += 1
                continue
            stop = t + residence
            if stop > end:
                break
            if not _settled_mean(path, t, stop, settling, mean) or (state >= 0 and _overlap(home, mean) > jump_overlap):
                t += 1
                continue
            if state >= 0:
                date = t
                while date > 0 and _overlap(home, path[date - 1]) < _overlap(mean, path[date - 1]):
                    date -= 1
                dates[u, state] = date
            state += 1
            for a in range(4):
                home[a], total[a] = mean[a], 0.0
            for later in range(t, stop):
                _add(total, path[later], home)
                states[u, later] = state
            t = stop


@nb.njit(cache=True)
def _average(quaternions: Any, states: Any, means: Any, squares: Any, settled: Any) -> None:
    for u in range(quaternions.shape[0]):
        for t in range(quaternions.shape[1]):
            if states[u, t] >= 0:
                mean, q = means[u, states[u, t]], quaternions[u, t]
                dot = mean[0] * q[0] + mean[1] * q[1] + mean[2] * q[2] + mean[3] * q[3]
                sign = -1.0 if dot < 0.0 else 1.0
                for a in range(4):
                    mean[a] += sign * q[a]
        for s in range(means.shape[1]):
            norm = _norm(means[u, s])
            if norm > 0.0:
                for a in range(4):
                    means[u, s, a] /= norm
        for t in range(quaternions.shape[1]):
            if states[u, t] >= 0:
                angle = 2.0 * math.acos(min(1.0, _overlap(means[u, states[u, t]], quaternions[u, t])))
                squares[u] += angle * angle
                settled[u] += 1
