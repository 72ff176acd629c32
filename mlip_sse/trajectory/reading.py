"""From files to a trajectory: frames streamed, joined, unwrapped and stored within a stated memory."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.provenance import InputFile, Provenance
from mlip_sse.trajectory.clock import Clock, take
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource, TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory, masses_of
from mlip_sse.trajectory.storage import FrameStore
from mlip_sse.trajectory.unwrap import Unwrapper

__all__ = ["DEFAULT_MEMORY_LIMIT_BYTES", "read_trajectory"]

DEFAULT_MEMORY_LIMIT_BYTES = 512 << 20
"""Above this much, coordinates go to a scratch file; with program and buffers it stays within 1 GB resident."""

_SAME_FRAME = 1e-4
"""Largest difference in Å between two frames that are one, written twice."""


def read_trajectory(
    path: str | Path | Sequence[str | Path],
    frame_spacing_fs: float | None = None,
    temperature_k: float | None = None,
    *,
    format: str | None = None,
    species: Mapping[int, str] | Sequence[str] | None = None,
    timestep_fs: float | None = None,
    wrapped: bool | None = None,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    reference: str = "none",
    mobile: str | Sequence[str] = (),
    velocities: bool = True,
    memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES,
    scratch: str | Path | None = None,
    dtype: type[np.floating] = np.float32,
    **options: object,
) -> Trajectory:
    """Read a trajectory of any supported format and unwrap it.

    Parameters
    ----------
    path
        A file, or the files of a continued run in order; a boundary frame that both files hold is kept once.
    frame_spacing_fs
        Time between the file's frames; needed where the file does not say, and it overrules what the file says.
    temperature_k
        Temperature; taken from the file where it says.
    format
        A key of `mlip_sse.trajectory.formats.FORMATS`; told from the content by default.
    species
        Atom type to symbol, or a list of symbols, for formats without elements.
    timestep_fs
        The run's timestep, for formats that count steps only.
    wrapped
        Overrules what the format says of its coordinates: True takes nearest images, False sums steps as they are.
    start, stop, step
        Frames to keep, as in a slice, none negative; unwrapping goes through all frames from ``start`` to ``stop``.
    reference, mobile
        See `Trajectory.in_reference_frame`.
    velocities
        Whether to keep velocities where the file has them.
    memory_limit_bytes
        More than this goes to a scratch file that is mapped.
    scratch
        Folder for that file; the system's temporary folder by default.
    dtype
        Kept precision; steps are summed in float64 in either case.
    **options
        Further options of the format's reader.

    Raises
    ------
    FormatError
        When a file is not what it should be; the message names the frame and the atom.
    InputError
        When an argument cannot be used, or one that is needed is missing.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    if not paths:
        raise InputError("no file to read; give at least one path")
    if start < 0 or step < 1 or (stop is not None and stop <= start):
        raise InputError(f"frames {start}:{stop}:{step} cannot be read; expected 0 ≤ start < stop and step ≥ 1")
    if frame_spacing_fs is not None and not (np.isfinite(frame_spacing_fs) and frame_spacing_fs > 0):
        raise InputError(f"frame_spacing_fs must be positive, found {frame_spacing_fs!r}")
    given = {"species": species, "timestep_fs": timestep_fs, **options}
    reader_options = {name: value for name, value in given.items() if value is not None}
    assembly = _Assembly(
        frame_spacing_fs, wrapped, (start, stop, step), velocities, memory_limit_bytes, scratch and Path(scratch), dtype
    )
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool:
        hashes: list[Future[InputFile]] = []
        for one in paths:
            source = open_source(one, format, **reader_options)
            hashes.append(pool.submit(InputFile.of, one))
            assembly.add(one, source)
            if assembly.complete:
                break
        inputs = tuple(future.result() for future in hashes)
    settings = {**reader_options, "frames": [start, stop, step], "wrapped": wrapped}
    trajectory = assembly.finish(temperature_k, Provenance(inputs=inputs, settings=settings))
    if reference != "none":
        trajectory = trajectory.in_reference_frame(reference, [mobile] if isinstance(mobile, str) else mobile)
    return trajectory


@dataclass
class _Assembly:
    """A trajectory being put together from one file after the other."""

    given_spacing_fs: float | None
    wrapped: bool | None
    frames: tuple[int, int | None, int]
    with_velocities: bool
    limit_bytes: int
    scratch: Path | None
    dtype: type[np.floating]
    notes: list[str] = field(default_factory=list)
    sources: list[FrameSource] = field(default_factory=list)
    clock: Clock | None = None
    spacing_fs: float | None = None
    n_seen: int = 0
    cells: list[NDArray[np.float64]] = field(default_factory=list)
    positions: FrameStore | None = None
    velocities: FrameStore | None = None
    unwrapper: Unwrapper | None = None
    claim: "_UnwrappedClaim | None" = None

    @property
    def complete(self) -> bool:
        """Whether no later frame is wanted."""
        return self.frames[1] is not None and self.n_seen >= self.frames[1]

    def add(self, path: Path, source: FrameSource) -> None:
        """Read one file to its end, or to the last frame that is wanted."""
        label = str(path)
        self._match(label, source)
        previous, self.clock = self.clock, Clock(label, source, self.given_spacing_fs)
        self.sources.append(source)
        for n_chunks, raw in enumerate(source.chunks):
            chunk = self.clock.check(raw)
            if n_chunks == 0 and previous is not None:
                chunk = self._join(label, chunk, previous)
            self._take(chunk)
            if self.complete:
                break
        if self.clock.n_repeated:
            self.notes.append(f"{label}: {self.clock.n_repeated} repeated frames left out")
        if self.clock.conflict:
            self.notes.append(self.clock.conflict)
            warnings.warn(self.clock.conflict, TrajectoryWarning, stacklevel=3)
        self._match_spacing(label)
        self.notes.extend(source.notes)

    def finish(self, temperature_k: float | None, provenance: Provenance) -> Trajectory:
        """Return what has been read."""
        label, first = self.clock.label if self.clock else "", self.sources[0]
        if self.positions is None or self.unwrapper is None:
            raise FormatError(
                f"{label}: no frame in {self.frames[0]}:{self.frames[1]}, the file has {self.n_seen}; choose fewer to skip"
            )
        if self.positions.n_frames < 2:
            raise FormatError(
                f"{label}: only one frame was read (of {self.n_seen}); a trajectory needs at least two: give the whole run"
            )
        if self.claim is not None:
            self.claim.verify(label)
        species = np.asarray(first.species)
        for note in [*self.notes, *self._operations()]:
            provenance = provenance.then(note)
        return Trajectory(
            species=species,
            masses=masses_of(species) if first.masses is None else np.asarray(first.masses, dtype=np.float64),
            positions=self.positions.finish(),
            cells=np.concatenate(self.cells),
            frame_spacing_fs=(self.spacing_fs or 0.0) * self.frames[2],
            velocities=None if self.velocities is None else self.velocities.finish(),
            temperature_k=first.temperature_k if temperature_k is None else float(temperature_k),
            provenance=provenance,
        )

    def _operations(self) -> Iterator[str]:
        if self.unwrapper is None:
            return
        start, stop, step = self.frames
        yield f"frames {start}:{'' if stop is None else stop}:{step} of {self.n_seen} read"
        yield f"{self.unwrapper.scheme}, stored in {np.dtype(self.dtype).name}"

    def _match(self, label: str, source: FrameSource) -> None:
        """Require that a continued run holds the same atoms."""
        if source.species is None:
            raise InputError(f"{label}: the file does not say which elements its atoms are; pass species=")
        if len(source.species) != source.n_atoms:
            raise InputError(
                f"{label}: {len(source.species)} species for {source.n_atoms} atoms; pass one for each atom"
            )
        if not self.sources:
            return
        first = self.sources[0]
        if source.n_atoms != first.n_atoms or not np.array_equal(source.species, np.asarray(first.species)):
            raise FormatError(
                f"{label}: holds {source.n_atoms} atoms that are not, in this order, the {first.n_atoms} of the file before; "
                "files of one list must continue one run"
            )

    def _match_spacing(self, label: str) -> None:
        if self.clock is None or (self.clock.steps.n_kept == 1 and self.spacing_fs is not None):
            return
        if self.given_spacing_fs is None and self.n_seen <= 1:
            raise FormatError(f"{label}: only one frame was read; a trajectory needs at least two: give the whole run")
        spacing = self.clock.spacing_fs
        if self.spacing_fs is not None and abs(spacing - self.spacing_fs) > 1e-3 * self.spacing_fs:
            raise FormatError(
                f"{label}: frames are {spacing:g} fs apart, {self.spacing_fs:g} fs in the file before; files of one list must "
                "have the same spacing"
            )
        self.spacing_fs = spacing

    def _join(self, label: str, chunk: FrameChunk, previous: Clock) -> FrameChunk:
        """Leave out the first frame of a file where the file before ends with it; require that steps go on."""
        if self._repeats_last(chunk):
            self.notes.append(f"{label}: begins with the last frame of the file before, kept once")
            return take(chunk, slice(1, None))
        if chunk.steps is not None and previous.steps.n_kept and previous.steps.expected:
            found, expected = int(chunk.steps[0]), previous.steps.last + previous.steps.expected
            if found != expected and found > previous.steps.expected:
                raise FormatError(
                    f"{label}: begins at step {found}, expected {expected:.0f} to continue the file before; files of one list "
                    "must follow each other without gap or overlap"
                )
        return chunk

    def _repeats_last(self, chunk: FrameChunk) -> bool:
        if self.unwrapper is None or not len(chunk.cells):
            return False
        cell = np.asarray(chunk.cells[0], dtype=np.float64)
        own = np.asarray(chunk.coordinates[0], dtype=np.float64)
        if not self._kind(self.sources[-1]).name.startswith("FRACTIONAL"):
            own = own @ np.linalg.inv(cell)
        change = own - self.unwrapper.fractions
        return bool(np.abs((change - np.rint(change)) @ cell).max() < _SAME_FRAME)

    def _kind(self, source: FrameSource) -> Coordinates:
        """Return what the coordinates are, with the caller's word on it."""
        if self.wrapped is None:
            return source.coordinates
        space = source.coordinates.name.split("_")[0]
        return Coordinates[f"{space}_{'WRAPPED' if self.wrapped else 'UNWRAPPED'}"]

    def _begin(self, source: FrameSource, with_velocities: bool) -> None:
        species, kind = np.asarray(source.species), self._kind(source)
        label = self.clock.label if self.clock else ""
        self.unwrapper = Unwrapper(
            kind, lambda atom: f"atom {atom} ({species[atom]}, counted from 0)", label, self.n_seen
        )
        limit = self.limit_bytes // (2 if with_velocities else 1)
        self.positions = FrameStore(source.n_atoms, self.dtype, limit, self.scratch)
        if with_velocities:
            self.velocities = FrameStore(source.n_atoms, self.dtype, limit, self.scratch)
        if self.wrapped is False and not source.coordinates.name.endswith("_UNWRAPPED"):
            self.claim = _UnwrappedClaim(kind.name.startswith("FRACTIONAL"))

    def _take(self, chunk: FrameChunk) -> None:
        start, stop, step = self.frames
        n, seen = len(chunk.cells), self.n_seen
        self.n_seen += n
        chunk = take(chunk, slice(max(0, start - seen), None if stop is None else max(0, stop - seen)))
        if stop is not None:
            self.n_seen = min(self.n_seen, stop)
        if not len(chunk.cells):
            return
        first = max(seen, start)
        if self.positions is None or self.unwrapper is None:
            self.n_seen, keep_seen = first, self.n_seen
            self._begin(self.sources[-1], self.with_velocities and chunk.velocities is not None)
            self.n_seen = keep_seen
        if self.positions is None or self.unwrapper is None:  # for the type checker: _begin has made them
            return
        if self.claim is not None:
            self.claim.look_at(chunk)
        which = slice(-(first - start) % step, None, step)
        if step == 1:
            room = self.positions.room(len(chunk.cells))
            self.unwrapper.feed(chunk, room)
            self.positions.keep(room)
        else:
            room = np.empty(chunk.coordinates.shape)
            self.unwrapper.feed(chunk, room)
            self.positions.keep(room[which])
        self.cells.append(np.asarray(chunk.cells, dtype=np.float64)[which])
        if self.velocities is not None:
            if chunk.velocities is None:
                raise FormatError(
                    f"{self.unwrapper.label}: velocities stop at frame {first}; read with velocities=False"
                )
            self.velocities.keep(chunk.velocities[which])


@dataclass
class _UnwrappedClaim:
    """Holds the caller's word that coordinates are unwrapped against the coordinates."""

    fractional: bool
    low: float = 0.0
    high: float = 0.0
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
