"""Barriers of vacancy hops: against the saddle that symmetry fixes, against formulas, and what speaks against them."""

import numpy as np
import pytest
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.geometry import find_mic
from ase.optimize import BFGS

from mlip_sse.errors import InputError, MissingExtraError, RunError
from mlip_sse.md_protocols import NebSettings, neb_pair, neb_vacancy, neb_vacancy_hops
from mlip_sse.md_protocols.neb_band import band_curvatures, first_path, path_coordinate
from mlip_sse.md_protocols.neb_specs import VibrationSpec
from mlip_sse.potentials import load_potential
from mlip_sse.structures import compact_supercell, vacancy_hops
from tests.md_protocols.landscape import TIGHT, Landscape, crystal_of_argon, landscape


@pytest.fixture(scope="module")
def argon():
    """Return the calculator of the shipped Lennard-Jones potential."""
    try:
        return load_potential("argon_lennard_jones").calculator()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def barrier(argon):
    """Return the barrier of the one hop between neighbours in argon."""
    try:
        (found,) = neb_vacancy_hops(crystal_of_argon(), argon, NebSettings(**TIGHT))
    except MissingExtraError as error:
        pytest.skip(str(error))
    return found


def test_the_barrier_is_that_of_the_saddle_which_symmetry_fixes(barrier, argon):
    """Half way between two neighbours the ion stays by symmetry: relax the others around it."""
    crystal = neb_vacancy.relaxed_crystal(crystal_of_argon(), argon, NebSettings(**TIGHT))
    cell = compact_supercell(crystal, min_width=10.0)
    (hop,) = vacancy_hops(crystal, "Ar", 4.0)
    energies = []
    for part in (0.0, 0.5):
        atoms = cell.copy()
        empty = int(np.argmin(atoms.get_distances(0, range(1, len(atoms)), mic=True))) + 1
        atoms.positions[0] += part * atoms.get_distance(0, empty, mic=True, vector=True)
        del atoms[empty]
        atoms.set_constraint(FixAtoms([0]) if part else [])
        atoms.calc = argon
        BFGS(atoms, logfile=None).run(fmax=0.0005)
        energies.append(atoms.get_potential_energy())
    assert len(cell) >= 20
    assert barrier.hop.n_equivalent == hop.n_equivalent == 12
    assert barrier.verdict.quality == "pass", barrier.verdict.reasons
    wanted = energies[1] - energies[0]
    assert barrier.barrier_forward.low - 2e-5 <= wanted <= barrier.barrier_forward.high + 2e-5
    assert barrier.barrier_forward.value == pytest.approx(wanted, abs=2e-5)  # forces of 0.0003 eV/Å are left
    assert barrier.barrier_forward.value - barrier.barrier_backward.value == pytest.approx(
        barrier.reaction_energy, abs=1e-9
    )
    assert barrier.reaction_energy == pytest.approx(0, abs=1e-4)


def test_what_is_far_from_the_hop_can_be_held(argon):
    """The saddle that symmetry fixes, once more, with the same atoms held; they are where the crystal has them."""
    crystal = neb_vacancy.relaxed_crystal(bulk("Ar", "fcc", a=5.26, cubic=True), argon, NebSettings(**TIGHT))
    settings = NebSettings(
        **{**TIGHT, "repeats": (2, 2, 2), "held_beyond": 4.5 / 3.72, "vibrations": VibrationSpec(n_neighbours=40)}
    )
    (hop,) = vacancy_hops(crystal, "Ar", 4.0)
    found = neb_vacancy.compute_hop(crystal, hop, lambda: argon, settings)
    cell = crystal.repeat((2, 2, 2))
    start, end = crystal.positions[hop.start], crystal.positions[hop.start] + np.array(hop.vector)
    away = [find_mic(cell.positions - point, cell.cell, True)[1] for point in (start, end)]
    far = np.flatnonzero((away[0] > 4.5) & (away[1] > 4.5))
    ion, empty = int(np.argmin(away[0])), int(np.argmin(away[1]))
    energies = []
    for part in (0.0, 0.5):
        atoms = cell.copy()
        atoms.positions[ion] += part * np.array(hop.vector)
        atoms.set_constraint(FixAtoms([*far, *([ion] if part else [])]))
        del atoms[empty]
        atoms.calc = argon
        BFGS(atoms, logfile=None).run(fmax=0.0005)
        energies.append(atoms.get_potential_energy())
    assert found.verdict.quality == "pass", found.verdict.reasons
    assert found.barrier_forward.value == pytest.approx(energies[1] - energies[0], abs=2e-5)
    assert len(far) == 12
    held = found.template.constraints[0].get_indices()
    assert len(held) == len(far)
    for image in found.images:
        assert (
            np.abs(find_mic(image.positions[held] - np.delete(cell.positions, empty, 0)[held], cell.cell)[0]).max()
            < 1e-9
        )
    n_free = len(found.template) - len(far)
    assert found.attempt_frequency["forward"]["n_moving"] == n_free


def test_what_a_result_tells(barrier, argon):
    plain = barrier.to_dict()
    assert plain["highest_image"] == 2
    assert plain["path_a"] == pytest.approx(path_coordinate(barrier.band.positions))
    assert plain["path_length_a"] > plain["distance_a"]  # the neighbours move as well
    assert plain["energies_ev"][2] == pytest.approx(plain["barrier_forward_ev"].value)
    assert plain["curvatures_ev_a2"][0] < 0 < plain["curvatures_ev_a2"][1]
    assert plain["curvature_along_ev_a2"] < 0
    assert (plain["n_moving"], plain["n_pushes"]) == (1, 0)
    for image, energy, forces in zip(barrier.images, barrier.band.energies, barrier.band.forces, strict=True):
        again = image.copy()
        again.calc = argon
        assert again.get_potential_energy() == pytest.approx(energy, abs=1e-9)
        assert again.get_forces() == pytest.approx(forces, abs=1e-9)


def test_a_crystal_that_is_turned_and_shifted_has_the_same_barrier(barrier, argon):
    turned = crystal_of_argon()
    turned.rotate(35.0, (1, 2, 3), rotate_cell=True)
    turned.translate([0.4, -0.2, 1.3])
    (found,) = neb_vacancy_hops(turned, argon, NebSettings(**TIGHT))
    # Another order of roundings; both lie within what the forces left may hide.
    slack = barrier.barrier_forward.value - barrier.barrier_forward.low + 2e-5
    assert found.barrier_forward.value == pytest.approx(barrier.barrier_forward.value, abs=slack)


def test_a_valley_gives_the_barrier_of_its_formula():
    crystal, hop, settings, calculator = landscape(h=0.4, a=0.0, b=1.5)
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    assert (found.verdict.quality, found.n_pushes) == ("pass", 0)
    assert found.barrier_forward.value == pytest.approx(0.4, abs=1e-3)
    assert found.curvatures[0] == pytest.approx(-16 * 0.4 / hop.distance**2, rel=0.01)
    assert found.curvature_along == pytest.approx(found.curvatures[0], rel=0.01)


def test_a_straight_way_over_a_hill_is_pushed_aside():
    crystal, hop, settings, calculator = landscape(h=0.6, a=1.4, b=0.4)
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    assert found.n_pushes == 1
    assert found.verdict.quality == "pass", found.verdict.reasons
    assert found.barrier_forward.value == pytest.approx(0.6 - 1.0**2 / (4 * 2.0), abs=2e-3)


def test_a_hill_that_was_not_left_is_weak(monkeypatch):
    monkeypatch.setattr(neb_pair, "_MAX_PUSHES", 0)
    crystal, hop, settings, calculator = landscape(h=0.6, a=1.4, b=0.4)
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    assert found.verdict.quality == "weak"
    assert found.verdict.reasons == ("the top falls off in 2 directions: a lower path leads aside",)
    assert found.barrier_forward.value == pytest.approx(0.6, abs=2e-3)


def test_a_dip_at_the_top_gets_more_images():
    """The middle image climbs into a dip between two saddles; the barrier is that of the saddles."""
    crystal, hop, settings, calculator = landscape(h=0.6, a=0.0, b=1.5)

    class Dipped(Landscape):
        def calculate(self, *arguments, **keywords):
            super().calculate(*arguments, **keywords)
            u = 2 * self.axes[0] @ (self.atoms.positions[self.ion] - self.origin) / self.length - 1
            dip = 0.15 * np.exp(-16 * u**2)
            self.results["energy"] -= dip
            self.results["forces"][self.ion] -= 32 * u * dip * 2 / self.length * self.axes[0]

    calculator.__class__ = Dipped
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    u = np.linspace(-1, 1, 2001)
    wanted = (0.6 * (1 - u**2) ** 2 - 0.15 * np.exp(-16 * u**2)).max()
    assert (len(found.images), found.n_pushes) == (9, 1)
    assert found.barrier_forward.value == pytest.approx(wanted, abs=1e-3)
    assert found.curvature_along < 0


def test_a_vacancy_that_does_not_stay_is_refused():
    """Another ion is drawn into the empty site: the end point is not the one that was asked for."""
    crystal, hop, settings, calculator = landscape(h=0.4, a=0.0, b=1.5)
    other = (calculator.ion + 1) % len(calculator.places)
    empty = calculator.origin + np.array(hop.vector)
    calculator.places[other] = empty
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    assert found.verdict.quality == "refused"
    assert "start: 1 atoms left their sites, Ar" in found.verdict.reasons[0]
    assert (found.barrier_forward, found.band, found.images) == (None, None, [])


def test_ends_that_symmetry_makes_equal_and_that_are_not_are_weak():
    crystal, hop, settings, calculator = landscape(h=0.4, a=0.0, b=1.5)

    class Tilted(Landscape):
        def calculate(self, *arguments, **keywords):
            super().calculate(*arguments, **keywords)
            tilt = 0.05 * self.axes[0] / self.length
            self.results["energy"] += float(tilt @ (self.atoms.positions[self.ion] - self.origin))
            self.results["forces"][self.ion] -= tilt

    calculator.__class__ = Tilted
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    assert found.verdict.quality == "weak"
    assert "meV apart, and symmetry makes them equal" in found.verdict.reasons[0]
    assert found.reaction_energy == pytest.approx(0.05, abs=1e-3)
    assert found.barrier_forward.value == pytest.approx(0.4 + 0.025, abs=1e-3)
    assert found.barrier_backward.value == pytest.approx(0.4 - 0.025, abs=1e-3)


def test_no_hill_between_the_ends_is_no_barrier():
    crystal, hop, settings, calculator = landscape(h=0.0, a=0.0, b=1.5)
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    assert found.verdict.quality == "refused"
    assert "there is no barrier between them" in found.verdict.reasons[0]


def test_a_band_without_enough_steps_is_refused(argon):
    (found,) = neb_vacancy_hops(crystal_of_argon(), argon, NebSettings(**TIGHT, band_steps=2))
    assert found.verdict.quality == "refused"
    assert "not converged after 2 steps" in found.verdict.reasons[0]
    assert "raise band_steps" in found.verdict.reasons[0]


@pytest.mark.parametrize(("depth", "word"), [(50.0, "has a hole there"), (np.nan, "not finite")])
def test_a_potential_that_breaks_on_the_way_is_refused(depth, word):
    """A hole, or no number at all, where no ion of the training data ever was."""
    crystal, hop, settings, calculator = landscape(h=0.4, a=0.0, b=1.5)

    class Broken(Landscape):
        def calculate(self, *arguments, **keywords):
            super().calculate(*arguments, **keywords)
            x = self.axes[0] @ (self.atoms.positions[self.ion] - self.origin) / self.length
            if 0.2 < x < 0.8:
                self.results["energy"] -= depth
                self.results["forces"] += depth * 0

    calculator.__class__ = Broken
    found = neb_vacancy.compute_hop(crystal, hop, lambda: calculator, settings)
    assert found.verdict.quality == "refused"
    assert word in found.verdict.reasons[0]


def test_curvatures_are_those_of_the_formula():
    """Springs of 2 eV/Å² around an ion whose own landscape is known."""
    _, hop, _, calculator = landscape(h=0.4, a=0.0, b=1.5)
    atoms = compact_supercell(crystal_of_argon(), min_width=10.0)[: len(calculator.places)]
    positions = calculator.places.copy()
    positions[calculator.ion] = calculator.origin + 0.5 * np.array(hop.vector)
    values, modes, _, _ = band_curvatures(atoms, positions, calculator, calculator.ion, 4)
    assert values[0] == pytest.approx(-16 * 0.4 / hop.distance**2, rel=0.01)
    assert sorted(values[1:]) == pytest.approx(sorted([3.0, 4.0, *[2.0] * 12]), rel=1e-3)
    assert abs(modes[0, calculator.ion] @ calculator.axes[0]) == pytest.approx(1, abs=1e-6)


def test_a_first_path_keeps_atoms_apart():
    crystal = crystal_of_argon()
    (hop,) = vacancy_hops(crystal, "Ar", 4.0)
    _, ion, initial, final = neb_vacancy.hop_ends(crystal, hop, NebSettings(**TIGHT).min_width_a)
    path = first_path(initial, final, 5)
    assert path[0] == pytest.approx(initial.positions)
    assert path[-1] == pytest.approx(final.positions)
    assert path[3, ion] == pytest.approx(initial.positions[ion] + 0.5 * np.array(hop.vector), abs=0.05)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"mobile": "Li"}, InputError, "found no Li in Ar"),
        ({"max_distance_a": 13.0, "max_hops": 3}, InputError, "symmetry-distinct hops up to .* expected at most 3"),
        ({"min_width_a": 3.0}, InputError, "raise min_width_a"),
        ({"max_steps": 1, "fmax": 1e-6}, RunError, "the crystal cannot be relaxed: not converged after 1 steps"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(argon, changes, error, message):
    with pytest.raises(error, match=message) as caught:
        next(neb_vacancy_hops(crystal_of_argon(), argon, NebSettings(**{**TIGHT, **changes})))
    assert "\n" not in str(caught.value)
