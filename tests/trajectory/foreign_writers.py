"""One small run, written in every format by programs other than ours (VASP's formats excepted: see `vasp_writers`)."""

import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPACING_FS = 5.0
SYMBOLS = ["Li"] * 5 + ["P"] * 2 + ["S"] * 6


@dataclass(frozen=True, eq=False)
class Run:
    """A random walk in a breathing triclinic cell: unwrapped and wrapped coordinates, images, velocities, cells."""

    unwrapped: NDArray[np.float64]
    wrapped: NDArray[np.float64]
    images: NDArray[np.int64]
    velocities: NDArray[np.float64]
    cells: NDArray[np.float64]

    @property
    def n_frames(self) -> int:
        return len(self.cells)


def make_run(n_frames: int = 12, seed: int = 7) -> Run:
    """Return the run; the unwrapped path sums fractional increments times the cell of their own frame."""
    rng = np.random.default_rng(seed)
    cell = np.array([[9.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-1.0, 2.0, 10.0]])
    cells = cell * (1.0 + 0.01 * np.sin(np.arange(n_frames) / 3.0))[:, None, None]
    steps = rng.normal(scale=0.03, size=(n_frames, len(SYMBOLS), 3))
    steps[0] = rng.random((len(SYMBOLS), 3)) + np.array([0.0, 0.0, 0.45])
    fractional = np.cumsum(steps, axis=0)
    increments = np.einsum("tad,tdc->tac", steps, cells)
    wrapped = np.einsum("tad,tdc->tac", fractional - np.floor(fractional), cells)
    images = np.floor(fractional).astype(np.int64)
    return Run(np.cumsum(increments, axis=0), wrapped, images, increments / SPACING_FS, cells)


def by_mdanalysis(path: Path, run: Run, velocities: bool = False, **options: object) -> Path:
    """Write DCD, XTC, TRR, AMBER NetCDF or H5MD, as the suffix says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import MDAnalysis

        if path.suffix == ".ncdf":
            options["velocities"] = velocities
        if path.suffix == ".h5md":
            units = {"lengthunit": "Angstrom", "timeunit": "ps", "velocityunit": "Angstrom/ps"}
            options = {"n_frames": run.n_frames, "convert_units": False, **units, **options}
        universe = MDAnalysis.Universe.empty(len(SYMBOLS), trajectory=True, velocities=velocities)
        with MDAnalysis.Writer(str(path), len(SYMBOLS), **options) as writer:
            for frame in range(run.n_frames):
                step = universe.trajectory.ts
                step.positions = run.wrapped[frame]
                step.triclinic_dimensions = run.cells[frame]
                if velocities:
                    step.velocities = run.velocities[frame] * 1000.0
                step.frame, step.time, step.data["step"] = frame, frame * SPACING_FS / 1000.0, 10 * frame
                writer.write(universe.atoms)
    return path


def read_by_mdanalysis(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions and cells as MDAnalysis reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from MDAnalysis.coordinates.core import reader

        with reader(str(path), n_atoms=len(SYMBOLS)) as frames:
            pairs = [(step.positions.copy(), step.triclinic_dimensions.copy()) for step in frames]
    return np.array([p for p, _ in pairs], dtype=np.float64), np.array([c for _, c in pairs], dtype=np.float64)


def frames_of_ase(run: Run, velocities: bool = False) -> list[object]:
    """Return the run as `ase.Atoms`."""
    import ase.units
    from ase import Atoms

    frames = []
    for frame in range(run.n_frames):
        atoms = Atoms(SYMBOLS, positions=run.wrapped[frame], cell=run.cells[frame], pbc=True)
        if velocities:
            atoms.set_velocities(run.velocities[frame] / ase.units.fs)
        frames.append(atoms)
    return frames


def by_ase(path: Path, run: Run, velocities: bool = False) -> Path:
    """Write .traj or extended XYZ, as the suffix says."""
    import ase.io

    ase.io.write(path, frames_of_ase(run, velocities))
    return path


def by_pymatgen_xdatcar(path: Path, run: Run) -> Path:
    """Write an XDATCAR with a lattice in every frame, as VASP does in an NPT run."""
    from pymatgen.core import Lattice, Structure

    structures = [
        Structure(Lattice(run.cells[t]), SYMBOLS, run.wrapped[t], coords_are_cartesian=True)
        for t in range(run.n_frames)
    ]
    blocks = [_xdatcar_block(structure, number) for number, structure in enumerate(structures, start=1)]
    path.write_text("\n".join(blocks) + "\n")
    return path


def _xdatcar_block(structure: object, number: int) -> str:
    from pymatgen.io.vasp import Poscar

    lines = Poscar(structure, comment="run").get_str(significant_figures=8).split("\n")
    rows = [" ".join(line.split()[:3]) for line in lines[8 : 8 + len(SYMBOLS)]]
    return "\n".join([*lines[:7], f"Direct configuration= {number:5d}", *rows])


def cp2k_by_ase(folder: Path, run: Run, cell_file: bool = True) -> Path:
    """Write PROJECT-pos-1.xyz with CP2K's comments, and PROJECT-1.cell beside it."""
    import ase.io

    path = folder / "PROJECT-pos-1.xyz"
    for frame, atoms in enumerate(frames_of_ase(run)):
        comment = f" i = {10 * frame:8d}, time = {frame * SPACING_FS:12.3f}, E = {-17.1:20.10f}"
        ase.io.write(path, atoms, format="xyz", comment=comment, append=frame > 0)
    if cell_file:
        rows = ["#   Step   Time [fs]       Ax [Angstrom]       Ay [Angstrom] ... Volume [Angstrom^3]"]
        for frame, cell in enumerate(run.cells):
            numbers = "".join(f"{number:20.10f}" for number in [*cell.ravel(), np.linalg.det(cell)])
            rows.append(f"{10 * frame:8d}{frame * SPACING_FS:12.3f}{numbers}")
        (folder / "PROJECT-1.cell").write_text("\n".join(rows) + "\n")
    return path


def by_netcdf4(path: Path, run: Run, format: str, times: NDArray[np.float64] | None = None) -> Path:
    """Write with netCDF4 in other units: nm, fs, radians and a scale factor."""
    import netCDF4
    from MDAnalysis.lib.mdamath import triclinic_box

    with netCDF4.Dataset(path, "w", format=format) as file:
        file.Conventions, file.ConventionVersion = "AMBER", "1.0"
        for name, length in (("frame", None), ("atom", len(SYMBOLS)), ("spatial", 3), ("cell_spatial", 3)):
            file.createDimension(name, length)
        boxes = np.array([triclinic_box(*cell) for cell in run.cells], dtype=np.float64)
        table = {
            "time": (("frame",), np.arange(run.n_frames) * SPACING_FS if times is None else times, "femtosecond", 1.0),
            "coordinates": (("frame", "atom", "spatial"), run.wrapped / 10.0, "nm", 1.0),
            "cell_lengths": (("frame", "cell_spatial"), boxes[:, :3] / 2.0, "angstrom", 2.0),
            "cell_angles": (("frame", "cell_spatial"), np.radians(boxes[:, 3:]), "radian", 1.0),
        }
        for name, (dimensions, values, unit, scale) in table.items():
            variable = file.createVariable(name, "f8", dimensions)
            variable.set_auto_scale(False)
            variable.units = unit
            if scale != 1.0:
                variable.scale_factor = scale
            variable[:] = values
    return path


LAMMPS_DUMPS = {
    "lammps-dump": "argon.lammpstrj",
    "lammps-binary": "argon.bin",
    "xtc": "argon.xtc",
    "dcd": "argon.dcd",
    "xyz": "argon.xyz",
}
N_LAMMPS_ATOMS, LAMMPS_SPACING_FS = 32, 20.0


def by_lammps(folder: Path) -> None:
    """Run 32 atoms of argon in a triclinic box in `lmp` and leave `LAMMPS_DUMPS` in the folder."""
    script = """
units metal
atom_style atomic
lattice fcc 5.6
region box prism 0 2 0 2 0 2 0.3 0.2 -0.1 units lattice
create_box 1 box
create_atoms 1 box
mass 1 39.948
pair_style lj/cut 5.0
pair_coeff * * 0.0104 3.4
velocity all create 120 4711
fix 1 all nve
timestep 0.002
dump a all custom 10 argon.lammpstrj id type element x y z ix iy iz
dump_modify a sort id element Ar time yes units yes format float %.9f
dump b all custom 10 argon.bin id type x y z ix iy iz
dump c all xtc 10 argon.xtc
dump_modify c precision 100000
dump d all dcd 10 argon.dcd
dump_modify d unwrap yes
dump e all xyz 10 argon.xyz
dump_modify e sort id element Ar
run 60
"""
    program = Path(sys.executable).with_name("lmp")
    subprocess.run(
        [program, "-log", "none", "-screen", "none"], input=script, text=True, cwd=folder, check=True, timeout=120
    )
