"""The contract of all families, for POD."""

import pytest
from ase.build import bulk

from mlip_sse.potentials.pod.potential import PodPotential
from tests.potentials.contract_suite import ContractSuite, small_and_sheared
from tests.potentials.licl import label, licl_atoms, pod_recipe, smooth_licl

pytestmark = pytest.mark.usefixtures("lammps")


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    frames = label(licl_atoms(40, seed=0), smooth_licl())
    return PodPotential.fit(pod_recipe(), frames[:30], frames[30:], tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def structures():
    """Return cells with an edge of 5.2 Å, at a cutoff of 5 Å."""
    return small_and_sheared(bulk("LiCl", "rocksalt", a=5.2, cubic=True))


class TestPod(ContractSuite):
    """In double precision, at the tolerances of the suite."""
