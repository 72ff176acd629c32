"""Densities: counts by hand, Gaussians, supercells; peaks and percolation levels of fields known in closed form."""

import numpy as np
import pytest

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.density import IonDensity, gaussian_kernel, ion_density
from mlip_sse.analysis.structure.density_peaks import density_peaks
from mlip_sse.analysis.structure.free_energy import free_energy_map, percolation
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import BOLTZMANN_EV_PER_K
from tests.analysis.structure.test_frames import breathing_run

SLANTED = np.array([[9.0, 0.0, 0.0], [3.1, 8.4, 0.0], [-2.7, 2.2, 8.9]])
CUBE = 10.0 * np.eye(3)
T_K = 1.0 / BOLTZMANN_EV_PER_K
"""kBT = 1 eV, so that free energies are plain logarithms."""


def field(values, cell=CUBE, n_samples=1000):
    """Return a density with these values, which rest on very many counts."""
    counts = np.rint(values * 1e6).astype(np.int64)
    voxel = np.linalg.det(cell) / values.size
    return IonDensity(counts / (n_samples * voxel), counts, cell, n_samples)


def grid(*shape):
    return np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij")


def test_counts_are_those_of_the_nearest_grid_point_while_the_cell_breathes():
    fractions, cells = breathing_run(20, 12)
    run = Trajectory.from_arrays(["Li"] * 7 + ["S"] * 5, (fractions % 1.0) @ cells, cells, 100.0)
    density = ion_density(run, range(7), resolution_a=1.1)
    nearest = np.rint(fractions[:, :7].reshape(-1, 3) * density.shape).astype(int) % density.shape
    wanted = np.zeros(density.shape, int)
    np.add.at(wanted, tuple(nearest.T), 1)
    np.testing.assert_array_equal(density.counts, wanted)
    other = cells.copy()
    other[9:] = np.array([[1, 0, 0], [-1, 1, 0], [0, 0, 1]]) @ cells[9:]  # other vectors of the same lattice
    again = ion_density(Trajectory.from_arrays(run.species, fractions @ cells, other, 100.0), range(7), 1.1)
    np.testing.assert_array_equal(again.counts, density.counts)
    assert density.n_ions == pytest.approx(7)
    assert density.smoothed(0.7).n_ions == pytest.approx(7, rel=1e-12)
    assert density.smoothed(0.7).values.min() >= 0.0


def test_smoothing_is_a_gaussian_of_the_stated_width_in_a_slanted_cell():
    """Second moments of the kernel by distance in Å; cut at five widths it loses 1e-5 of them."""
    shape = (36, 34, 32)
    kernel = gaussian_kernel(shape, SLANTED, 0.6)
    s = np.stack(grid(*shape), axis=-1)
    vectors = (s - np.rint(s)) @ SLANTED
    assert kernel.sum() == pytest.approx(1.0)
    moments = np.einsum("abc,abci,abcj->ij", kernel, vectors, vectors)
    np.testing.assert_allclose(moments, 0.36 * np.eye(3), atol=2e-4)


def test_one_visit_counts_as_one_wherever_its_gaussian_reaches():
    counts = np.zeros((54, 54, 54), dtype=np.int64)
    counts[3, 4, 5] = 1
    density = IonDensity(counts * 1.0, counts, 8.0 * np.eye(3), 1).smoothed(0.5)
    effective = density.effective_counts()
    np.testing.assert_allclose(effective[density.values > 1e-3 * density.values.max()], 1.0, rtol=1e-6)
    seen = np.isfinite(free_energy_map(density, 300.0).values)
    assert seen.sum() * (8 / 54) ** 3 == pytest.approx(4 / 3 * np.pi * 0.5**3, rel=0.1)  # a ball of one width
    assert free_energy_map(density, 300.0).errors[3, 4, 5] == pytest.approx(BOLTZMANN_EV_PER_K * 300.0)


def test_a_supercell_folds_onto_its_unit_cell():
    rng = np.random.default_rng(2)
    cells = np.array([[0, 0, 0], [0.5, 0, 0], [0, 0, 1 / 3], [0.5, 0, 2 / 3]])
    fractions = 0.1 + cells + rng.normal(0, 0.01, (50, 4, 3))
    run = Trajectory.from_arrays(["Li"] * 4, fractions @ SLANTED, SLANTED, 1.0, wrapped=False)
    folded = ion_density(run, range(4), 0.4, 0.5, repeats=(2, 1, 3))
    np.testing.assert_allclose(folded.cell, SLANTED / [[2], [1], [3]])
    assert folded.n_ions == pytest.approx(4 / 6)
    assert folded.n_samples == 300
    peaks = density_peaks(folded)
    np.testing.assert_allclose(peaks.fractions, [[0.2, 0.1, 0.3]], atol=0.02)  # 0.06 Å on a grid of 0.4 Å
    with pytest.raises(InputError, match="expected three numbers that divide it"):
        folded.averaged((7, 1, 1))


def test_peaks_are_where_the_gaussians_are_and_hold_their_ions():
    """Two ions' worth at one place and half of one at another, 3 Å apart across the cell's edge."""
    cell, rng = np.diag([8.0, 9.0, 10.0]), np.random.default_rng(3)
    sites = np.array([[0.1, 0.2, 0.02], [7.6, 0.3, 2.9]])
    positions = sites[[0, 0, 1]] + rng.normal(0, 0.25, (800, 3, 3))
    positions[::2, 2] += [4.0, 4.5, 0.0]  # every other frame at a third place
    run = Trajectory.from_arrays(["Li"] * 3, positions, cell, 1.0, wrapped=False)
    peaks = density_peaks(ion_density(run, range(3), 0.25, 0.25))
    np.testing.assert_allclose(peaks.occupancies, [2.0, 0.5, 0.5], atol=0.02)
    order = np.argsort(peaks.fractions[1:, 0])[::-1] + 1
    np.testing.assert_allclose(peaks.positions[0], sites[0], atol=0.05)
    np.testing.assert_allclose(peaks.positions[order[0]], sites[1], atol=0.05)
    assert set(np.unique(peaks.basins)) == {-1, 0, 1, 2}
    held = peaks.basins == 0
    assert (ion_density(run, range(3), 0.25).values[held].sum() * 0.25**3) == pytest.approx(2.0, rel=0.05)


def test_two_humps_of_one_peak_are_one_unless_the_pass_is_low():
    x, y, z = grid(40, 20, 20)
    for barrier, wanted in ((0.3, 1), (1.5, 2)):
        # two humps along a, with a dip of this many kBT between
        well = np.exp(-0.5 * barrier * np.cos(4 * np.pi * x) ** 2 * 0 + 0.5 * barrier * np.cos(4 * np.pi * x))
        around = np.exp(-30 * ((y - 0.5) ** 2 + (z - 0.5) ** 2))
        found = density_peaks(field(well * around), persistence=0.5)
        assert len(found.heights) == wanted
    assert len(density_peaks(field(well * around), least_separation_a=6.0).heights) == 1


def test_percolation_levels_are_the_passes_of_a_cosine_lattice():
    """The logarithm of ρ is Σ h_k (cos 2π s_k - 1)/2: the pass along k lies h_k below the top, at s_k = 1/2."""
    heights = (1.0, 3.0, 2.0)
    s = grid(24, 26, 28)
    logarithm = sum(0.5 * h * (np.cos(2 * np.pi * each) - 1) for h, each in zip(heights, s, strict=True))
    found = percolation(free_energy_map(field(np.exp(logarithm), SLANTED), T_K))
    assert [each.value for each in found.axes_ev] == pytest.approx(heights, abs=1e-5)
    assert [each.value for each in found.dimensions_ev] == pytest.approx([1.0, 2.0, 3.0], abs=1e-5)
    np.testing.assert_allclose(found.bottlenecks, 0.5 * np.eye(3), atol=1e-12)
    assert found.verdict.quality is Quality.PASS
    assert found.axes_ev[0].low < 1.0 < found.axes_ev[0].high


def test_a_channel_across_the_diagonal_serves_both_axes_but_one_dimension():
    n = 24
    x, y, z = grid(n, n, n)
    across = (x - y + 0.5) % 1.0 - 0.5
    tube = (np.abs(across) < 1.6 / n) & (np.abs(z - 0.5) < 1.6 / n)
    found = percolation(free_energy_map(field(np.where(tube, np.exp(-1.0 * (x > 0.4) * (x < 0.5)), 0.0)), T_K))
    assert [each and round(each.value, 5) for each in found.axes_ev] == [1.0, 1.0, None]
    assert [each and round(each.value, 5) for each in found.dimensions_ev] == [1.0, None, None]
    assert found.verdict.reasons == ("no channel along c: the points that ions visited do not connect",)


def test_levels_agree_with_a_search_of_connected_components_in_many_images():
    """Slow twin: the lowest of all levels at which a flood over 5 × 5 × 5 cells joins a point to an image."""
    from scipy.ndimage import label

    rng = np.random.default_rng(8)
    values = rng.uniform(0.01, 1.0, (6, 5, 7))
    found = percolation(free_energy_map(field(values), T_K))
    energies = -np.log(np.rint(values * 1e6) / np.rint(values * 1e6).max())
    tiled = np.tile(energies, (5, 5, 5))
    for k in range(3):
        for level in np.sort(energies.ravel()):
            clusters, _ = label(tiled <= level + 1e-12)
            blocks = clusters.reshape(5, 6, 5, 5, 5, 7).transpose(0, 2, 4, 1, 3, 5)
            home = blocks[2, 2, 2]
            if any(
                ((blocks[at] == home) & (home > 0)).any() for at in np.ndindex(5, 5, 5) if at[k] != 2 and home.any()
            ):
                break
        assert found.axes_ev[k].value == pytest.approx(level, abs=1e-9)


def test_few_counts_at_the_pass_are_said():
    x, y, z = grid(20, 20, 20)
    walls = (np.abs(x - 0.5) < 0.1) & ((np.abs(y - 0.5) > 0.06) | (np.abs(z - 0.5) > 0.06))
    counts = np.where(walls, 0, 400)
    counts[(np.abs(x - 0.5) < 0.1) & ~walls] = 3
    density = IonDensity(counts * 64.0, counts, 5.0 * np.eye(3), 1)
    found = percolation(free_energy_map(density, T_K))
    assert found.axes_ev[0].value == pytest.approx(np.log(400 / 3))
    assert found.axes_ev[0].low == pytest.approx(np.log(400 / 8.767), abs=1e-3)  # Garwood's interval of three counts
    assert found.axes_ev[0].high == pytest.approx(np.log(400 / 0.6187), abs=1e-3)
    assert "the bottleneck along a rests on 3.0 counts, fewer than 10" in found.verdict.reasons


def test_what_cannot_be_mapped_is_refused():
    run = Trajectory.from_arrays(["Li"], np.zeros((3, 1, 3)), SLANTED, 1.0)
    with pytest.raises(InputError, match="found no ion"):
        ion_density(run, [])
    with pytest.raises(InputError, match="choose a coarser resolution"):
        ion_density(run, [0], 0.001)
    with pytest.raises(InputError, match="temperature of 0"):
        free_energy_map(ion_density(run, [0]), 0)
    with pytest.raises(InputError, match="no peak with more than 2 ions, the largest has 1"):
        density_peaks(ion_density(run, [0]), least_occupancy=2.0)
