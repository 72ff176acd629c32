"""The contract of all families, for POD with three-body and with four-body functions."""

import pytest
from ase.build import bulk

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod import PodPotential
from tests.potentials.contract_suite import ContractSuite, small_and_sheared
from tests.potentials.pod.small import recipe

FOUR_BODY = {"three_body": {"radial": 3, "angular": 2}, "four_body": {"radial": 1, "angular": 2}}


@pytest.fixture(scope="module")
def structures():
    return small_and_sheared(bulk("LiCl", "rocksalt", a=5.2, cubic=True))


class TestThreeBody(ContractSuite):
    """In double precision, at the tolerances of the suite; edges below twice the cutoff."""

    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls, licl_frames, tmp_path_factory):
        folder = tmp_path_factory.mktemp("three") / "work"
        return PodPotential.fit(recipe(), licl_frames[:10], [], folder)


class TestFourBody(ContractSuite):
    """The same but for the order of types, which LAMMPS' four-body functions depend on."""

    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls, licl_frames, tmp_path_factory):
        folder = tmp_path_factory.mktemp("four") / "work"
        return PodPotential.fit(recipe(**FOUR_BODY), licl_frames[:10], [], folder)

    def test_other_order_of_types_in_lammps(self, potential, structures):
        with pytest.raises(InputError, match="expected the order Li, Cl"):
            potential.lammps(["Cl", "Li"])
