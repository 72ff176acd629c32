"""Voltage windows and profiles: by hand, against the literature and against pymatgen's grand potentials."""

import warnings

import numpy as np
import pytest

from mlip_sse.analysis.reactions.electrochemistry import phase_stability, voltage_profile
from mlip_sse.analysis.reactions.hull import ConvexHull
from mlip_sse.analysis.reactions.phases import EnergyState, Phase, Scheme, read_formula
from mlip_sse.errors import InputError

LITERATURE_WINDOW_V = (0.69, 4.21)  # Li3PO4, Zhu, He, Mo 2015


def test_li3po4_has_the_window_of_the_literature(lifepo):
    stability = phase_stability(lifepo, "Li3PO4")
    assert stability.reduction_limit_v.value == pytest.approx(LITERATURE_WINDOW_V[0], abs=0.05)
    assert stability.oxidation_limit_v.value == pytest.approx(LITERATURE_WINDOW_V[1], abs=0.05)
    assert set(stability.profile.plateaus[0].products) == {"Li2O", "Li3P"}


@pytest.fixture
def lithium_oxygen(make_phases):
    """Li2O at −6 and Li2O2 at −6.4 eV: 2 Li2O → Li2O2 + 2 Li at (12 − 6.4)/2 = 2.8 V, Li2O2 → O2 + 2 Li at 3.2 V."""
    return ConvexHull(make_phases({"Li": 0.0, "O2": 0.0, "Li2O": -6.0, "Li2O2": -6.4, "LiO2": -3.0}))


def test_plateaus_by_hand(lithium_oxygen):
    profile = voltage_profile(lithium_oxygen, "Li2O")
    assert profile.window_v == pytest.approx((0.0, 2.8))
    assert [plateau.low_v for plateau in profile.plateaus] == pytest.approx([0.0, 2.8, 3.2])
    assert [plateau.ions_taken_up for plateau in profile.plateaus] == pytest.approx([0, -1, -2])
    assert profile.plateaus[1].equation == "2 Li2O → Li2O2 + 2 Li"


def test_decomposition_energy_is_per_atom_of_the_phase(lithium_oxygen):
    profile = voltage_profile(lithium_oxygen, "Li2O")
    # at 4 V Li2O → ½ O2 + 2 Li: 6 − 8 eV over 3 atoms; at 1 V it stays
    np.testing.assert_allclose(profile.decomposition_energy([1.0, 4.0]), [0.0, -2.0 / 3.0], atol=1e-12)


def test_a_metastable_phase_has_the_window_of_what_it_decomposes_to(lithium_oxygen):
    """LiO2 lies 0.2 eV per formula above ½ Li2O2 + ½ O2, which hold its lithium only on their own plateau."""
    stability = phase_stability(lithium_oxygen, "LiO2")
    assert stability.energy_above_hull_ev_atom.value == pytest.approx(0.2 / 3)
    assert stability.window_of == "what it decomposes to"
    assert stability.decomposition == "2 LiO2 → Li2O2 + O2"
    assert stability.profile.window_v == pytest.approx((3.2, 3.2))
    assert stability.profile.decomposition_energy(3.2)[0] == pytest.approx(-0.2 / 3)


def test_a_phase_with_an_energy_of_its_own(lithium_oxygen):
    own = Phase(read_formula("Li2O"), -5.7, "relaxed", EnergyState(Scheme.NONE, "GGA", "mine"))
    assert phase_stability(lithium_oxygen, own).energy_above_hull_ev_atom.value == pytest.approx(0.1)


def test_a_host_without_the_ion_is_never_oxidised(lithium_oxygen, make_phases):
    hull = ConvexHull(make_phases({"Li": 0.0, "O2": 0.0, "Fe": 0.0, "Fe2O3": -8.0, "Li2O": -6.0}))
    low, high = voltage_profile(hull, "Fe2O3").window_v
    assert (low, high) == pytest.approx((10.0 / 6.0, np.inf))  # Fe2O3 + 6 Li → 3 Li2O + 2 Fe


def test_a_divalent_ion_halves_the_voltage(make_phases):
    hull = ConvexHull(make_phases({"Mg": 0.0, "O2": 0.0, "MgO": -6.0}))
    assert voltage_profile(hull, "MgO", "Mg").window_v == pytest.approx((0.0, 3.0))


@pytest.mark.parametrize("formula", ["LiPO3", "Li2FeP2O7"])
def test_grand_potentials_equal_pymatgens(lifepo, pymatgen_diagram, formula):
    from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram
    from pymatgen.core import Composition, Element

    lithium, composition = Element("Li"), Composition(formula)
    rest = Composition({e: n for e, n in composition.items() if e != lithium})
    mu0 = pymatgen_diagram.el_refs[lithium].energy_per_atom
    entry = min(
        (e for e in pymatgen_diagram.all_entries if e.composition.reduced_formula == formula),
        key=lambda e: e.energy_per_atom,
    )
    profile = voltage_profile(lifepo, formula)
    for voltage in (0.3, 2.3, 4.6):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grand = GrandPotentialPhaseDiagram(pymatgen_diagram.all_entries, {lithium: mu0 - voltage})
        energy = entry.energy_per_atom * composition.num_atoms - composition["Li"] * (mu0 - voltage)
        expected = (grand.get_hull_energy(rest) - energy) / composition.num_atoms
        assert profile.decomposition_energy(voltage)[0] == pytest.approx(expected, abs=1e-6)


def test_what_cannot_be_titrated(lithium_oxygen):
    with pytest.raises(InputError, match="expected a compound"):
        voltage_profile(lithium_oxygen, "Li")
    with pytest.raises(InputError, match="carries current"):
        voltage_profile(lithium_oxygen, "Li2O", "O")
