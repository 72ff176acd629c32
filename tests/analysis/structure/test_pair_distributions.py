"""g(r) of a trajectory: against a sum over images, crystals with known shells, other codes, and its refusals."""

import numba
import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.pair_distributions import PairDistributions, first_minimum
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.structure.test_frames import breathing_run


def shaken_rocksalt(n_frames=40, spread=0.08, seed=5):
    atoms = bulk("LiCl", "rocksalt", a=5.0).repeat(4)
    noise = np.random.default_rng(seed).normal(0, spread, (n_frames, len(atoms), 3))
    return Trajectory.from_arrays(
        atoms.get_chemical_symbols(), atoms.positions + noise, atoms.cell.array, 100.0, wrapped=False
    )


def test_it_is_the_sum_over_images_while_the_cell_breathes():
    """Summed pair by pair over 27 images of the fractional coordinates that made the run."""
    fractions, cells = breathing_run(20, 12)
    species = np.array(["Li"] * 7 + ["S"] * 4 + ["P"])
    run = Trajectory.from_arrays(species, (fractions % 1.0) @ cells, cells, 100.0)
    result = PairDistributions(r_max=3.5, n_bins=14).run(run)
    assert set(result.partials) == {"Li-Li", "Li-P", "Li-S", "P-S", "S-S"}
    edges = np.linspace(0, 3.5, 15)
    shifts = np.array(list(np.ndindex(3, 3, 3))) - 1
    g, within = np.zeros(14), 0
    for s, cell in zip(fractions % 1.0, cells, strict=True):
        apart = s[:7, None] - s[None, 7:11]
        vectors = (apart - np.rint(apart))[:, :, None] + shifts
        distances = np.linalg.norm(vectors @ cell, axis=-1).ravel()
        g += np.histogram(distances, edges)[0] * np.linalg.det(cell) / (28 * 4 / 3 * np.pi * np.diff(edges**3)) / 20
        within += (distances < 2.5).sum() / 20
    found = result.partial("S", "Li")
    np.testing.assert_allclose(found.values, g, rtol=1e-12)
    assert found.coordination("S", 2.5)[0].value == pytest.approx(within / 4)
    assert found.coordination("Li", 2.5)[0].value == pytest.approx(within / 7)


def test_a_rocksalt_has_six_unlike_and_twelve_like_neighbours():
    result = PairDistributions(r_max=5.05, n_bins=160).run(shaken_rocksalt())
    assert result.verdict.quality is Quality.PASS
    shell = result.shells["Cl around Li"]
    assert shell.peak_a == pytest.approx(2.5, abs=0.02)
    assert 2.9 < shell.minimum_a < 3.9
    assert shell.coordination.low <= 6.0 <= shell.coordination.high
    assert shell.coordination.value == pytest.approx(6.0, abs=1e-9)
    assert result.shells["Li around Li"].coordination.value == pytest.approx(12.0, abs=0.02)
    running = result.partial("Li", "Cl").running_coordination("Cl")
    assert running[-1] == pytest.approx(14.0, abs=1e-9)  # and eight at a √3/2
    assert result.coordination("Cl", "Li", 5.05).value == pytest.approx(running[-1])


def test_counting_half_a_fluctuating_shell_carries_an_interval_that_covers():
    """The number within 2.5 Å, of a peak at 2.5 Å, of independent frames; 60 runs: 95 % ± 3 standard deviations."""
    numbers = [
        PairDistributions(r_max=4.0, n_bins=40).run(shaken_rocksalt(24, seed=k)).partial("Li", "Cl") for k in range(60)
    ]
    intervals = [each.coordination("Li", 2.5)[0] for each in numbers]
    truth = np.mean([interval.value for interval in intervals])
    covered = sum(interval.low <= truth <= interval.high for interval in intervals)
    assert 52 <= covered <= 60
    assert np.nanmean(numbers[0].errors[24:27] / numbers[0].values[24:27]) < 0.1


def test_threads_and_a_permutation_change_nothing():
    run = shaken_rocksalt(12)
    before = PairDistributions(r_max=5.0).run(run)
    order = np.random.default_rng(1).permutation(run.n_atoms)
    other = Trajectory.from_arrays(run.species[order], run.positions[:, order], run.cells, 100.0, wrapped=False)
    n_threads = numba.get_num_threads()
    try:
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        after = PairDistributions(r_max=5.0).run(other)
    finally:
        numba.set_num_threads(n_threads)
    for name, each in before.partials.items():
        np.testing.assert_array_equal(after.partials[name].group_counts, each.group_counts)


def test_many_frames_are_thinned_and_few_give_no_interval():
    run = shaken_rocksalt(30)
    thinned = PairDistributions(r_max=5.0, most_frames=9).run(run)
    assert (thinned.frame_step, thinned.n_frames) == (4, 8)
    assert thinned.verdict.quality is Quality.WEAK
    assert "8 frames are too few" in thinned.verdict.reasons[0]
    assert not np.isfinite(thinned.shells["Cl around Li"].coordination.high)


def test_the_minimum_is_the_middle_of_a_gap_and_does_not_trip_over_noise():
    r = np.arange(0.025, 8, 0.05)
    g = 3 * np.exp(-0.5 * ((r - 2.0) / 0.1) ** 2) + np.exp(-0.5 * ((r - 4.5) / 0.2) ** 2)
    assert first_minimum(r, g, 2.0, 1e9 * g) == pytest.approx(2 + 2.5 / 3, abs=0.03)  # as many widths from both
    counts = 60.0 * r**2
    noisy = np.random.default_rng(3).poisson((2 * g + 0.4) * counts) / counts
    assert 2.3 < first_minimum(r, noisy, 2.0, noisy * counts) < 4.1
    assert first_minimum(r, np.exp(-((r - 2.0) ** 2)), 2.0, 1e6 * r) is None


def test_r_max_beyond_half_the_smallest_height_is_refused_with_the_number():
    fractions, cells = breathing_run(20)
    run = Trajectory.from_arrays(["Li"] * 12, fractions @ cells, cells, 100.0, wrapped=True)
    heights = [np.linalg.det(c) / np.linalg.norm(np.cross(c[k - 1], c[k - 2])) for c in cells for k in range(3)]
    most = 0.5 * min(np.abs(heights))
    with pytest.raises(InputError, match=rf"found r_max 5 Å, expected at most half the .* {most:.4g} Å in frame"):
        PairDistributions(r_max=5.0).run(run)
    assert PairDistributions().run(run).partials["Li-Li"].edges[-1] == pytest.approx(most)
    with pytest.raises(InputError, match="r_max must be positive"):
        PairDistributions(r_max=-1.0)


@pytest.mark.slow
def test_other_codes_count_the_same():
    """Freud and MDAnalysis in a cubic cell: in float32, so that a pair in 10⁴ lands in the next shell."""
    freud = pytest.importorskip("freud")
    import MDAnalysis
    from MDAnalysis.analysis.rdf import InterRDF

    rng, edge, n_atoms = np.random.default_rng(2), 20.0, 600
    positions = rng.uniform(0, edge, (6, n_atoms, 3))
    run = Trajectory.from_arrays(["Li"] * n_atoms, positions, edge * np.eye(3), 100.0, wrapped=False)
    ours = PairDistributions(r_max=9.0, n_bins=60).run(run).partials["Li-Li"].values
    rdf = freud.density.RDF(60, 9.0)
    for frame in positions:
        rdf.compute((freud.box.Box.cube(edge), frame.astype(np.float32) - edge / 2), reset=False)
    # freud divides by N², we by N (N - 1): an ideal gas is one with us
    np.testing.assert_allclose(rdf.rdf[5:] * n_atoms / (n_atoms - 1), ours[5:], rtol=2e-3)
    universe = MDAnalysis.Universe.empty(n_atoms, trajectory=True)
    universe.load_new(positions.astype(np.float32), dimensions=np.array([edge] * 3 + [90.0] * 3, dtype=np.float32))
    theirs = InterRDF(universe.atoms, universe.atoms, 60, (0.0, 9.0), exclusion_block=(1, 1)).run().results.rdf
    np.testing.assert_allclose(theirs[5:], ours[5:], rtol=2e-3)
