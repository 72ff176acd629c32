"""Structure factors: against plain sums, an ideal gas, Bragg peaks, freud, and what must not change them."""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.reciprocal_sums import reciprocal_vectors
from mlip_sse.analysis.structure.structure_factor import StructureFactors, scattering_weights
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.structure.test_frames import breathing_run

ALL = StructureFactors(q_max=4.0, n_bins=20, most_vectors=None)


def test_it_is_the_plain_sum_over_all_vectors_while_the_cell_breathes():
    """Sums of exp(-iq·r) over all of a generous set of (h, k, l), filed by length in the frame's own cell."""
    fractions, cells = breathing_run(12, 12)
    species = np.array(["Li"] * 7 + ["S"] * 4 + ["P"])
    run = Trajectory.from_arrays(species, (fractions % 1.0) @ cells, cells, 100.0)
    triples = np.array(list(np.ndindex(17, 17, 17))) - 8
    triples = triples[np.abs(triples).any(axis=1)]
    sums, numbers = np.zeros((3, 20)), np.zeros(20)
    for s, cell in zip(fractions, cells, strict=True):
        q = np.linalg.norm(triples @ (2 * np.pi * np.linalg.inv(cell).T), axis=1)
        near = q < 3.9  # beyond, a vector may be in reach in one frame and not in the mean cell
        waves = np.exp(-2j * np.pi * s @ triples[near].T)
        li, sulfur = waves[:7].sum(axis=0), waves[7:11].sum(axis=0)
        rows = np.abs(li) ** 2 / 7, (li * sulfur.conj()).real / np.sqrt(28), np.abs(waves.sum(axis=0)) ** 2 / 12
        for row, each in zip(sums, rows, strict=True):
            row += np.histogram(q[near], 20, (0, 4.0), weights=each)[0]
        numbers += np.histogram(q[near], 20, (0, 4.0))[0]
    found = ALL.run(run)
    filled = np.flatnonzero(numbers)[:-1]
    means = sums[:, filled] / numbers[filled]
    shells = (found.q * 5).astype(int)
    assert np.isin(filled, shells).all()
    at = np.isin(shells, filled)
    np.testing.assert_allclose(found.partials["Li-Li"][at], 1 + (means[0] - 1) / (7 / 12), rtol=1e-9)
    np.testing.assert_allclose(found.partials["Li-S"][at], 1 + means[1] / (np.sqrt(28) / 12), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.total[at], means[2], rtol=1e-9)
    np.testing.assert_allclose(2 * found.n_vectors[at] * 12, numbers[filled])


def test_an_ideal_gas_has_one_in_all_partials():
    """Shells are means over independent exponentials: five standard errors are the bar."""
    rng = np.random.default_rng(1)
    run = Trajectory.from_arrays(
        ["Na"] * 30 + ["S"] * 20, rng.uniform(0, 9, (60, 50, 3)), 9 * np.eye(3), 1.0, wrapped=False
    )
    found = StructureFactors(q_max=5.0, n_bins=10, most_vectors=40).run(run)
    assert found.verdict.quality is Quality.PASS
    assert found.n_vectors.max() == 40
    for name, values in found.partials.items():
        expected = (
            1.0 / np.sqrt(60 * found.n_vectors) / np.prod([found.concentrations[s] for s in name.split("-")]) ** 0.5
        )
        assert np.abs((values - 1) / expected).max() < 5
        ratio = found.partial_errors[name] / expected
        assert 0.5 < np.median(ratio) < 2.0
    for radiation in ("none", "neutrons", "x-rays"):
        assert np.abs(found.weighted(radiation) - 1).max() < 0.5
    cancelled = dataclasses.replace(found, concentrations={"Li": 0.6, "S": 0.4})  # 0.6 · (-1.90) + 0.4 · 2.847 fm
    with pytest.raises(InputError, match=r"the weights of Li, S cancel: .* look at the partials"):
        cancelled.weighted("neutrons")


def test_a_crystal_scatters_at_its_bragg_peaks_alone():
    """Rocksalt, one frame at rest: |A|² = N (all even), N_Li and N_Cl out of phase (all odd), else nothing."""
    atoms = bulk("LiCl", "rocksalt", a=5.0, cubic=True).repeat(2)
    run = Trajectory.from_arrays(atoms.get_chemical_symbols(), atoms.positions[None], atoms.cell.array, 1.0)
    found = StructureFactors(q_max=4.6, n_bins=2000, most_vectors=None).run(run)
    reflection = (found.q * 5.0 / (2 * np.pi)) ** 2  # h² + k² + l²
    present = found.total > 1e-9
    np.testing.assert_allclose(np.unique(np.rint(reflection[present])), [4, 8, 12])
    (second,) = np.flatnonzero(np.isclose(reflection, 4.0))
    assert found.total[second] == pytest.approx(len(atoms))
    (first,) = np.flatnonzero(np.isclose(reflection, 3.0))
    half = 0.5 * len(atoms)
    assert found.partials["Cl-Li"][first] == pytest.approx(1 - half / 0.5)
    assert found.partials["Li-Li"][first] == pytest.approx(1 + (half - 1) / 0.5)
    lengths = {"Li": -1.90, "Cl": 9.577}  # fm, Sears 1992
    strength = len(atoms) * ((lengths["Li"] - lengths["Cl"]) / (lengths["Li"] + lengths["Cl"])) ** 2
    # a Faber-Ziman total leaves the self part of the contrast out: 1 - <b²>/<b>²
    contrast = 1 - 0.5 * (lengths["Li"] ** 2 + lengths["Cl"] ** 2) / (0.5 * (lengths["Li"] + lengths["Cl"])) ** 2
    assert found.weighted("neutrons")[first] == pytest.approx(strength + contrast, rel=1e-3)
    assert found.verdict.reasons == ("1 frames are too few for errors, which take 10",)


def test_form_factors_begin_at_the_number_of_electrons():
    q = np.array([0.0, 6.0, 20.0])
    sulfur = scattering_weights("S", q, "x-rays")
    assert sulfur[0] == pytest.approx(16.0, abs=0.01)
    assert 0 < sulfur[2] < sulfur[1] < 10
    with pytest.raises(InputError, match="'Xx' has no tabulated scattering of neutrons"):
        scattering_weights("Xx", q, "neutrons")


def test_shift_and_supercell_vectors_change_nothing():
    fractions, cells = breathing_run(4, 10, seed=6)
    one = Trajectory.from_arrays(["Li"] * 10, fractions @ cells[0], cells[0], 1.0, wrapped=False)
    change = np.array([[1, 0, 0], [1, 1, 0], [-2, 1, 1]])
    moved = fractions @ cells[0] + [1.0, -30.0, 0.3]
    other = Trajectory.from_arrays(["Li"] * 10, moved, change @ cells[0], 1.0, wrapped=False)
    before, after = ALL.run(one), ALL.run(other)
    np.testing.assert_allclose(after.q, before.q, rtol=1e-9)
    np.testing.assert_allclose(after.total, before.total, rtol=1e-9)


def test_what_cannot_be_summed_is_refused():
    fractions, cells = breathing_run(2)
    run = Trajectory.from_arrays(["Li"] * 12, fractions @ cells, cells, 1.0)
    with pytest.raises(InputError, match="no reciprocal vector shorter than q_max"):
        StructureFactors(q_max=0.1).run(run)
    with pytest.raises(InputError, match="choose a smaller q_max"):
        reciprocal_vectors(100 * np.eye(3), 10.0)
    with pytest.raises(InputError, match="q_max -1"):
        StructureFactors(q_max=-1.0)


@pytest.mark.slow
def test_freud_sums_the_same_over_its_octant():
    """Freud 3 takes the vectors with h, k, l ≥ 0 alone; its shells equal our sums over those, in float32."""
    freud = pytest.importorskip("freud")
    positions = np.random.default_rng(7).uniform(0, 12.0, (300, 3))
    theirs = freud.diffraction.StaticStructureFactorDirect(bins=12, k_max=3.0)
    theirs.compute((freud.box.Box.cube(12.0), positions.astype(np.float32) - 6.0))
    octant = np.array(list(np.ndindex(6, 6, 6)))[1:]
    q = octant * 2 * np.pi / 12.0
    length = np.linalg.norm(q, axis=1)
    strength = np.abs(np.exp(-1j * positions @ q.T).sum(axis=0)) ** 2 / 300
    number = np.histogram(length, 12, (0, 3.0))[0]
    plain = np.histogram(length, 12, (0, 3.0), weights=strength)[0] / np.maximum(number, 1)
    np.testing.assert_allclose(theirs.S_k[number > 0], plain[number > 0], rtol=1e-3)
    run = Trajectory.from_arrays(["Li"] * 300, positions[None], 12.0 * np.eye(3), 1.0)
    ours = StructureFactors(q_max=3.0, n_bins=12, most_vectors=None).run(run)
    everywhere = np.array(list(np.ndindex(11, 11, 11))) - 5
    q = everywhere[np.abs(everywhere).any(axis=1)] * 2 * np.pi / 12.0
    length = np.linalg.norm(q, axis=1)
    strength = np.abs(np.exp(-1j * positions @ q.T).sum(axis=0)) ** 2 / 300
    number = np.histogram(length, 12, (0, 3.0))[0]
    plain = np.histogram(length, 12, (0, 3.0), weights=strength)[0]
    np.testing.assert_allclose(ours.total, plain[number > 0] / number[number > 0], rtol=1e-9)
