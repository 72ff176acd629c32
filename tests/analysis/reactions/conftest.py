"""Entries of the Materials Project that lie beside the repository, as we and as pymatgen read them."""

import json
import warnings

import pytest

from mlip_sse.analysis.reactions.entries import read_phases
from mlip_sse.analysis.reactions.hull import ConvexHull
from mlip_sse.analysis.reactions.phases import EnergyState, Phase, PhaseSet, Scheme, read_formula


@pytest.fixture(scope="session")
def entries_path(shared_data):
    return shared_data("lifepo_entries/Li-Fe-P-O_entries.json")


@pytest.fixture(scope="session")
def lifepo(entries_path):
    return ConvexHull(read_phases(entries_path))


@pytest.fixture(scope="session")
def pymatgen_diagram(entries_path):
    """Return pymatgen's phase diagram of the same entries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pymatgen.analysis.phase_diagram import PhaseDiagram
        from pymatgen.core.entries import ComputedEntry

        return PhaseDiagram([ComputedEntry.from_dict(entry) for entry in json.loads(entries_path.read_text())])


@pytest.fixture
def make_phases():
    """Return a function that makes phases of formulas and formation energies per formula unit."""

    def make(energies, scheme=Scheme.NONE, **extra):
        state = EnergyState(scheme, "GGA", "made up")
        return PhaseSet(tuple(Phase(read_formula(f), energy, f, state, **extra) for f, energy in energies.items()))

    return make
