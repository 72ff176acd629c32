"""Read all frames of a text file: ours, and the readers that users take for it today.

Ours ends with an unwrapped trajectory in memory; "frames only" stops where the others do, at each frame's coordinates.
The check is the sum over the frames of one wrapped coordinate of one atom.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.registry import OURS, Run, case
from benchmarks.synthetic import BOX, write_dump, write_extxyz, write_xdatcar

__all__ = ["FILES"]

_ATOM = 7
_FEW_FRAMES = 5
_SPECIES = {1: "Li", 2: "O"}

FILES: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "dump": ("synthetic.dump", write_dump),
    "xdatcar": ("XDATCAR", write_xdatcar),
    "extxyz": ("synthetic.extxyz", write_extxyz),
}
"""Name and writer of each group's file."""


def _file(group: str, n_frames: int, folder: Path) -> str:
    name, write = FILES[group]
    path = folder / str(n_frames) / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, n_frames)
    return str(path)


def _sum_of_y(frames: Iterable[Any]) -> float:
    return float(sum(float(positions[_ATOM, 1]) for positions in frames))


def _read_ours(group: str, n_frames: int, folder: Path, **options: Any) -> Run:
    from mlip_sse import Trajectory

    def read(path: str) -> float:
        trajectory = Trajectory.read(path, frame_spacing_fs=100.0, **options)
        return float(np.sum(np.asarray(trajectory.positions[:, _ATOM, 1], dtype=np.float64) % BOX))

    return _compiled(read, group, n_frames, folder)


def _iterate_ours(group: str, n_frames: int, folder: Path, unit: float = 1.0, **options: Any) -> Run:
    from mlip_sse.trajectory.formats import open_source

    def read(path: str) -> float:
        columns = (chunk.coordinates[:, _ATOM, 1] for chunk in open_source(path, **options).chunks)
        return float(sum(np.sum(unit * column % BOX) for column in columns))

    return _compiled(read, group, n_frames, folder)


def _compiled(read: Callable[[str], float], group: str, n_frames: int, folder: Path) -> Run:
    """Read a file of a few frames first, so that compiling and loading kernels is not part of what is measured."""
    read(_file(group, _FEW_FRAMES, folder))
    path = _file(group, n_frames, folder)
    return lambda: read(path)


def _read_ase(path: str, file_format: str) -> Run:
    from ase.io import iread

    return lambda: _sum_of_y(atoms.positions for atoms in iread(path, ":", format=file_format))


def _read_ovito(path: str) -> Run:
    from ovito.io import import_file

    def run() -> float:
        source = import_file(path).source
        return _sum_of_y(source.compute(frame).particles.positions for frame in range(source.num_frames))

    return run


def _read_chemfiles(path: str, file_format: str) -> Run:
    import chemfiles

    def run() -> float:
        with chemfiles.Trajectory(path, "r", file_format) as trajectory:
            return _sum_of_y(frame.positions for frame in trajectory)

    return run


@case("dump", "mlip-sse, unwrapped trajectory", OURS)
def dump_ours(n_frames: int, folder: Path) -> Run:
    return _read_ours("dump", n_frames, folder, species=_SPECIES)


@case("dump", "mlip-sse, frames only", OURS)
def dump_ours_frames(n_frames: int, folder: Path) -> Run:
    return _iterate_ours("dump", n_frames, folder, species=_SPECIES)


@case("dump", "chemfiles", "chemfiles")
def dump_chemfiles(n_frames: int, folder: Path) -> Run:
    return _read_chemfiles(_file("dump", n_frames, folder), "LAMMPS")


@case("dump", "OVITO", "ovito")
def dump_ovito(n_frames: int, folder: Path) -> Run:
    return _read_ovito(_file("dump", n_frames, folder))


@case("dump", "ASE", "ase")
def dump_ase(n_frames: int, folder: Path) -> Run:
    return _read_ase(_file("dump", n_frames, folder), "lammps-dump-text")


@case("dump", "MDAnalysis", "MDAnalysis")
def dump_mdanalysis(n_frames: int, folder: Path) -> Run:
    import MDAnalysis

    path = _file("dump", n_frames, folder)

    def run() -> float:
        universe = MDAnalysis.Universe(path, topology_format="LAMMPSDUMP", format="LAMMPSDUMP")
        return _sum_of_y(step.positions for step in universe.trajectory)

    return run


@case("dump", "pymatgen", "pymatgen")
def dump_pymatgen(n_frames: int, folder: Path) -> Run:
    from pymatgen.io.lammps.outputs import parse_lammps_dumps

    path = _file("dump", n_frames, folder)
    return lambda: _sum_of_y(dump.data[["x", "y", "z"]].to_numpy() for dump in parse_lammps_dumps(path))


@case("xdatcar", "mlip-sse, unwrapped trajectory", OURS)
def xdatcar_ours(n_frames: int, folder: Path) -> Run:
    return _read_ours("xdatcar", n_frames, folder)


@case("xdatcar", "mlip-sse, frames only", OURS)
def xdatcar_ours_frames(n_frames: int, folder: Path) -> Run:
    return _iterate_ours("xdatcar", n_frames, folder, unit=BOX)


@case("xdatcar", "OVITO", "ovito")
def xdatcar_ovito(n_frames: int, folder: Path) -> Run:
    return _read_ovito(_file("xdatcar", n_frames, folder))


@case("xdatcar", "ASE", "ase")
def xdatcar_ase(n_frames: int, folder: Path) -> Run:
    return _read_ase(_file("xdatcar", n_frames, folder), "vasp-xdatcar")


@case("xdatcar", "pymatgen", "pymatgen")
def xdatcar_pymatgen(n_frames: int, folder: Path) -> Run:
    from pymatgen.io.vasp import Xdatcar

    path = _file("xdatcar", n_frames, folder)
    return lambda: _sum_of_y(structure.cart_coords for structure in Xdatcar(path).structures)


@case("extxyz", "mlip-sse, unwrapped trajectory", OURS)
def extxyz_ours(n_frames: int, folder: Path) -> Run:
    return _read_ours("extxyz", n_frames, folder)


@case("extxyz", "mlip-sse, frames only", OURS)
def extxyz_ours_frames(n_frames: int, folder: Path) -> Run:
    return _iterate_ours("extxyz", n_frames, folder)


@case("extxyz", "extxyz (C)", "extxyz")
def extxyz_c(n_frames: int, folder: Path) -> Run:
    import extxyz

    path = _file("extxyz", n_frames, folder)
    return lambda: _sum_of_y(_extxyz_positions(frame) for frame in extxyz.iread_dicts(path))


def _extxyz_positions(frame: Any) -> Any:
    """Return the positions of a frame, which is an object or, before version 0.3, a tuple."""
    return (frame.arrays if hasattr(frame, "arrays") else frame[2])["pos"]


@case("extxyz", "chemfiles", "chemfiles")
def extxyz_chemfiles(n_frames: int, folder: Path) -> Run:
    return _read_chemfiles(_file("extxyz", n_frames, folder), "XYZ")


@case("extxyz", "OVITO", "ovito")
def extxyz_ovito(n_frames: int, folder: Path) -> Run:
    return _read_ovito(_file("extxyz", n_frames, folder))


@case("extxyz", "ASE", "ase")
def extxyz_ase(n_frames: int, folder: Path) -> Run:
    return _read_ase(_file("extxyz", n_frames, folder), "extxyz")
