"""The committee's spread: that of the calculator, at a third of its price."""

import numpy as np
from ase.calculators.calculator import all_changes
from ase.calculators.lj import LennardJones

from mlip_sse.md_protocols.exploration.spreads import committee_spreads
from tests.potentials.licl import licl_atoms


def test_spreads_are_those_of_the_calculator(licl_pod):
    frames = licl_atoms(3, seed=12)
    calculator = licl_pod.calculator()
    expected = [np.linalg.norm(calculator.get_property("forces_std", atoms), axis=1) for atoms in frames]
    calculator.close()
    found = committee_spreads(licl_pod, frames)
    # Coefficients of the members go through a file with twelve digits behind the point or more.
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert found.min() > 0


def test_one_member_has_no_spread(licl_pod, licl_teacher):
    frames = licl_atoms(2, seed=12)
    assert np.isnan(committee_spreads(licl_pod.member(0), frames)).all()
    assert np.isnan(committee_spreads(licl_teacher, frames)).all()
    assert committee_spreads(licl_teacher, frames).shape == (2, 8)


class Divided(LennardJones):
    """A calculator that says how far its committee disagrees."""

    implemented_properties = [*LennardJones.implemented_properties, "forces_std"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Disagree by (0, 3, 4) eV/Å on every atom."""
        super().calculate(atoms, properties, system_changes)
        self.results["forces_std"] = np.tile([0.0, 3.0, 4.0], (len(self.atoms), 1))


class DividedPotential:
    def calculator(self):
        return Divided()


def test_any_calculator_with_a_spread_is_asked():
    np.testing.assert_allclose(committee_spreads(DividedPotential(), licl_atoms(2)), 5.0)
