"""One small run in every format, written once by other programs for all tests of the readers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the writers are shared by the test modules of this folder

from foreign_writers import (
    LAMMPS_DUMPS,
    Run,
    by_ase,
    by_lammps,
    by_mdanalysis,
    by_pymatgen_xdatcar,
    cp2k_by_ase,
    make_run,
)
from vasp_writers import write_outcar, write_vasprun


@pytest.fixture(scope="session")
def run() -> Run:
    return make_run()


@pytest.fixture(scope="session")
def foreign_files(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file for each key of `mlip_sse.trajectory.formats.FORMATS`."""
    folder = tmp_path_factory.mktemp("foreign")
    by_lammps(folder)
    return {
        "lammps-dump": folder / LAMMPS_DUMPS["lammps-dump"],
        "lammps-binary": folder / LAMMPS_DUMPS["lammps-binary"],
        "xdatcar": by_pymatgen_xdatcar(folder / "XDATCAR", run),
        "extxyz": by_ase(folder / "run.extxyz", run),
        "vasprun": write_vasprun(folder / "vasprun.xml", run),
        "outcar": write_outcar(folder / "OUTCAR", run),
        "ase": by_ase(folder / "run.traj", run, velocities=True),
        "dcd": by_mdanalysis(folder / "run.dcd", run, dt=0.005),
        "xtc": by_mdanalysis(folder / "run.xtc", run),
        "trr": by_mdanalysis(folder / "run.trr", run, velocities=True),
        "h5md": by_mdanalysis(folder / "run.h5md", run, velocities=True),
        "netcdf": by_mdanalysis(folder / "run.ncdf", run, velocities=True),
        "xyz": cp2k_by_ase(folder, run),
    }
