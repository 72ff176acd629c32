"""H5MD files: one particles group with positions, box, and where present images, velocities, times and species.

Units come from the ``unit`` attributes; a file without them is refused until the caller names them, because a length in
nm and one in Å differ by a factor that nothing else in the file betrays.

References
----------
de Buyl, Colberg, Höfling, Comput. Phys. Commun. 185, 1546 (2014), https://doi.org/10.1016/j.cpc.2014.01.018
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.even_times import StoredTimes
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.periodic_cells import require_cells
from mlip_sse.trajectory.readers.chunking import frames_per_chunk
from mlip_sse.trajectory.readers.hdf5 import explained
from mlip_sse.trajectory.readers.naming import Naming, name_atoms, name_labels
from mlip_sse.trajectory.readers.unit_words import length_in_angstrom, time_in_fs, velocity_in_angstrom_per_fs

__all__ = ["open_h5md"]


def open_h5md(
    path: Path,
    *,
    group: str | None = None,
    species: Naming = None,
    topology: str | Path | None = None,
    length_unit: str | None = None,
    time_unit: str | None = None,
) -> FrameSource:
    """Open an H5MD file.

    Parameters
    ----------
    path
        The file.
    group
        Which group below ``/particles``; not needed where there is one.
    species
        One symbol for each atom, or a mapping from the numbers of the file's ``species`` to symbols.
    topology
        A structure file of the same atoms, instead of ``species``.
    length_unit, time_unit
        Units of a file that has no ``unit`` attributes, such as ``angstrom`` or ``nm``, and ``fs`` or ``ps``.

    Raises
    ------
    FormatError
        When the file is damaged, or lacks positions, a periodic box or units.
    InputError
        When the file holds several particles groups and none is named, or not the one that is.
    """
    reader = _Reader(path, group, length_unit, time_unit)
    notes: list[str] = []
    times = reader.times(notes)
    if topology is not None:
        symbols = name_atoms(path, reader.n_atoms, "H5MD", None, topology)
    else:
        labels = reader.labels()
        if labels is None:
            listed = None if isinstance(species, dict) else species
            symbols = name_atoms(path, reader.n_atoms, "this H5MD file", listed, None)  # type: ignore[arg-type]
        else:
            symbols = name_labels(path, labels, species)
    unwrapped = reader.images is not None
    return FrameSource(
        chunks=reader.chunks(times),
        n_atoms=reader.n_atoms,
        species=symbols,
        coordinates=Coordinates.CARTESIAN_WRAPPED if unwrapped else Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=times.spacing_fs if times else None,
        n_frames=reader.n_frames,
        notes=notes,
    )


class _Reader:
    """The data sets of one particles group, their shapes checked, their units known."""

    def __init__(self, path: Path, group: str | None, length_unit: str | None, time_unit: str | None) -> None:
        import h5py

        self._path, self._length_unit, self._time_unit = path, length_unit, time_unit
        with explained(self._path, "the file"):
            self._file = h5py.File(path, "r")
            self._group = self._choose_group(group)
            self._positions = self._values("position", required=True)
            self.images = self._values("image")
            self._velocities = self._values("velocity")
            self._box = self._open_box()
        shape = tuple(self._positions.shape)
        if len(shape) != 3 or shape[2] != 3 or not shape[1]:
            raise FormatError(f"{path}: positions have shape {shape}, expected (frames, atoms, 3)")
        self.n_frames, self.n_atoms = int(shape[0]), int(shape[1])
        if not self.n_frames:
            raise FormatError(f"{path}: holds no frames; was the run killed before the first was written?")
        for name, values in (("image", self.images), ("velocity", self._velocities)):
            if values is not None and tuple(values.shape) != shape:
                raise FormatError(
                    f"{path}: found {name} of shape {tuple(values.shape)}, expected that of the positions, {shape}; "
                    "write both at the same frames"
                )
        with explained(self._path, "the units"):
            self._length = self._unit(self._positions, length_unit, length_in_angstrom, "length_unit")
            self._velocity = self._velocity_unit() if self._velocities is not None else 1.0
        self._check_identifiers()

    def _choose_group(self, name: str | None) -> Any:
        particles = self._file.get("particles")
        names = list(particles) if particles is not None else []
        if name is not None and name in names:
            return particles[name]
        if name is not None or len(names) != 1:
            listed = ", ".join(names[:10]) or "none"
            raise InputError(f"{self._path}: particles groups are {listed}; say which one with group=")
        return particles[names[0]]

    def _values(self, name: str, required: bool = False) -> Any:
        import h5py

        element = self._group.get(name)
        values = element.get("value") if isinstance(element, h5py.Group) else None
        if isinstance(values, h5py.Dataset) and values.dtype.kind in "fiu":
            return values
        if required or element is not None:
            raise FormatError(f"{self._path}: {self._group.name}/{name}/value is missing or not made of numbers")
        return None

    def _open_box(self) -> Any:
        import h5py

        box = self._group.get("box")
        edges = box.get("edges") if isinstance(box, h5py.Group) else None
        boundary = [
            word.decode() if isinstance(word, bytes) else str(word)
            for word in np.ravel(box.attrs.get("boundary", ["periodic"] * 3) if edges is not None else [])
        ]
        if edges is None or any(word != "periodic" for word in boundary):
            raise FormatError(
                f"{self._path}: the box is {boundary or 'missing'}; a periodic cell in every frame is needed"
            )
        values = edges["value"] if isinstance(edges, h5py.Group) else edges
        if values.dtype.kind not in "fiu":
            raise FormatError(f"{self._path}: the box edges are not made of numbers; the file is damaged")
        return values

    def _unit(self, values: Any, given: str | None, convert: Any, option: str) -> float:
        stored = values.attrs.get("unit")
        if stored is None and given is None:
            raise FormatError(f"{self._path}: {values.name} has no unit attribute; say its unit with {option}=")
        word = stored.decode("utf-8", "replace") if isinstance(stored, bytes) else str(stored or given)
        return float(convert(word, f"{self._path}: {values.name}"))

    def _velocity_unit(self) -> float:
        if self._velocities.attrs.get("unit") is None and self._length_unit and self._time_unit:
            where = f"{self._path}: {self._velocities.name}"
            return length_in_angstrom(self._length_unit, where) / time_in_fs(self._time_unit, where)
        option = "length_unit= and time_unit"
        return self._unit(self._velocities, None, velocity_in_angstrom_per_fs, option)

    def _check_identifiers(self) -> None:
        """Refuse files whose atoms change their places from frame to frame."""
        import h5py

        with explained(self._path, "id"):
            element = self._group.get("id")
            if not isinstance(element, h5py.Group) or "value" not in element:
                return
            first = element["value"][0]
            size = frames_per_chunk(self.n_atoms)
            for start in range(0, len(element["value"]), size):
                changed = np.any(element["value"][start : start + size] != first, axis=1)
                if changed.any():
                    frame = start + int(np.argmax(changed))
                    raise FormatError(
                        f"{self._path}: the order of the atoms changes in frame {frame}; write them sorted by id"
                    )

    def labels(self) -> list[object] | None:
        """Return what the file calls each atom: symbol, name in an enumeration or number; None where it is silent."""
        import h5py

        with explained(self._path, "species"):
            element = self._group.get("species")
            if element is None:
                return None
            data = element["value"] if isinstance(element, h5py.Group) else element
            stored = np.asarray(data[0] if data.ndim == 2 else data[()])
            names = h5py.check_enum_dtype(data.dtype)
            if data.ndim == 2 and np.any(data[()] != stored):
                raise FormatError(f"{self._path}: the species of an atom changes in time; atoms must keep their order")
        if stored.shape != (self.n_atoms,):
            raise FormatError(f"{self._path}: species has shape {stored.shape}, expected ({self.n_atoms},)")
        by_number = {number: name for name, number in (names or {}).items()}
        return [
            value.decode("utf-8", "replace") if isinstance(value, bytes) else by_number.get(value, value)
            for value in stored.tolist()
        ]

    def times(self, notes: list[str]) -> StoredTimes | None:
        """Return the times of the frames, stored one by one or as a fixed increment."""
        with explained(self._path, "time"):
            element = self._group["position"]
            steps = self._steps(element.get("step"))
            time = element.get("time")
            if time is None:
                return None if steps is None else StoredTimes(None, None, steps)
            factor = self._unit(time, self._time_unit, time_in_fs, "time_unit")
            if time.shape == ():
                return StoredTimes(float(time[()]) * factor, None, steps) if time[()] > 0 else None
            if time.shape != (self.n_frames,):
                raise FormatError(f"{self._path}: time has shape {time.shape}, expected ({self.n_frames},)")
            resolution = float(np.finfo(np.float32 if time.dtype.itemsize <= 4 else np.float64).eps)
            return StoredTimes.of(time[()].astype(np.float64) * factor, steps, resolution, notes)

    def _steps(self, step: Any) -> NDArray[np.int64] | None:
        if step is None or step.shape != (self.n_frames,) or step.dtype.kind not in "iu":
            return None
        steps: NDArray[np.int64] = step[()].astype(np.int64)
        return steps

    def chunks(self, times: StoredTimes | None) -> Iterator[FrameChunk]:
        """Yield the frames."""
        size = frames_per_chunk(self.n_atoms)
        for start in range(0, self.n_frames, size):
            stop = min(start + size, self.n_frames)
            # what is not finite in a damaged file is refused by name later
            with explained(self._path, f"frames {start} to {stop - 1}"), np.errstate(invalid="ignore", over="ignore"):
                positions = self._positions[start:stop] * self._length
                images = None if self.images is None else self.images[start:stop].astype(np.int64)
                velocities = None if self._velocities is None else self._velocities[start:stop] * self._velocity
                edges = self._edges(start, stop)
            stored_times, steps = times.part(start, stop) if times else (None, None)
            yield FrameChunk(
                coordinates=positions,
                cells=require_cells(edges, start, self._path),
                images=images,
                velocities=velocities,
                times_fs=stored_times,
                steps=steps,
            )

    def _edges(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the cells: lengths or vectors, one for all frames or one each."""
        shape = tuple(self._box.shape)
        if shape in ((3,), (3, 3)) and self._box.name.endswith("edges"):
            stored = np.broadcast_to(self._box[()], (stop - start, *shape))
        elif shape in ((self.n_frames, 3), (self.n_frames, 3, 3)):
            stored = self._box[start:stop]
        else:
            raise FormatError(
                f"{self._path}: found box edges of shape {shape}, expected (3,) or (3, 3), for all frames or for each "
                f"of {self.n_frames}; the file is damaged"
            )
        factor = self._length
        if self._box.attrs.get("unit") is not None:
            factor = self._unit(self._box, None, length_in_angstrom, "length_unit")
        cells = np.asarray(stored, dtype=np.float64) * factor
        return cells if cells.ndim == 3 else cells[:, :, None] * np.eye(3)
