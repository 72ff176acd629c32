"""Energies of relaxed crystals: what state they are in, and when a relaxation is good enough."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.analysis.reactions import Scheme
from mlip_sse.analysis.results import Quality, Verdict
from mlip_sse.cli.reaction_sources import _calculator, _scheme, _settled_energy
from mlip_sse.errors import CatalogueError, RunError
from mlip_sse.md_protocols.relaxation import Relaxation

CREEPS = Verdict(Quality.REFUSED, ("not converged after 300 steps: found 0.1 eV/Å",))


def relaxation(energies, verdict):
    atoms = bulk("Li", cubic=True)  # two atoms
    forces, stress = np.zeros((2, 3)), np.zeros(6)
    return Relaxation(atoms, energies[-1], forces, stress, len(energies) - 1, np.array(energies), verdict)


def test_a_converged_relaxation_gives_its_last_energy():
    assert _settled_energy(relaxation([-1.0, -2.0], Verdict())) == -2.0


def test_one_that_creeps_gives_its_lowest_energy_and_one_that_falls_is_refused():
    creeping = [-3.0 - 1e-6 * step for step in range(301)]
    creeping[280] += 0.5  # a step that went too far
    assert _settled_energy(relaxation(creeping, CREEPS)) == pytest.approx(-3.0003)
    with pytest.raises(RunError, match=r"Li2: not converged .*; give entries"):
        _settled_energy(relaxation([-3.0 - 1e-3 * step for step in range(301)], CREEPS))


def test_a_structure_that_fell_apart_is_refused_though_its_energy_settled():
    apart = Verdict(Quality.REFUSED, ("the volume grew to 3 times",))
    with pytest.raises(RunError, match="the volume grew"):
        _settled_energy(relaxation([-3.0] * 301, apart))


def test_chgnet_and_its_students_have_corrections_inside():
    assert _scheme("PBE/PBE+U (MP2020)") is Scheme.BAKED
    assert _scheme("PBE") is Scheme.NONE
    assert _scheme(None) is Scheme.NONE


def test_a_shipped_student_of_chgnet_is_known_as_one():
    calculator, scheme, functional = _calculator("li6ps5cl_pod")
    assert scheme is Scheme.BAKED
    assert "MP2020" in functional
    assert "energy" in calculator.implemented_properties


def test_an_unknown_name_lists_the_potentials():
    with pytest.raises(CatalogueError, match="li6ps5cl_pod"):
        _calculator("no_such_potential")
