"""What a format's reader hands over: the file's facts once, its frames in chunks.

A reader knows one file format and nothing of unwrapping, reference frames or memory; `mlip_sse.trajectory.reading`
knows those and nothing of formats. Between them stand these two classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Coordinates", "FrameChunk", "FrameSource", "TrajectoryWarning"]


class TrajectoryWarning(UserWarning):
    """Something in a trajectory file was mended or overruled; what, is also in the provenance."""


class Coordinates(StrEnum):
    """What the stored coordinates are."""

    CARTESIAN_WRAPPED = "cartesian, wrapped"
    CARTESIAN_UNWRAPPED = "cartesian, unwrapped"
    CARTESIAN_UNKNOWN = "cartesian, wrapped or not"
    FRACTIONAL_UNWRAPPED = "fractional, unwrapped"
    FRACTIONAL_WRAPPED = "fractional, wrapped"
    FRACTIONAL_UNKNOWN = "fractional, wrapped or not"


@dataclass(frozen=True, eq=False)
class FrameChunk:
    """Some consecutive frames, atoms in one fixed order.

    Parameters
    ----------
    coordinates : (n, n_atoms, 3) Å or fractional, as `FrameSource.coordinates` says
    cells : (n, 3, 3) Å, rows are the cell vectors
    images : (n, n_atoms, 3) periodic image counts, where the file has them
    velocities : (n, n_atoms, 3) Å/fs, where the file has them
    times_fs : (n,) fs, where the file has them
    steps : (n,) MD steps, where the file has them
    """

    coordinates: NDArray[np.floating]
    cells: NDArray[np.float64]
    images: NDArray[np.int64] | None = None
    velocities: NDArray[np.floating] | None = None
    times_fs: NDArray[np.float64] | None = None
    steps: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class FrameSource:
    """An opened file: what holds for all frames, and the iterator over chunks.

    ``masses`` and ``species`` may be None where a format stores only types; the caller then has to name them.
    ``notes`` are sentences for the provenance (for example a truncated last frame that was dropped).
    """

    chunks: Iterator[FrameChunk]
    n_atoms: int
    species: NDArray[np.str_] | None
    coordinates: Coordinates
    masses: NDArray[np.float64] | None = None
    frame_spacing_fs: float | None = None
    timestep_fs: float | None = None
    temperature_k: float | None = None
    n_frames: int | None = None
    notes: list[str] = field(default_factory=list)
