"""Single reciprocal vectors: a glass has speckle, a crystal has Bragg peaks."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse import Trajectory
from mlip_sse.analysis.glasses.bragg import Intensities, bragg_tests, intensities
from mlip_sse.errors import InputError
from mlip_sse.structures import crystal
from mlip_sse.structures.glasses import pack_units, unit_counts


def moving(atoms, noise, n_frames=12, seed=0, mobile=None):
    """Return a trajectory of independent displacements in Å about the structure."""
    rng = np.random.default_rng(seed)
    steps = noise * rng.normal(size=(n_frames, len(atoms), 3))
    if mobile is not None:
        steps[:, np.array(atoms.get_chemical_symbols()) != mobile] /= 4
    cells = np.stack([atoms.cell.array] * n_frames)
    species = np.array(atoms.get_chemical_symbols())
    return Trajectory(species, atoms.get_masses(), atoms.positions + steps, cells, frame_spacing_fs=100.0)


def glass(seed, n_atoms=200, percent=75):
    return moving(pack_units(unit_counts(percent, n_atoms).counts, 1.8, seed), 0.2, seed=seed)


def test_intensities_are_those_of_the_definition():
    """The slow twin: amplitudes summed atom by atom, averaged over frames, with atomic numbers."""
    atoms = pack_units(unit_counts(75, 64).counts, 1.8, 2)
    trajectory = moving(atoms, 0.1, n_frames=3)
    found = intensities(trajectory, q_max=3.0)
    cell = atoms.cell.array
    charges = atoms.numbers.astype(float)
    masses = trajectory.masses / trajectory.masses.sum()
    slow = []
    for h in range(-7, 8):
        for k in range(-7, 8):
            for m in range(-7, 8):
                q = 2 * np.pi * np.linalg.inv(cell) @ np.array([h, k, m])
                if not 0 < np.linalg.norm(q) <= 3.0:
                    continue
                middle = np.einsum("a,tai->ti", masses, trajectory.positions)
                places = trajectory.positions - (middle - middle[0])[:, None]
                amplitude = (np.exp(-1j * places @ q) @ charges).mean()
                slow.append((np.linalg.norm(q), abs(amplitude) ** 2 / (charges**2).sum()))
    slow = np.array(sorted(slow))[::2]  # opposite vectors are equal
    assert len(found.q) == len(slow)
    assert found.q == pytest.approx(slow[:, 0], rel=1e-9)
    assert np.sort(found.values) == pytest.approx(np.sort(slow[:, 1]), rel=1e-6, abs=1e-9)


def test_glasses_pass_alone_and_together():
    found = [intensities(glass(seed)) for seed in range(3)]
    alone = [bragg_tests([each])[0] for each in found]
    assert not any(each.is_crystalline for each in alone)
    assert all(each.sharpest > 4.0 for each in alone)  # speckle: of thousands of vectors one is far above the mean
    assert not any(each.is_crystalline for each in bragg_tests(found))


@pytest.mark.parametrize(
    ("name", "repeats"), [("beta_li3ps4", (2, 2, 1)), ("li6ps5cl", (2, 1, 1)), ("licl", (3, 3, 3))]
)
def test_crystals_are_found_also_where_they_shake_and_lithium_runs(name, repeats):
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True) if name == "licl" else crystal(name)
    atoms = atoms.repeat(repeats)
    (shaking,) = bragg_tests([intensities(moving(atoms, 0.3))])
    assert shaking.is_crystalline
    (running,) = bragg_tests([intensities(moving(atoms, 0.8, mobile="Li"))])
    assert running.is_crystalline


def test_one_that_crystallised_is_found_among_glasses():
    odd = moving(crystal("beta_li3ps4").repeat((2, 2, 1)), 0.2)
    tests = bragg_tests([intensities(glass(1)), intensities(odd), intensities(glass(2))])
    assert [each.is_crystalline for each in tests] == [False, True, False]


def test_neither_rotation_nor_the_order_of_atoms_matters():
    atoms = pack_units(unit_counts(75, 80).counts, 1.8, 4)
    trajectory = moving(atoms, 0.1)
    (before,) = bragg_tests([intensities(trajectory)])
    turn = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    order = np.random.default_rng(1).permutation(len(atoms))
    turned = Trajectory(
        trajectory.species[order],
        trajectory.masses[order],
        trajectory.positions[:, order] @ turn,
        trajectory.cells @ turn,
        frame_spacing_fs=100.0,
    )
    (after,) = bragg_tests([intensities(turned)])
    assert (after.sharpest, after.q) == pytest.approx((before.sharpest, before.q), rel=1e-6)


def test_what_is_too_small_is_refused():
    with pytest.raises(InputError, match="expected 200 or more to tell a glass from a crystal"):
        intensities(moving(bulk("LiCl", "rocksalt", a=5.13, cubic=True), 0.01), q_max=3.0)
    with pytest.raises(InputError, match="found no glass"):
        bragg_tests([])


def test_speckle_raises_no_alarm_and_one_peak_does():
    """Exponential intensities about a curve with a peak: the limit is kept, one vector of the order of N is not."""
    rng = np.random.default_rng(7)
    q = np.sort(6.0 * rng.random(6000) ** (1 / 3))
    smooth = 0.3 + 1.5 * np.exp(-(((q - 1.4) / 0.25) ** 2))
    alarms = 0
    for _ in range(60):
        values = smooth * rng.exponential(size=len(q))
        alarms += bragg_tests([Intensities(q, values)])[0].is_crystalline
    assert alarms == 0  # one in a thousand, and less for the margin
    values[3000] = 60.0 * smooth[3000]
    assert bragg_tests([Intensities(q, values)])[0].q == q[3000]
    assert bragg_tests([Intensities(q, values)])[0].is_crystalline
