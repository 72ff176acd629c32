"""The files that LAMMPS reads live as long as whoever names them."""

import gc

import numpy as np
import pytest

from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.pod.potential import PodPotential
from mlip_sse.potentials.pod.specs import PodSpec
from mlip_sse.structures import crystal

RECIPE = {
    "description": "LiCl on the labels of rigid ions",
    "family": "pod",
    "cutoff": 4.0,
    "two_body": 3,
    "three_body": {"radial": 2, "angular": 1},
    "regularisation": 1e-8,
    "domain": {"temperature_k": [300, 600], "references": ["none"], "licence": "MIT"},
}


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(5)
    calculator = load_potential("licl_born_mayer").calculator()
    found = []
    for _ in range(4):
        atoms = crystal("licl")
        atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
        atoms.calc = calculator
        atoms.get_potential_energy()  # ASE's calculators compute forces and stress with it
        found.append(LabelledFrame.from_atoms(atoms, Fingerprint.declared("rigid ions")))
    return found


@pytest.fixture
def potential(frames, tmp_path):
    return PodPotential.fit(PodSpec.parse(RECIPE), frames[:3], frames[3:], tmp_path)


def test_a_calculator_outlives_its_potential(potential, frames):
    """Nothing was saved, so that the files of the pair style lie in a folder of the potential's own."""
    kept = potential.calculator()
    atoms = frames[0].to_atoms()
    atoms.calc = kept
    expected = atoms.get_forces()
    lost = potential.add_frames([]).calculator()
    gc.collect()
    atoms.calc = lost
    np.testing.assert_allclose(atoms.get_forces(), expected, rtol=0, atol=1e-9)


def test_the_files_of_a_deck_outlive_the_potential(potential):
    files = potential.add_frames([]).lammps(["Cl", "Li"]).files
    gc.collect()
    assert files
    assert [file for file in files if not file.is_file()] == []
