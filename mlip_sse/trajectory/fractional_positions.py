"""Fractional coordinates of some atoms from the unwrapped positions, frame by frame, also where the cell varies.

Unwrapped positions are sums of fractional steps, each times the cell of its own frame (`mlip_sse.trajectory.unwrap`).
The same steps are taken out again:

    s(t) = s(0) + Σ_{τ ≤ t} [r(τ) - r(τ - 1)] · H(τ)⁻¹,

so that a site that moves with the cell keeps its coordinates, whatever a barostat does. Where a file chooses other
vectors of the same lattice on the way, the choice of the first frame is kept.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.storage import release

__all__ = ["consistent_cells", "fractional_chunks", "fractional_means"]

_CHUNK_BYTES = 16 << 20


def consistent_cells(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cells in the first frame's choice of lattice vectors.

    Parameters
    ----------
    cells : (n_frames, 3, 3) Å, rows are the cell vectors

    Returns
    -------
    (n_frames, 3, 3) Å
    """
    cells = np.asarray(cells, dtype=np.float64)
    if (cells == cells[0]).all():
        return cells
    choices = np.rint(cells @ np.linalg.inv(cells[0]))
    if (choices == np.eye(3)).all():
        return cells
    same: NDArray[np.float64] = np.linalg.inv(choices) @ cells
    return same


def fractional_chunks(
    trajectory: Trajectory, indices: NDArray[np.intp], cells: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield fractional coordinates, drift removed, unwrapped, some frames at a time.

    Parameters
    ----------
    trajectory
        Seen from the reference frame in which the sites rest.
    indices : (n_chosen,)
    cells : (n_frames, 3, 3) Å
        Of `consistent_cells`.

    Yields
    ------
    first frame
    (n, n_chosen, 3) fractions of the cell vectors, C-contiguous
    """
    mapped = isinstance(trajectory.positions, np.memmap)
    step = max(1, _CHUNK_BYTES // (24 * max(len(indices), trajectory.n_atoms if mapped else 1)))
    fixed = bool((cells == cells[0]).all())
    inverse = np.linalg.inv(cells[:1] if fixed else cells)
    last: NDArray[np.float64] | None = None
    carried = np.zeros((len(indices), 3))
    for first in range(0, trajectory.n_frames, step):
        stop = min(first + step, trajectory.n_frames)
        part = np.ascontiguousarray(np.asarray(trajectory.positions[first:stop])[:, indices], dtype=np.float64)
        if mapped:
            release(trajectory.positions)
        if trajectory.drift is not None:
            part -= trajectory.drift[first:stop, None, :]
        if fixed:
            yield first, _times(part, inverse[0])
            continue
        if last is None:
            steps = np.concatenate([part[:1], np.diff(part, axis=0)])
        else:
            steps = np.diff(np.concatenate([last[None], part]), axis=0)
        fractions = np.cumsum(steps @ inverse[first:stop], axis=0) + carried
        last, carried = part[-1], fractions[-1]
        yield first, np.ascontiguousarray(fractions)


def _times(part: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part · matrix; a library's product would wake its threads for three columns."""
    out: NDArray[np.float64] = part[..., :1] * matrix[0]
    out += part[..., 1:2] * matrix[1]
    out += part[..., 2:] * matrix[2]
    return out


def fractional_means(
    trajectory: Trajectory, indices: NDArray[np.intp], cells: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the time-averaged fractional coordinates of some atoms, (n_chosen, 3), unwrapped."""
    total = np.zeros((len(indices), 3))
    for _, part in fractional_chunks(trajectory, indices, cells):
        total += part.sum(axis=0)
    mean: NDArray[np.float64] = total / trajectory.n_frames
    return mean
