"""Small labelled frames of LiCl from the shipped Born-Mayer potential, and a fit to them."""

import pytest

from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.potentials import load_potential
from tests.potentials.pod.small import licl_cells, recipe


@pytest.fixture(scope="session")
def licl_frames(lammps):
    calculator = load_potential("licl_born_mayer").calculator()
    fingerprint = Fingerprint.declared("Born-Mayer of Fumi and Tosi")
    frames = []
    for number, atoms in enumerate(licl_cells(16, seed=3)):
        atoms.calc = calculator
        atoms.get_potential_energy(), atoms.get_stress()
        frames.append(LabelledFrame.from_atoms(atoms, fingerprint, group="rattled", place=number))
    calculator.close()
    return frames


@pytest.fixture(scope="session")
def fitted(licl_frames, tmp_path_factory):
    from mlip_sse.potentials.pod import PodPotential

    folder = tmp_path_factory.mktemp("licl") / "work"
    return PodPotential.fit(recipe(), licl_frames[:10], licl_frames[10:12], folder)
