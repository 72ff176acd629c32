"""Frames of a trajectory as structures: the positions of each in its own cell, at constant pressure too.

Unwrapped positions add up steps, each times the cell of its own frame, so that the breathing of the cell does not
enter. As a structure such a frame does not fit its own cell; its fractional coordinates follow from the steps,

s(t) = r(0) H(0)⁻¹ + Σ_{τ ≤ t} [r(τ) - r(τ - 1)] H(τ)⁻¹,

which undoes that sum exactly. The first frame must be the one at which unwrapping began. Where a file chooses other
vectors of the same lattice on the way, those of the first frame are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells
from mlip_sse.trajectory.storage import release

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["fractional_frames", "map_in_threads", "structure_frames"]

Item = TypeVar("Item")
Value = TypeVar("Value")

_ITEMS_A_THREAD = 8
_MAPPED_BYTES = 32 << 20


def fractional_frames(
    trajectory: "Trajectory", step: int = 1, atoms: NDArray[np.integer] | Sequence[int] | None = None
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield fractional coordinates, drift removed, not wrapped, and the cell of every ``step``-th frame.

    Parameters
    ----------
    trajectory
        Read whole, not a window of one at constant pressure.
    step
        1 for all frames.
    atoms : (n,), optional
        Places of the atoms wanted, all by default.

    Yields
    ------
    fractions : (n, 3)
    cell : (3, 3) Å
    """
    if step < 1:
        raise InputError(f"found a step of {step} frames, expected at least 1")
    chosen = slice(None) if atoms is None else np.asarray(atoms)
    cells = consistent_cells(trajectory.cells)
    drift = trajectory.drift
    rigid = bool((cells == cells[0]).all())
    inverses = np.linalg.inv(cells[:1] if rigid else cells)
    mapped = isinstance(trajectory.positions, np.memmap)
    rows = max(1, _MAPPED_BYTES // (24 * trajectory.n_atoms))
    before = fractions = np.empty((0, 3))
    for t in range(0, trajectory.n_frames, step if rigid else 1):
        here = np.asarray(trajectory.positions[t, chosen], dtype=np.float64)
        if drift is not None:
            here = here - drift[t]
        fractions = here @ inverses[0] if rigid or t == 0 else fractions + (here - before) @ inverses[t]
        before = here
        if mapped and t % rows < step:
            release(trajectory.positions)
        if t % step == 0:
            yield fractions, cells[t]


def structure_frames(
    trajectory: "Trajectory", step: int = 1
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the positions, (n_atoms, 3) Å, in the cell of their own frame, and that cell; see `fractional_frames`."""
    for fractions, cell in fractional_frames(trajectory, step):
        yield fractions @ cell, cell


def map_in_threads(function: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Value]:
    """Yield the function of each item in their order, on as many threads as numba may use.

    For functions that spend their time in kernels compiled with ``nogil``. Only a few items are held at a time.
    """
    n_threads = numba.get_num_threads()
    if n_threads == 1:
        yield from map(function, items)
        return
    waiting = iter(items)
    with ThreadPoolExecutor(n_threads, thread_name_prefix="frames") as pool:
        while batch := list(islice(waiting, _ITEMS_A_THREAD * n_threads)):
            yield from pool.map(function, batch)
