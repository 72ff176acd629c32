"""A protocol of a few picoseconds, and LAMMPS where it is installed."""

import copy

import pytest

from mlip_sse.errors import MissingExtraError
from mlip_sse.md_protocols import DiffusionSpec
from mlip_sse.potentials.lammps_install import find_executable

SHORT = {
    "description": "64 ions of molten LiCl for half a picosecond",
    "protocol": "diffusion",
    "structure": {
        "prototype": "rocksalt",
        "species": ["Li", "Cl"],
        "repeats": [2, 2, 2],
        "density_g_cm3": [1.45],
    },
    "potential": "licl_born_mayer",
    "temperatures_k": [1000.0],
    "timestep_fs": 2.0,
    "melt": {"temperature_k": 1800.0, "duration_ps": 0.1, "cooling_ps": 0.1},
    "equilibration_ps": 0.1,
    "production_ps": 0.4,
    "dump_every_fs": 20.0,
}


@pytest.fixture
def short():
    """Return the data of a short protocol, to be changed at will."""
    return copy.deepcopy(SHORT)


@pytest.fixture
def short_spec(short):
    """Return a function that makes the short protocol with some keys changed."""
    return lambda **changes: DiffusionSpec.parse({**short, **changes})


@pytest.fixture(scope="session")
def lammps():
    """Skip where there is no LAMMPS program."""
    try:
        return find_executable()
    except MissingExtraError as error:
        pytest.skip(str(error))
