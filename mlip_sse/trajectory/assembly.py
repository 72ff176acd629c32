"""Putting a trajectory together: files joined into one run, frames selected, unwrapped and stored."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.provenance import Provenance
from mlip_sse.trajectory.clock import Clock, take
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource, TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory, masses_of
from mlip_sse.trajectory.storage import FrameStore
from mlip_sse.trajectory.unwrap import Unwrapper

__all__ = ["Assembly", "Kept"]

_SAME_FRAME = 1e-4
"""Largest difference in Å between two frames that are one, written twice."""


_SPEED_OF_LIGHT = 2997.92458
"""In Å/fs."""


@dataclass(frozen=True)
class Kept:
    """What is kept of the frames, and where.

    Parameters
    ----------
    start, stop, step
        Frames to keep, as in a slice.
    velocities
        Whether to keep velocities where the file has them.
    limit_bytes
        More than this goes to a scratch file.
    scratch
        Folder for that file.
    dtype
        Kept precision.
    """

    start: int
    stop: int | None
    step: int
    velocities: bool
    limit_bytes: int
    scratch: Path | None
    dtype: type[np.floating]


class Assembly:
    """A trajectory being put together from one file after the other.

    Parameters
    ----------
    kept
        What to keep of the frames.
    given_spacing_fs
        Time between the files' frames by the caller, in fs.
    wrapped
        Overrules what the format says of its coordinates.
    """

    def __init__(self, kept: Kept, given_spacing_fs: float | None = None, wrapped: bool | None = None) -> None:
        self._kept, self._given_spacing_fs, self._wrapped = kept, given_spacing_fs, wrapped
        self._notes: list[str] = []
        self._sources: list[FrameSource] = []
        self._clock: Clock | None = None
        self._spacing_fs: float | None = None
        self._n_seen = 0
        self._stored: _Stored | None = None
        self._label = ""

    @property
    def complete(self) -> bool:
        """Whether no later frame is wanted."""
        return self._kept.stop is not None and self._n_seen >= self._kept.stop

    def add(self, path: Path, source: FrameSource) -> None:
        """Read one file to its end, or to the last frame that is wanted."""
        self._label = str(path)
        self._match_atoms(source)
        previous, clock = self._clock, Clock(self._label, source, self._given_spacing_fs)
        self._sources.append(source)
        n_frames = 0
        for raw in source.chunks:
            chunk = clock.check(raw)
            if n_frames == 0 and previous is not None:
                chunk = self._join(chunk, previous)
            self._take(chunk, n_frames + len(raw.cells) - len(chunk.cells))
            n_frames += len(raw.cells)
            if self.complete:
                break
        if n_frames == 0:
            raise FormatError(f"{path}: no frames; give a file that holds a run")
        self._clock = clock
        if clock.n_repeated:
            self._notes.append(f"{path}: {clock.n_repeated} repeated frames left out")
        if clock.conflict:
            self._notes.append(clock.conflict)
            warnings.warn(clock.conflict, TrajectoryWarning, stacklevel=4)
        self._match_spacing(clock, n_frames)
        self._notes.extend(source.notes)

    def finish(self, temperature_k: float | None, provenance: Provenance) -> Trajectory:
        """Return what has been read."""
        kept, stored, first = self._kept, self._stored, self._sources[0]
        asked = f"{kept.start}:{'' if kept.stop is None else kept.stop}:{kept.step}"
        if stored is None or stored.positions.n_frames < 2:
            found = 0 if stored is None else stored.positions.n_frames
            raise FormatError(
                f"{self._label}: {('no frame', 'only one frame')[found]} in {asked} of the {self._n_seen} that were "
                "read; a trajectory needs at least two"
            )
        if stored.claim is not None:
            stored.claim.verify(self._label)
        species = np.asarray(first.species)
        precision = np.dtype(kept.dtype).name
        for note in (*self._notes, f"frames {asked} kept", f"{stored.unwrapper.scheme}; stored in {precision}"):
            provenance = provenance.then(note)
        return Trajectory(
            species=species,
            masses=masses_of(species) if first.masses is None else np.asarray(first.masses, dtype=np.float64),
            positions=stored.positions.finish(),
            cells=np.concatenate(stored.cells),
            frame_spacing_fs=(self._spacing_fs or 0.0) * kept.step,
            velocities=None if stored.velocities is None else stored.velocities.finish(),
            temperature_k=first.temperature_k if temperature_k is None else float(temperature_k),
            provenance=provenance,
        )

    def _match_atoms(self, source: FrameSource) -> None:
        """Require elements, and in a continued run the same atoms."""
        if source.species is None:
            raise InputError(f"{self._label}: the file does not say which elements its atoms are; pass species=")
        if len(source.species) != source.n_atoms:
            raise InputError(
                f"{self._label}: {len(source.species)} species for {source.n_atoms} atoms; pass one for each atom"
            )
        if self._sources and not np.array_equal(source.species, np.asarray(self._sources[0].species)):
            raise FormatError(
                f"{self._label}: holds {source.n_atoms} atoms that are not, in this order, the "
                f"{self._sources[0].n_atoms} of the file before; files of one list must continue one run"
            )

    def _match_spacing(self, clock: Clock, n_frames: int) -> None:
        if n_frames == 1 and self._given_spacing_fs is None and clock.source.frame_spacing_fs is None:
            if self._n_seen <= 1 and not self.complete:
                raise FormatError(f"{self._label}: holds only one frame; a trajectory needs at least two: give the run")
            return
        spacing = clock.spacing_fs
        if self._spacing_fs is not None and abs(spacing - self._spacing_fs) > 1e-3 * self._spacing_fs:
            raise FormatError(
                f"{self._label}: frames are {spacing:g} fs apart, {self._spacing_fs:g} fs in the file before; files "
                "of one list must have the same spacing"
            )
        self._spacing_fs = spacing

    def _join(self, chunk: FrameChunk, previous: Clock) -> FrameChunk:
        """Leave out the first frame of a file where the file before ends with it; require that steps go on."""
        if self._repeats_last(chunk):
            self._notes.append(f"{self._label}: begins with the last frame of the file before, kept once")
            return take(chunk, slice(1, None))
        advance = previous.steps.expected
        if chunk.steps is not None and advance is not None:
            found, expected = int(chunk.steps[0]), previous.steps.last + advance
            if found != expected and found > advance:  # a count that begins anew cannot be checked
                raise FormatError(
                    f"{self._label}: begins at step {found}, expected {expected:.0f} to continue the file before; "
                    "files of one list must follow each other without gap or overlap"
                )
        return chunk

    def _repeats_last(self, chunk: FrameChunk) -> bool:
        if self._stored is None:
            return False
        cell = np.asarray(chunk.cells[0], dtype=np.float64)
        own = np.asarray(chunk.coordinates[0], dtype=np.float64)
        if not self._kind(self._sources[-1]).name.startswith("FRACTIONAL"):
            own = own @ np.linalg.inv(cell)
        change = own - self._stored.unwrapper.fractions
        return bool(np.abs((change - np.rint(change)) @ cell).max() < _SAME_FRAME)

    def _kind(self, source: FrameSource) -> Coordinates:
        """Return what the coordinates are, with the caller's word on it."""
        if self._wrapped is None:
            return source.coordinates
        space = source.coordinates.name.split("_")[0]
        return Coordinates[f"{space}_{'WRAPPED' if self._wrapped else 'UNWRAPPED'}"]

    def _take(self, chunk: FrameChunk, frame_in_file: int) -> None:
        """Keep what is wanted of a chunk."""
        kept, number = self._kept, self._n_seen
        self._n_seen += len(chunk.cells)
        if self.complete and kept.stop is not None:
            chunk = take(chunk, slice(0, kept.stop - number))
            self._n_seen = kept.stop
        skipped = max(0, kept.start - number)
        chunk = take(chunk, slice(skipped, None))
        if not len(chunk.cells):
            return
        if self._stored is None:
            source = self._sources[-1]
            kind = self._kind(source)
            doubted = self._wrapped is False and not source.coordinates.name.endswith("_UNWRAPPED")
            self._stored = _Stored(source, kind, kept, kept.velocities and chunk.velocities is not None, doubted)
        self._stored.unwrapper.label, self._stored.unwrapper.frame = self._label, frame_in_file + skipped
        self._stored.add(chunk, slice(-(number + skipped - kept.start) % kept.step, None, kept.step))


class _Stored:
    """The frames that are kept, unwrapped as they come."""

    def __init__(
        self, source: FrameSource, kind: Coordinates, kept: Kept, with_velocities: bool, doubted: bool
    ) -> None:
        species = np.asarray(source.species)
        self.unwrapper = Unwrapper(kind, lambda atom: f"atom {atom} ({species[atom]}, counted from 0)")
        limit = kept.limit_bytes // (2 if with_velocities else 1)
        self.positions = FrameStore(source.n_atoms, kept.dtype, limit, kept.scratch)
        self.velocities = FrameStore(source.n_atoms, kept.dtype, limit, kept.scratch) if with_velocities else None
        self.cells: list[NDArray[np.float64]] = []
        self.claim = _UnwrappedClaim(kind.name.startswith("FRACTIONAL")) if doubted else None

    def add(self, chunk: FrameChunk, which: slice) -> None:
        """Unwrap a chunk and keep some of its frames."""
        if self.claim is not None:
            self.claim.look_at(chunk)
        if which.step == 1:
            room = self.positions.room(len(chunk.cells))
            self.unwrapper.feed(chunk, room)
            self.positions.keep(room)
        else:
            unwrapped = np.empty(chunk.coordinates.shape)
            self.unwrapper.feed(chunk, unwrapped)
            self.positions.keep(unwrapped[which])
        self.cells.append(np.asarray(chunk.cells, dtype=np.float64)[which])
        if self.velocities is None:
            return
        if chunk.velocities is None or not (np.abs(chunk.velocities) < _SPEED_OF_LIGHT).all():
            raise FormatError(
                f"{self.unwrapper.label}: velocities are missing, not finite or beyond the speed of light before "
                f"frame {self.unwrapper.frame}; read with velocities=False"
            )
        self.velocities.keep(chunk.velocities[which])


@dataclass
class _UnwrappedClaim:
    """Holds the caller's word that coordinates are unwrapped against the coordinates."""

    fractional: bool
    low: float = field(default=np.inf)
    high: float = field(default=-np.inf)
    longest_step: float = 0.0
    last: NDArray[np.float64] | None = None

    def look_at(self, chunk: FrameChunk) -> None:
        own = np.asarray(chunk.coordinates, dtype=np.float64)
        if not self.fractional:
            own = own @ np.linalg.inv(chunk.cells)
        before = own[:1] if self.last is None else self.last[None]
        self.longest_step = max(self.longest_step, float(np.abs(np.diff(own, axis=0, prepend=before)).max()))
        self.low, self.high = min(self.low, float(own.min())), max(self.high, float(own.max()))
        self.last = own[-1]

    def verify(self, label: str) -> None:
        if self.longest_step > 0.5 and self.high - self.low < 1.0 + 1e-6:
            raise InputError(
                f"{label}: wrapped=False was given, but all atoms stay inside one cell and some jump across it; the "
                "coordinates are wrapped: leave wrapped= out"
            )
