"""Gap scan and strain energy against sums written out over pairs."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from scipy.optimize import minimize_scalar

from mlip_sse.errors import InputError, RunError
from mlip_sse.structures.interfaces import InterfaceSettings, build_interfaces, gap_scan, strain_energy

CUTOFF = 8.0


def lennard_jones():
    return LennardJones(sigma=2.6, epsilon=0.1, rc=CUTOFF, smooth=False)


@pytest.fixture(scope="module")
def pair():
    """Return two fcc crystals of different lattice constants, one interface with vacuum."""
    settings = InterfaceSettings(
        (1, 0, 0), (1, 0, 0), 5.0, 5.0, vacuum=20.0, strained="b", min_width=0.0, max_interfaces=1
    )
    return build_interfaces(bulk("Ar", "fcc", a=4.0, cubic=True), bulk("Ne", "fcc", a=3.9, cubic=True), settings)[0]


def interaction(interface, gap):
    """Sum the Lennard-Jones energy of all pairs across, images in the plane within reach."""
    atoms = interface.with_gap(gap).atoms
    below, above = (atoms.positions[interface.side == index] for index in (0, 1))
    span = range(-6, 7)
    images = np.array([i * atoms.cell.array[0] + j * atoms.cell.array[1] for i in span for j in span])
    distances = np.linalg.norm(below[:, None, None] - above[None, :, None] - images, axis=-1).ravel()
    distances = distances[distances < CUTOFF]
    energies = 4 * 0.1 * ((2.6 / distances) ** 12 - (2.6 / distances) ** 6)
    at_cutoff = 4 * 0.1 * ((2.6 / CUTOFF) ** 12 - (2.6 / CUTOFF) ** 6)
    return float(np.sum(energies - at_cutoff))


def test_the_best_gap_is_where_the_pair_sum_has_its_minimum(pair):
    gaps = np.arange(1.4, 3.01, 0.1)
    scan = gap_scan(pair, lennard_jones(), gaps)
    expected = minimize_scalar(lambda gap: interaction(pair, gap), bounds=(1.4, 3.0), method="bounded").x
    assert not scan.is_at_end
    assert scan.best_gap == pytest.approx(expected, abs=0.01)  # the parabola of a 0.1 Å grid
    assert scan.best.gap_a == scan.best_gap
    # Rigid sides: the scan differs from the sum over pairs across by a constant.
    sums = np.array([interaction(pair, gap) for gap in gaps[::4]])
    np.testing.assert_allclose(scan.energies[::4] - scan.energies[0], sums - sums[0], atol=1e-8)
    assert scan.to_dict()["best_gap_a"] == scan.best_gap


def test_a_scan_that_ends_before_its_minimum_says_so(pair):
    scan = gap_scan(pair, lennard_jones(), [1.0, 1.1, 1.2])
    assert scan.is_at_end
    assert scan.best_gap == 1.2


@pytest.mark.parametrize("gaps", [[2.0, 3.0], [3.0, 2.0, 1.0], [0.0, 1.0, 2.0], [1.0, float("nan"), 2.0]])
def test_bad_gaps(pair, gaps):
    with pytest.raises(InputError, match="gap scan"):
        gap_scan(pair, lennard_jones(), gaps)


def test_strain_energy_against_a_deformed_cube(pair):
    """The strained side is fcc stretched from 3.9 to 4.0 in two directions: the same cube, built by hand."""
    energies = strain_energy(pair, lennard_jones())
    cube = bulk("Ne", "fcc", a=3.9, cubic=True)
    stretched = cube.copy()
    stretched.set_cell([4.0, 4.0, 3.9], scale_atoms=True)
    per_atom = []
    for atoms in (cube, stretched):
        atoms.calc = lennard_jones()
        per_atom.append(atoms.get_potential_energy() / 4)
    n_b = int(np.sum(pair.side == 1))
    assert energies.energies_ev[0] == 0.0
    assert energies.energies_per_atom_ev[1] == pytest.approx(per_atom[1] - per_atom[0], abs=1e-9)
    assert energies.energies_ev[1] == pytest.approx(n_b * (per_atom[1] - per_atom[0]), abs=1e-8)
    assert energies.per_area[1] == pytest.approx(energies.energies_ev[1] / pair.area)
    assert energies.to_dict()["b"]["is_relaxed"] is False


def test_letting_the_height_go_lowers_the_strain_energy():
    """From the crystal at rest; the height that is found is the one of least energy on a fine grid."""
    rest = minimize_scalar(lambda a: _cube([a, a, a]), bounds=(3.6, 4.1), method="bounded", options={"xatol": 1e-3}).x
    settings = InterfaceSettings((1, 0, 0), (1, 0, 0), 3.0, 3.0, strained="b", min_width=0.0, max_interfaces=1)
    (interface,) = build_interfaces(
        bulk("Ar", "fcc", a=1.02 * rest, cubic=True), bulk("Ne", "fcc", a=rest, cubic=True), settings
    )
    stiff, free = (strain_energy(interface, lennard_jones(), fmax).energies_per_atom_ev[1] for fmax in (None, 5e-3))
    side = 1.02 * rest
    best = minimize_scalar(
        lambda c: _cube([side, side, c]), bounds=(3.5, 4.1), method="bounded", options={"xatol": 1e-3}
    ).fun
    assert 0 < free < stiff
    assert free == pytest.approx((best - _cube([rest] * 3)) / 4, abs=2e-5)


def _cube(lengths):
    atoms = bulk("Ne", "fcc", a=4.0, cubic=True)
    atoms.set_cell(lengths, scale_atoms=True)
    atoms.calc = lennard_jones()
    return atoms.get_potential_energy()


class Broken(Calculator):
    """Give no number."""

    implemented_properties = ("energy",)

    def calculate(self, atoms: Atoms, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": float("nan")}


def test_an_energy_that_is_no_number_is_an_error(pair):
    with pytest.raises(RunError, match="energy of nan"):
        gap_scan(pair, Broken(), [2.0, 2.5, 3.0])
