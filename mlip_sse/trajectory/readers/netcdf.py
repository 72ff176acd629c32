"""AMBER-convention NetCDF trajectories, of AMBER, LAMMPS, OpenMM and MDAnalysis; classic NetCDF or NetCDF-4.

Units are read from the ``units`` and ``scale_factor`` attributes of each variable and default to those of the
convention (Å, ps, degrees).

References
----------
AMBER NetCDF trajectory convention 1.0, https://ambermd.org/netcdf/nctraj.xhtml
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.even_times import StoredTimes
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.periodic_cells import cells_from_lengths_angles, require_cells
from mlip_sse.trajectory.readers.chunking import frames_per_chunk, note_cut
from mlip_sse.trajectory.readers.hdf5 import explained
from mlip_sse.trajectory.readers.naming import name_atoms
from mlip_sse.trajectory.readers.netcdf_classic import ClassicFile
from mlip_sse.trajectory.readers.unit_words import (
    angle_in_degrees,
    length_in_angstrom,
    time_in_fs,
    velocity_in_angstrom_per_fs,
)

__all__ = ["open_netcdf"]

_DEFAULT_UNITS = {
    "coordinates": "angstrom",
    "velocities": "angstrom/picosecond",
    "time": "picosecond",
    "cell_lengths": "angstrom",
    "cell_angles": "degree",
}
_CONVERSIONS = {
    "coordinates": length_in_angstrom,
    "velocities": velocity_in_angstrom_per_fs,
    "time": time_in_fs,
    "cell_lengths": length_in_angstrom,
    "cell_angles": angle_in_degrees,
}


class _Array(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, key: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class _Variable:
    values: _Array
    factor: float


def open_netcdf(path: Path, *, species: Sequence[str] | None = None, topology: str | Path | None = None) -> FrameSource:
    """Open an AMBER-convention NetCDF trajectory.

    Parameters
    ----------
    path
        The file.
    species, topology
        Chemical symbols, or a structure file of the same atoms: the convention names none.

    Raises
    ------
    FormatError
        When the file is damaged, lacks coordinates or cells, or has a unit that is not known.
    """
    notes: list[str] = []
    with path.open("rb") as file:
        classic = file.read(3) == b"CDF"
    variables = _classic_variables(path, notes) if classic else _hdf5_variables(path)
    for needed in ("coordinates", "cell_lengths", "cell_angles"):
        if needed not in variables:
            raise FormatError(
                f"{path}: has no {needed}; a periodic trajectory of the AMBER NetCDF convention is needed"
            )
    n_frames, n_atoms = _check_shapes(path, variables)
    times = None
    if "time" in variables:
        with explained(path, "time"):
            times = _times(variables["time"], n_frames, notes)
    return FrameSource(
        chunks=_chunks(path, variables, times, n_frames, n_atoms),
        n_atoms=n_atoms,
        species=name_atoms(path, n_atoms, "AMBER NetCDF", species, topology),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=times.spacing_fs if times else None,
        n_frames=n_frames,
        notes=notes,
    )


def _classic_variables(path: Path, notes: list[str]) -> dict[str, _Variable]:
    file = ClassicFile(path)
    if file.is_cut:
        note_cut(notes, path, f"the header states {file.n_records_stated} frames", file.n_records)
    return {
        name: _Variable(variable.values, _factor(path, name, variable.attributes))
        for name, variable in file.variables.items()
        if name in _CONVERSIONS
    }


def _hdf5_variables(path: Path) -> dict[str, _Variable]:
    import h5py

    with explained(path, "the NetCDF-4 file"):
        file = h5py.File(path, "r")  # stays open as long as its data sets are in use
        return {
            name: _Variable(file[name], _factor(path, name, dict(file[name].attrs)))
            for name in _CONVERSIONS
            if isinstance(file.get(name), h5py.Dataset)
        }


def _factor(path: Path, name: str, attributes: Mapping[str, object]) -> float:
    """Return what a stored number is multiplied with to be in Å, fs or degrees."""
    unit = attributes.get("units", _DEFAULT_UNITS[name])
    text = unit.decode("latin-1") if isinstance(unit, bytes) else str(unit)
    scale = np.asarray(attributes.get("scale_factor", 1.0)).ravel()
    if scale.size != 1 or scale.dtype.kind not in "fiu" or not np.isfinite(scale[0]) or scale[0] == 0:
        raise FormatError(f"{path}: scale_factor of {name} is {scale.tolist()}, expected one number that is not zero")
    return _CONVERSIONS[name](text, f"{path}: {name}") * float(scale[0])


def _check_shapes(path: Path, variables: dict[str, _Variable]) -> tuple[int, int]:
    shape = variables["coordinates"].values.shape
    if len(shape) != 3 or shape[2] != 3 or not shape[1]:
        raise FormatError(f"{path}: coordinates have shape {shape}, expected (frames, atoms, 3)")
    n_frames, n_atoms = shape[:2]
    if not n_frames:
        raise FormatError(f"{path}: holds no complete frame; the file is cut off, or the run was killed early")
    expected = {"velocities": shape, "time": (n_frames,), "cell_lengths": (n_frames, 3), "cell_angles": (n_frames, 3)}
    for name, wanted in expected.items():
        if name in variables and variables[name].values.shape != wanted:
            raise FormatError(f"{path}: {name} has shape {variables[name].values.shape}, expected {wanted}")
    for name, variable in variables.items():
        if variable.values.dtype.kind not in "fiu":
            raise FormatError(f"{path}: {name} is not made of numbers; the file is damaged")
    return n_frames, n_atoms


def _times(variable: _Variable, n_frames: int, notes: list[str]) -> StoredTimes:
    resolution = 1.2e-7 if variable.values.dtype.itemsize <= 4 else 2.3e-16
    with np.errstate(invalid="ignore", over="ignore"):
        times = np.asarray(variable.values[:n_frames]).astype(np.float64) * variable.factor
    return StoredTimes.of(times, None, resolution, notes)


def _chunks(
    path: Path, variables: dict[str, _Variable], times: StoredTimes | None, n_frames: int, n_atoms: int
) -> Iterator[FrameChunk]:
    def part(name: str, start: int, stop: int) -> NDArray[np.float64]:
        variable = variables[name]
        # what is not finite is refused by name later
        with explained(path, f"{name} of frames {start} to {stop - 1}"), np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(variable.values[start:stop]).astype(np.float64) * variable.factor

    size = frames_per_chunk(n_atoms)
    for start in range(0, n_frames, size):
        stop = min(start + size, n_frames)
        cells = cells_from_lengths_angles(part("cell_lengths", start, stop), part("cell_angles", start, stop))
        yield FrameChunk(
            coordinates=part("coordinates", start, stop),
            cells=require_cells(cells, start, path),
            velocities=part("velocities", start, stop) if "velocities" in variables else None,
            times_fs=times.part(start, stop)[0] if times else None,
        )
