"""Interface reactions and grand potentials against pymatgen on 200 random pairs of Li-Fe-P-O."""

import warnings

import numpy as np
import pytest

from mlip_sse.analysis.reactions.hull import STABLE_EV_ATOM
from mlip_sse.analysis.reactions.interfaces import react, reservoir_of

N_PAIRS = 200
TOLERANCE_EV_ATOM = 1e-6  # the same linear programme on the same numbers; the bar is 1e-3


@pytest.fixture(scope="module")
def pairs(lifepo):
    """Draw pairs of compositions whose lowest entry has a negative formation energy.

    pymatgen leaves the others out of its hull and puts the hull in their place; here they keep their own energy.
    """
    kept = [
        phase.formula
        for phase, energy in zip(lifepo.candidates, lifepo.formation_energies, strict=True)
        if energy < -STABLE_EV_ATOM or len(phase.amounts) == 1
    ]
    rng = np.random.default_rng(6)
    drawn = [rng.choice(len(kept), 2, replace=False) for _ in range(N_PAIRS)]
    return [(kept[i], kept[j]) for i, j in drawn]


@pytest.fixture
def quietly():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def lowest_of(values):
    return min(float(value) for value in values)


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("n_pairs", [60, pytest.param(N_PAIRS, marks=pytest.mark.slow)])
def test_closed_reactions_equal_interfacial_reactivity(lifepo, pymatgen_diagram, pairs, n_pairs):
    from pymatgen.analysis.interface_reactions import InterfacialReactivity
    from pymatgen.core import Composition

    worst = 0.0
    for a, b in pairs[:n_pairs]:
        ours = react(lifepo, a, b)
        for name, with_hull in (("reaction_energy_ev_atom", False), ("mutual_reaction_energy_ev_atom", True)):
            theirs = InterfacialReactivity(Composition(a), Composition(b), pymatgen_diagram, use_hull_energy=with_hull)
            x, energy = theirs.minimum
            worst = max(worst, abs(getattr(ours, name).value - min(energy, 0.0)))
            if not with_hull and energy < -TOLERANCE_EV_ATOM:
                assert ours.mixing_fraction == pytest.approx(x, abs=1e-6)
    assert worst < TOLERANCE_EV_ATOM


@pytest.mark.usefixtures("quietly")
def test_energies_at_all_kinks_of_pymatgen_are_ours(lifepo, pymatgen_diagram, pairs):
    from pymatgen.analysis.interface_reactions import InterfacialReactivity
    from pymatgen.core import Composition

    for a, b in pairs[:30]:
        ours = react(lifepo, a, b)
        x = [kink.mixing_fraction for kink in ours.kinks]
        y = [kink.reaction_energy_ev_atom for kink in ours.kinks]
        for _, at, energy, _, _ in InterfacialReactivity(Composition(a), Composition(b), pymatgen_diagram).get_kinks():
            assert np.interp(at, x, y) == pytest.approx(energy, abs=TOLERANCE_EV_ATOM)


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize(
    ("voltage_v", "n_pairs"),
    [(2.5, 60), *(pytest.param(voltage, N_PAIRS, marks=pytest.mark.slow) for voltage in (0.0, 2.5, 4.3))],
)
def test_open_reactions_equal_pymatgens(lifepo, pymatgen_diagram, pairs, voltage_v, n_pairs):
    from pymatgen.analysis.interface_reactions import GrandPotentialInterfacialReactivity
    from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram
    from pymatgen.core import Composition, Element

    lithium = Element("Li")
    mu = pymatgen_diagram.el_refs[lithium].energy_per_atom - voltage_v
    grand = GrandPotentialPhaseDiagram(pymatgen_diagram.all_entries, {lithium: mu})
    worst, n_checked = 0.0, 0
    for a, b in pairs[:n_pairs]:
        first, second = Composition(a), Composition(b)
        left, right = (Composition({e: n for e, n in c.items() if e != lithium}) for c in (first, second))
        if not left or not right or left.reduced_formula == right.reduced_formula:
            continue  # pymatgen divides by zero there
        ours = react(lifepo, a, b, reservoir_of("Li", voltage_v))
        for name, total in (("reaction_energy_ev_atom", True), ("mutual_reaction_energy_ev_atom", False)):
            theirs = GrandPotentialInterfacialReactivity(
                first, second, grand, pymatgen_diagram, include_no_mixing_energy=total, use_hull_energy=False
            )
            worst = max(worst, abs(getattr(ours, name).value - min(theirs.minimum[1], 0.0)))
        n_checked += 1
    assert n_checked > 0.75 * n_pairs
    assert worst < TOLERANCE_EV_ATOM


def test_energies_above_the_hull_equal_pymatgens(lifepo, pymatgen_diagram):
    ours = dict(zip((phase.name for phase in lifepo.candidates), lifepo.energies_above, strict=True))
    for entry in pymatgen_diagram.all_entries:
        if entry.entry_id in ours:
            assert ours[entry.entry_id] == pytest.approx(
                pymatgen_diagram.get_e_above_hull(entry), abs=TOLERANCE_EV_ATOM
            )
    assert {lifepo.candidates[j].formula for j in lifepo.stable} == {
        entry.composition.reduced_formula for entry in pymatgen_diagram.stable_entries
    }
