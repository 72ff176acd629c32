"""Relaxations against another code, a known crystal, and everything that must be refused."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols import relax_atoms
from mlip_sse.md_protocols.relaxation import closest_pair
from mlip_sse.units import EV_PER_A3_TO_GPA


def rattled(seed=3, strain=0.03):
    atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain * rng.uniform(-1, 1, (3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
    return atoms


@pytest.mark.parametrize("optimizer", ["lbfgs", "fire"])
def test_a_rattled_and_strained_crystal_finds_its_cell(optimizer):
    """The minimum of fcc copper in EMT, from one primitive cell by bisection of the stress."""

    def stress(edge):
        atoms = bulk("Cu", a=edge)
        atoms.calc = EMT()
        return atoms.get_stress()[0]

    low, high = 3.4, 3.8
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if stress(middle) < 0 else (low, middle)
    found = relax_atoms(rattled(), EMT(), cell="free", optimizer=optimizer, fmax=1e-3, stress_tolerance_gpa=1e-3)
    assert found.verdict.quality == "pass"
    assert found.atoms.get_volume() == pytest.approx(2 * low**3, rel=1e-4)  # 1e-3 GPa at 134 GPa, with room
    assert found.max_force <= 1e-3
    assert np.abs(found.stress * EV_PER_A3_TO_GPA).max() <= 1e-3
    assert len(found.energies) == found.n_steps + 1
    assert found.energy == found.energies[-1] < found.energies[0]
    assert found.atoms.calc is None


def test_each_kind_of_cell_moves_only_what_it_says():
    start = rattled()
    metric = start.cell.array @ start.cell.array.T
    fixed = relax_atoms(start, EMT(), cell="fixed")
    assert np.array_equal(fixed.atoms.cell.array, start.cell.array)
    isotropic = relax_atoms(start, EMT(), cell="isotropic")
    ratio = isotropic.atoms.get_volume() / start.get_volume()
    scaled = isotropic.atoms.cell.array @ isotropic.atoms.cell.array.T
    assert abs(ratio - 1) > 1e-3
    assert scaled == pytest.approx(metric * ratio ** (2 / 3), rel=1e-6, abs=1e-6)
    shape = relax_atoms(start, EMT(), cell="shape", fmax=1e-3, stress_tolerance_gpa=1e-3)
    assert shape.atoms.get_volume() == pytest.approx(start.get_volume(), rel=1e-6)
    deviator = shape.stress.copy()
    deviator[:3] -= deviator[:3].mean()
    assert np.abs(deviator * EV_PER_A3_TO_GPA).max() <= 1e-3
    assert all(each.verdict.quality == "pass" for each in (fixed, isotropic, shape))


def test_under_pressure_it_ends_at_that_pressure():
    found = relax_atoms(bulk("Cu"), EMT(), cell="isotropic", pressure_gpa=5.0)
    assert found.pressure_gpa == pytest.approx(5.0, abs=0.02)
    assert found.atoms.get_volume() < relax_atoms(bulk("Cu"), EMT(), cell="isotropic").atoms.get_volume()


def test_turned_and_renumbered_it_ends_at_the_same_energy():
    start = rattled()
    turned = start.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    ends = [relax_atoms(each, EMT(), cell="free", fmax=1e-3) for each in (start, turned, start[::-1])]
    # A force of 1e-3 eV/Å left, with force constants of a few eV/Å²: below 1e-6 eV an atom.
    assert [end.energy for end in ends] == pytest.approx([ends[0].energy] * 3, abs=8e-6)


def test_the_start_stays_as_it_is():
    start = rattled()
    before = start.copy()
    relax_atoms(start, EMT(), cell="free")
    assert start == before


def test_what_is_relaxed_takes_no_step():
    found = relax_atoms(bulk("Cu", a=3.59), EMT(), cell="fixed")
    assert (found.n_steps, found.verdict.quality) == (0, "pass")


def test_out_of_steps_is_refused_with_what_is_left():
    found = relax_atoms(rattled(), EMT(), cell="free", max_steps=2)
    assert found.n_steps == 2
    assert found.verdict.quality == "refused"
    assert "not converged after 2 steps: found" in found.verdict.reasons[0]


class Collapsing(Calculator):
    """A potential that pulls every cell together, or breaks after some calls."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, breaks_after=None, value=0.0):
        super().__init__()
        self.breaks_after, self.value, self.n_calls = breaks_after, value, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.n_calls += 1
        if self.breaks_after is not None and self.n_calls > self.breaks_after:
            raise RunError("out of luck")
        energy = atoms.get_volume() + self.value
        self.results = {
            "energy": energy,
            "forces": np.zeros((len(atoms), 3)),
            "stress": np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        }


def test_a_collapse_is_refused():
    found = relax_atoms(bulk("Cu", a=6.0), Collapsing(), cell="free")
    assert found.verdict.quality == "refused"
    assert "no minimum near the start" in found.verdict.reasons[0] or "two atoms came" in found.verdict.reasons[0]


def test_a_potential_that_stops_is_refused_with_its_words():
    found = relax_atoms(bulk("Cu", a=6.0), Collapsing(breaks_after=2), cell="free")
    assert found.verdict.reasons == ("the potential stopped after 2 steps: out of luck",)
    with pytest.raises(RunError, match=r"the first evaluation failed: .*out of luck"):
        relax_atoms(bulk("Cu"), Collapsing(breaks_after=0))
    with pytest.raises(RunError, match="not finite"):
        relax_atoms(bulk("Cu"), Collapsing(value=float("nan")))


def test_overlapping_atoms_and_unknown_settings_are_refused_before_the_first_step():
    calculator = Collapsing()
    crowd = Atoms("Cu2", [[0, 0, 0], [0, 0, 0.2]], cell=[5, 5, 5], pbc=True)
    with pytest.raises(InputError, match=r"found atoms 0\.20 Å apart, expected at least 0\.5 Å"):
        relax_atoms(crowd, calculator)
    with pytest.raises(InputError, match=r"found cell 'free_' .*expected one of free, isotropic"):
        relax_atoms(bulk("Cu"), calculator, cell="free_")
    assert calculator.n_calls == 0


def test_the_closest_pair_counts_images():
    assert closest_pair(Atoms("Cu", cell=[2.0, 5, 5], pbc=True)) == pytest.approx(2.0)
    assert closest_pair(Atoms("Cu", cell=[5.0, 5, 5], pbc=True)) == float("inf")


def test_another_calculator_serves_as_well():
    lj = LennardJones(sigma=3.4, epsilon=0.0104, rc=8.0, smooth=True)
    found = relax_atoms(bulk("Ar", a=5.4), lj, cell="free", stress_tolerance_gpa=1e-3)
    assert found.verdict.quality == "pass"
    # Infinite-range LJ fcc: nearest neighbours at 1.0902 σ (Kittel); a cutoff at 2.35 σ widens it by a percent.
    assert found.atoms.get_volume() == pytest.approx((1.0902 * 3.4) ** 3 / np.sqrt(2), rel=0.03)
