"""The contract of all families, for NequIP and Allegro; what needs a compiled model is slow."""

import pytest

from tests.potentials.contract_suite import LammpsContract, StaticContract, small_and_sheared
from tests.potentials.equivariant.tiny import tiny_frames, tiny_potential
from tests.potentials.lammps_plugin.conftest import plugin, shared_folder

pytest.importorskip("torch")
pytest.importorskip("nequip")
pytestmark = [pytest.mark.usefixtures("lammps"), pytest.mark.filterwarnings("ignore")]

__all__ = ["plugin", "shared_folder"]  # fixtures of this module too


@pytest.fixture(scope="module", params=["nequip", "allegro"])
def potential(request, tmp_path_factory):
    return tiny_potential(request.param, tmp_path_factory.mktemp("fit") / "work")


@pytest.fixture(scope="module")
def structures():
    """Return twelve atoms in cells with an edge of 5.2 Å, at a cutoff of 4 Å."""
    return small_and_sheared(tiny_frames(1, seed=3)[0].to_atoms())[:2]


class TestNetwork(StaticContract):
    """In float64, as the tiny recipe says, from the eager model."""


@pytest.mark.slow
@pytest.mark.usefixtures("plugin")
class TestNetworkInLammps(LammpsContract):
    """The compiled model in LAMMPS against ASE."""
