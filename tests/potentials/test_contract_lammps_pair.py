"""The contract of all families, for analytic pair potentials."""

import pytest
from ase.build import bulk

from tests.potentials.contract_suite import ContractSuite, small_and_sheared
from tests.potentials.licl import smooth_licl

pytestmark = pytest.mark.usefixtures("lammps")


@pytest.fixture(scope="module")
def potential():
    return smooth_licl()


@pytest.fixture(scope="module")
def structures():
    return small_and_sheared(bulk("LiCl", "rocksalt", a=5.2, cubic=True))


class TestLammpsPair(ContractSuite):
    """In double precision, at the tolerances of the suite."""
