"""The trajectory that every analysis works on: unwrapped coordinates, cell, spacing and reference frame."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance
from mlip_sse.trajectory.frames import Coordinates, FrameChunk
from mlip_sse.trajectory.gather import centre, gather, weigh
from mlip_sse.trajectory.storage import release
from mlip_sse.trajectory.unwrap import Unwrapper

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Trajectory", "masses_of"]

_BLOCK_BYTES = 32 << 20
_MAPPED_BYTES = 256 << 20


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Coordinates of all atoms in time.

    Parameters
    ----------
    species : (n_atoms,) chemical symbols
    masses : (n_atoms,) amu
    positions : (n_frames, n_atoms, 3) Å, unwrapped
        An array or a memory map, float32 or float64, never changed in place.
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
        cls,
        path: str | Path | Sequence[str | Path],
        frame_spacing_fs: float | None = None,
        temperature_k: float | None = None,
        **options: Any,
    ) -> "Trajectory":
        """Read a file, or the files of a continued run; see `mlip_sse.trajectory.reading.read_trajectory`."""
        from mlip_sse.trajectory.reading import read_trajectory

        return read_trajectory(path, frame_spacing_fs=frame_spacing_fs, temperature_k=temperature_k, **options)

    @classmethod
    def from_arrays(
        cls,
        species: Sequence[str] | NDArray[np.str_],
        positions: NDArray[np.floating],
        cells: NDArray[np.floating],
        frame_spacing_fs: float,
        *,
        wrapped: bool | None = None,
        fractional: bool = False,
        masses: NDArray[np.float64] | None = None,
        velocities: NDArray[np.floating] | None = None,
        temperature_k: float | None = None,
    ) -> "Trajectory":
        """Make a trajectory of arrays, unwrapping them.

        Parameters
        ----------
        species : (n_atoms,) chemical symbols
        positions : (n_frames, n_atoms, 3) Å, or fractional
        cells : (3, 3) or (n_frames, 3, 3) Å, rows are the cell vectors
        wrapped
            None or True: nearest images are taken. False: the positions are unwrapped and steps may be of any length.
        fractional
            Whether positions are fractions of the cell vectors.
        masses : (n_atoms,) amu
            The elements' standard masses by default.
        velocities : (n_frames, n_atoms, 3) Å/fs
        """
        positions = np.asarray(positions)
        if positions.ndim != 3 or positions.shape[2] != 3 or not len(positions):
            raise InputError(f"positions has shape {positions.shape}, expected (n_frames, n_atoms, 3)")
        cells = np.asarray(cells, dtype=np.float64)
        if cells.shape == (3, 3):
            cells = np.broadcast_to(cells, (len(positions), 3, 3))
        if cells.shape != (len(positions), 3, 3):
            raise InputError(f"cells has shape {cells.shape}, expected (3, 3) or ({len(positions)}, 3, 3)")
        symbols = np.asarray(species, dtype=np.str_)
        if symbols.shape != positions.shape[1:2]:
            raise InputError(f"species has shape {symbols.shape}, expected {positions.shape[1:2]}: one for each atom")
        space = "FRACTIONAL" if fractional else "CARTESIAN"
        unwrapper = Unwrapper(Coordinates[f"{space}_{'UNWRAPPED' if wrapped is False else 'UNKNOWN'}"], label="arrays")
        out = np.empty(positions.shape, dtype=np.float32 if positions.dtype == np.float32 else np.float64)
        unwrapper.feed(FrameChunk(positions, np.ascontiguousarray(cells, dtype=np.float64)), out)
        return cls(
            species=symbols,
            masses=masses_of(symbols) if masses is None else np.asarray(masses, dtype=np.float64),
            positions=out,
            cells=np.ascontiguousarray(cells),
            frame_spacing_fs=float(frame_spacing_fs),
            velocities=velocities,
            temperature_k=temperature_k,
            provenance=Provenance(operations=("made of arrays", unwrapper.scheme)),
        )

    @classmethod
    def from_atoms(
        cls, frames: Sequence["Atoms"], frame_spacing_fs: float, *, wrapped: bool | None = None, **options: Any
    ) -> "Trajectory":
        """Make a trajectory of ASE `Atoms` in time order; see `from_arrays` for the options.

        Velocities are kept where the first frame has momenta.
        """
        from mlip_sse.trajectory.building import arrays_of_atoms

        arrays = arrays_of_atoms(frames) | options
        return cls.from_arrays(frame_spacing_fs=frame_spacing_fs, wrapped=wrapped, **arrays)

    @classmethod
    def from_universe(
        cls,
        universe: Any,
        frame_spacing_fs: float | None = None,
        *,
        species: Sequence[str] | None = None,
        wrapped: bool | None = None,
        **options: Any,
    ) -> "Trajectory":
        """Make a trajectory of an MDAnalysis `Universe`; see `from_arrays` for the options.

        Elements are the topology's, unless ``species`` is given; the spacing is the reader's ``dt``, which MDAnalysis
        sets to 1 ps when the file has none, so pass ``frame_spacing_fs`` where in doubt.
        """
        from mlip_sse.trajectory.building import arrays_of_universe

        if frame_spacing_fs is None:
            frame_spacing_fs = 1000.0 * float(universe.trajectory.dt)
        arrays = arrays_of_universe(universe, species) | options
        return cls.from_arrays(frame_spacing_fs=frame_spacing_fs, wrapped=wrapped, **arrays)

    def window(self, start: int, stop: int | None = None) -> "Trajectory":
        """Return the frames from ``start`` to ``stop`` (as a slice); coordinates are shared, not copied."""
        chosen = slice(start, stop)
        if not len(range(self.n_frames)[chosen]):
            raise InputError(f"no frame in {start}:{stop}; the trajectory has {self.n_frames}")
        return dataclasses.replace(
            self,
            positions=self.positions[chosen],
            cells=self.cells[chosen],
            velocities=None if self.velocities is None else self.velocities[chosen],
            drift=None if self.drift is None else self.drift[chosen],
            provenance=self.provenance.then(f"frames {start}:{'' if stop is None else stop}"),
        )

    def split(self, n: int) -> list["Trajectory"]:
        """Return ``n`` consecutive parts of equal length; frames that are left over at the end are dropped."""
        length = self.n_frames // n if n > 0 else 0
        if length < 2:
            raise InputError(
                f"{self.n_frames} frames cannot be split into {n} parts of at least two; choose fewer parts"
            )
        return [self.window(i * length, (i + 1) * length) for i in range(n)]

    def __repr__(self) -> str:
        at = "" if self.temperature_k is None else f" at {self.temperature_k:g} K"
        return (
            f"<Trajectory {self.formula}: {self.n_frames} frames of {self.n_atoms} atoms, {self.frame_spacing_fs:g} fs "
            f"apart{at}, reference {self.reference}>"
        )

    @property
    def formula(self) -> str:
        """All atoms by element, such as ``Cl32Li192P32S160``."""
        symbols, counts = np.unique(self.species, return_counts=True)
        return "".join(f"{symbol}{count}" for symbol, count in zip(symbols, counts, strict=True))

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
        # a mapped file is read as seldom as may be: several blocks are gathered at a time
        gathered = max(1, _MAPPED_BYTES // (3 * 8 * self.n_frames) // step) * step if self._is_mapped else step
        for start in range(0, len(indices), gathered):
            chosen = indices[start : start + gathered]
            block = np.empty((len(chosen), 3, self.n_frames))
            self._gather(chosen, block)
            for first in range(0, len(chosen), step):
                part = block[first : first + step]
                out = np.empty(part.shape, dtype=dtype)
                centre(part, out)
                yield out

    @property
    def _is_mapped(self) -> bool:
        return isinstance(self.positions, np.memmap)

    def _gather(self, chosen: NDArray[np.intp], block: NDArray[np.float64]) -> None:
        for first, part in self._frames():
            drift = np.zeros((len(part), 3)) if self.drift is None else self.drift[first : first + len(part)]
            gather(part, np.asarray(chosen, dtype=np.int64), drift, first, block)

    def _frames(self) -> Iterator[tuple[int, NDArray[np.floating]]]:
        """Yield (first frame, positions of some frames); a mapped file's pages are handed back after each part."""
        if not self._is_mapped:
            yield 0, self.positions
            return
        rows = max(1, _BLOCK_BYTES // (self.positions.itemsize * 3 * self.n_atoms))
        for first in range(0, self.n_frames, rows):
            yield first, np.asarray(self.positions[first : first + rows])
            release(self.positions)

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
        weights = np.asarray(weights, dtype=np.float64)
        for first, part in self._frames():
            weigh(part, weights, total[first : first + len(part)])
        if self.drift is not None:
            total -= weights.sum() * self.drift
        return total


def masses_of(species: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return the standard atomic masses of chemical symbols.

    Parameters
    ----------
    species : (n_atoms,)

    Returns
    -------
    (n_atoms,) amu
    """
    from ase.data import atomic_masses, atomic_numbers

    symbols, inverse = np.unique(species, return_inverse=True)
    for symbol in symbols:
        if str(symbol) not in atomic_numbers or not atomic_numbers[str(symbol)]:
            raise InputError(f"{str(symbol)!r} is not a chemical symbol; pass species= with the elements of the atoms")
    masses: NDArray[np.float64] = np.array([float(atomic_masses[atomic_numbers[str(symbol)]]) for symbol in symbols])
    return masses[inverse]
