"""The contract of all families, for NequIP and Allegro in double precision; what needs compiled files is slow."""

import pytest

from tests.potentials.contract_suite import ContractSuite, small_and_sheared
from tests.potentials.equivariant.tiny import tiny_frames, tiny_potential
from tests.potentials.lammps_plugin.conftest import plugin, shared_folder  # noqa: F401

pytest.importorskip("torch")
pytest.importorskip("nequip")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", params=["nequip", "allegro"])
def potential(request, tmp_path_factory):
    return tiny_potential(request.param, tmp_path_factory.mktemp("fit") / "work")


@pytest.fixture(scope="module")
def structures():
    """Edges of 5.2 Å, below twice the cutoff of 4 Å."""
    return small_and_sheared(tiny_frames(1)[0].to_atoms())


class TestEquivariant(ContractSuite):
    """At the tolerances of the suite."""

    @pytest.mark.slow
    def test_ase_equals_lammps(self, potential, structures, plugin):  # noqa: F811
        super().test_ase_equals_lammps(potential, structures)

    @pytest.mark.slow
    def test_other_order_of_types_in_lammps(self, potential, structures, plugin):  # noqa: F811
        super().test_other_order_of_types_in_lammps(potential, structures)
