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

    def __post_init__(self) -> None:
        n_frames, n_atoms = self.positions.shape[:2]
        shapes = {
            "positions": (self.positions.shape, (n_frames, n_atoms, 3)),
            "species": (np.shape(self.species), (n_atoms,)),
            "masses": (np.shape(self.masses), (n_atoms,)),
            "cells": (np.shape(self.cells), (n_frames, 3, 3)),
        }
        if self.velocities is not None:
            shapes["velocities"] = (self.velocities.shape, (n_frames, n_atoms, 3))
        if self.drift is not None:
            shapes["drift"] = (self.drift.shape, (n_frames, 3))
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise InputError(f"{name} has shape {found}, expected {wanted}")
        if not self.frame_spacing_fs > 0:
            raise InputError(f"frame_spacing_fs must be positive, found {self.frame_spacing_fs!r}")

    @classmethod
    def read(
        cls, path: str | Path, frame_spacing_fs: float | None = None, temperature_k: float | None = None, **options: object
    ) -> "Trajectory":
        """Read a trajectory file of any supported format; see `mlip_sse.trajectory.reading.read_trajectory`."""
        from mlip_sse.trajectory.reading import read_trajectory

        return read_trajectory(path, frame_spacing_fs=frame_spacing_fs, temperature_k=temperature_k, **options)  # type: ignore[arg-type]

    @property
    def n_frames(self) -> int:
        """Number of stored frames."""
        return int(self.positions.shape[0])

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return int(self.positions.shape[1])

    @property
    def duration_fs(self) -> float:
        """Time from the first to the last frame in fs."""
        return (self.n_frames - 1) * self.frame_spacing_fs

    @cached_property
    def mean_volume(self) -> float:
        """Time-averaged cell volume in Å³."""
        return float(np.abs(np.linalg.det(self.cells)).mean())

    @cached_property
    def mean_cell(self) -> NDArray[np.float64]:
        """Time-averaged cell, (3, 3) Å."""
        mean: NDArray[np.float64] = np.asarray(self.cells, dtype=np.float64).mean(axis=0)
        return mean

    def indices(self, species: str | Sequence[str]) -> NDArray[np.intp]:
        """Return the atoms of one or several species, in file order.

        Raises
        ------
        InputError
            When a species is not in the trajectory; the message lists those that are.
        """
        wanted = [species] if isinstance(species, str) else list(species)
        present = list(dict.fromkeys(str(s) for s in self.species))
        for symbol in wanted:
            if symbol not in present:
                raise InputError(f"species {symbol!r} is not in the trajectory, which holds {', '.join(present)}")
        return np.flatnonzero(np.isin(self.species, wanted))

    def in_reference_frame(self, reference: str, mobile: Sequence[str] = ()) -> "Trajectory":
        """Return the trajectory seen from a reference at rest; see `mlip_sse.trajectory.reference.reference_drift`."""
        from mlip_sse.trajectory.reference import reference_drift

        label, drift = reference_drift(self, reference, mobile)
        return dataclasses.replace(
            self, drift=drift, reference=label, provenance=self.provenance.then(f"reference frame {label}")
        )

    def ion_blocks(
        self, indices: NDArray[np.intp], dtype: type[np.floating] = np.float32, max_bytes: int = _BLOCK_BYTES
    ) -> Iterator[NDArray[np.floating]]:
        """Yield time-contiguous coordinates of some ions, drift removed, block by block.

        Each ion's own mean is subtracted first, so that float32 keeps its precision for the motion.

        Yields
        ------
        (n_block, 3, n_frames) Å, C-contiguous
        """
        step = max(1, max_bytes // (3 * 8 * self.n_frames))
        for start in range(0, len(indices), step):
            chosen = indices[start : start + step]
            block = np.empty((len(chosen), 3, self.n_frames))
            self._gather(chosen, block)
            block -= block.mean(axis=2, keepdims=True)
            yield np.ascontiguousarray(block, dtype=dtype)

    def _gather(self, chosen: NDArray[np.intp], block: NDArray[np.float64]) -> None:
        rows = max(1, _BLOCK_BYTES // (self.positions.itemsize * 3 * self.n_atoms))
        for first in range(0, self.n_frames, rows):
            part = np.asarray(self.positions[first : first + rows, chosen], dtype=np.float64)
            if self.drift is not None:
                part = part - self.drift[first : first + rows, None, :]
            block[:, :, first : first + rows] = part.transpose(1, 2, 0)

    def weighted_sum(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return Σ_i w_i (r_i(t) - drift(t)), streamed over frames.

        Parameters
        ----------
        weights : (n_atoms,)
            Charges for a dipole, masses over their sum for a centre of mass.

        Returns
        -------
        (n_frames, 3) Å times the unit of the weights
        """
        total = np.empty((self.n_frames, 3))
        rows = max(1, _BLOCK_BYTES // (8 * 3 * self.n_atoms))
        for first in range(0, self.n_frames, rows):
            part = np.asarray(self.positions[first : first + rows], dtype=np.float64)
            total[first : first + rows] = np.einsum("a,tad->td", weights, part)
        if self.drift is not None:
            total -= weights.sum() * self.drift
        return total
