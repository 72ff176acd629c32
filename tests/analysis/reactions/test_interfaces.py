"""Reactions of two phases by hand, their invariances, and what is refused."""

import pytest

from mlip_sse.analysis.reactions.equations import balanced_equation, whole_numbers
from mlip_sse.analysis.reactions.hull import ConvexHull
from mlip_sse.analysis.reactions.interfaces import react, reservoir_of
from mlip_sse.analysis.reactions.phases import EnergyState, Phase, PhaseSet, Scheme, read_formula
from mlip_sse.analysis.reactions.uncertainty import NO_INTERVAL, with_uncertainty
from mlip_sse.errors import InputError

ENERGIES = {"Li": 0.0, "S": 0.0, "O2": 0.0, "Li2S": -4.4, "Li2O": -6.0, "SO2": -3.3, "Li2SO4": -14.0, "Li2S2": -4.5}


@pytest.fixture
def hull(make_phases):
    return ConvexHull(make_phases(ENERGIES))


def test_lifepo4_is_stable_against_li3po4(lifepo):
    reaction = react(lifepo, "Li3PO4", "LiFePO4")
    assert reaction.reaction_energy_ev_atom.value == 0.0
    assert reaction.mixing_fraction is None
    assert reaction.equation == "no reaction"


def test_a_reaction_by_hand(hull):
    """Li2SO4 + 8 Li → Li2S + 4 Li2O gains 14 − 4.4 − 24 = −14.4 eV over 15 atoms."""
    reaction = react(hull, "Li2SO4", "Li")
    assert reaction.equation == "Li2SO4 + 8 Li → 4 Li2O + Li2S"
    assert reaction.reaction_energy_ev_atom.value == pytest.approx(-14.4 / 15)
    assert reaction.mixing_fraction == pytest.approx(7 / 15)
    assert reaction.kinks[1].molar_fraction == pytest.approx(1 / 9)


def test_total_and_mutual_differ_by_the_instability_of_the_reactants(hull):
    """A disordered Li2S2 lies 0.4 eV per formula above the ordered one, and that is no merit of the other side."""
    reaction = react(hull, "Li2SO4", "Li2S2")
    assert reaction.second.energy_above_hull_ev_atom == pytest.approx(0.0)
    metastable = Phase(read_formula("Li2S2"), -4.1, "disordered", EnergyState(Scheme.NONE, "GGA", "mine"))
    reaction = react(hull, "Li2SO4", metastable)
    assert reaction.second.energy_above_hull_ev_atom == pytest.approx(0.1)
    assert reaction.mutual_reaction_energy_ev_atom.value == pytest.approx(0.0)
    assert reaction.reaction_energy_ev_atom.value == pytest.approx(-0.1)


def test_exchanging_the_sides_or_multiplying_a_formula_changes_nothing(lifepo):
    one, other = react(lifepo, "Li2O", "FePO4"), react(lifepo, "Fe4P4O16", "Li4O2")
    assert other.reaction_energy_ev_atom.value == pytest.approx(one.reaction_energy_ev_atom.value, abs=1e-12)
    assert other.mixing_fraction == pytest.approx(1 - one.mixing_fraction)


def test_each_kink_is_balanced(lifepo):
    for pair in (("Li2O", "FePO4"), ("LiFeP2O7", "Li3P"), ("Fe2O3", "LiPO3")):
        for open_to in (None, reservoir_of("Li", 1.0)):
            for kink in react(lifepo, *pair, open_to).kinks:
                left, right = (atoms_of(side) for side in kink.equation.split(" → "))
                assert left == pytest.approx(right)


def atoms_of(side):
    total = {}
    for term in side.split(" + "):
        number, _, formula = term.rpartition(" ")
        for element, amount in read_formula(formula).items():
            total[element] = total.get(element, 0.0) + amount * float(number or 1)
    return total


def test_open_energies_are_per_atom_that_the_reservoir_does_not_hold(hull):
    """Li2SO4 with Li open at 0 V gains 14.4 eV, over its five atoms of S and O."""
    reaction = react(hull, "Li2SO4", "Li2O", reservoir_of("Li", 0.0))
    assert reaction.kinks[-1].reaction_energy_ev_atom == pytest.approx(-14.4 / 5)
    assert reaction.kinks[-1].equation == "Li2SO4 + 8 Li → 4 Li2O + Li2S"
    assert "without Li" in reaction.normalisation


def test_without_uncertainties_there_is_no_interval(hull):
    reaction = react(hull, "Li2SO4", "Li")
    assert reaction.reaction_energy_ev_atom.method == NO_INTERVAL
    assert NO_INTERVAL in reaction.verdict.reasons


def test_a_stated_uncertainty_gives_an_interval_of_the_right_width(make_phases):
    """A + B → AB: the reaction energy has exactly the standard deviation of AB."""
    phases = make_phases({"Li": 0.0, "S": 0.0, "LiS": -2.0})
    hull = ConvexHull(PhaseSet(with_uncertainty(phases.phases, 0.05)))
    interval = react(hull, "Li", "S", n_samples=1000).reaction_energy_ev_atom
    assert interval.value == pytest.approx(-1.0)
    # 2.5 and 97.5 % of 1000 normal draws lie 1.96 ± 0.06 standard deviations out (two standard errors 0.15)
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * 0.05, rel=0.08)


def test_a_committee_lets_common_errors_cancel(make_phases):
    """Each member shifts both sides of Li2S + Li2O ⇌ Li4SO alike: the reaction energy is certain."""
    state = EnergyState(Scheme.NONE, "GGA", "made up")
    shifts = (-0.1, 0.0, 0.1)
    energies = {"Li": 0.0, "S": 0.0, "O2": 0.0, "Li2S": -4.5, "Li2O": -6.0, "Li4SO": -12.0}
    phases = []
    for formula, energy in energies.items():
        amounts = read_formula(formula)
        n = sum(amounts.values())
        members = tuple(energy / n + (shift if len(amounts) > 1 else 0.0) for shift in shifts)
        phases.append(Phase(amounts, energy, formula, state, committee_ev_atom=members))
    interval = react(ConvexHull(PhaseSet(tuple(phases))), "Li2S", "Li2O").reaction_energy_ev_atom
    assert interval.value == pytest.approx(-1.5 / 6)
    assert interval.high - interval.low == pytest.approx(0.0, abs=1e-9)
    assert "committee of 3" in interval.method


@pytest.mark.parametrize(
    ("energies", "pair", "words"),
    [
        ({"Li": 0.0, "Li2S": -4.4}, ("Li", "Li2S"), "no energy of elemental S"),
        (ENERGIES, ("LiCl", "Li"), "no entry holds Cl"),
        (ENERGIES, ("Li2S", "Li4S2"), "on both sides"),
        (ENERGIES, ("Li2S", "lithium"), "expected one such as"),
    ],
)
def test_bad_input_is_named(make_phases, energies, pair, words):
    with pytest.raises(InputError, match=words):
        react(ConvexHull(make_phases(energies)), *pair)


def test_a_reservoir_above_its_element_is_refused(hull):
    with pytest.raises(InputError, match="expected ≤ 0"):
        react(hull, "Li2S", "Li2O", {"Li": 0.1})


def test_a_composition_without_an_entry_is_said(hull):
    reaction = react(hull, "Li3SO3", "Li2S")
    assert reaction.first.entry is None
    assert any("no entry is Li3SO3" in reason for reason in reaction.verdict.reasons)


def test_equations_have_whole_numbers_where_they_are_small():
    assert balanced_equation({"A": 0.25, "B": 2.0}, {"C": 1 / 3}) == "3 A + 24 B → 4 C"
    assert whole_numbers({"A": 1.0, "B": 2**0.5}) == pytest.approx({"A": 2**-0.5, "B": 1.0})
