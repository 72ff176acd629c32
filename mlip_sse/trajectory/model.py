"""The trajectory that every analysis works on: unwrapped coordinates in time, with cell, spacing and reference frame."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance

__all__ = ["Trajectory"]

_BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Coordinates of all atoms in time.

    Parameters
    ----------
    species : (n_atoms,) chemical symbols
    masses : (n_atoms,) amu
    positions : (n_frames, n_atoms, 3) Å, unwrapped; an array or a memory map, float32 or float64, never changed in place
    cells : (n_frames, 3, 3) Å, rows are the cell vectors
    frame_spacing_fs
        Time between stored frames in fs.
    velocities : (n_frames, n_atoms, 3) Å/fs, optional
    temperature_k
        Temperature in K where it is known.
    drift : (n_frames, 3) Å, the displacement of the reference that `positions` still contains
        Subtracted whenever coordinates are handed out; zero for the reference ``none``.
    reference
        What is held at rest: ``none``, ``framework:…``, ``barycentric`` or ``species:…``.
    provenance
        Where the coordinates came from and what was done to them.
    """

    species: NDArray[np.str_]
    masses: NDArray[np.float64]
    positions: NDArray[np.floating]
    cells: NDArray[np.float64]
    frame_spacing_fs: float
    velocities: NDArray[np.floating] | None = None
    temperature_k: float | None = None
    drift: NDArray[np.float64] | None = None
    reference: str = "none"
    provenance: Provenance = field(default_factory=Provenance)
