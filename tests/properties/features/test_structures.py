"""Features of structures: analytic crystals, split sites, rotations, and the crystals of the shared data."""

from collections import deque
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from mlip_sse.errors import InputError
from mlip_sse.properties.features import featurizer
from mlip_sse.properties.features.bond_valence import bond_length
from mlip_sse.properties.features.electrostatics import site_potentials
from mlip_sse.properties.features.percolation import grid_edges, percolation_thresholds
from mlip_sse.properties.features.sites import partial_sites
from mlip_sse.properties.features.voids import void_network

CIFS = Path(__file__).resolve().parents[4] / "shared/data/obelix_train/cifs"
BLOCKS = ("superionic_screen", "cell_and_symmetry", "site_disorder", "hierarchical", "ewald_sites", "voronoi_voids")


def rock_salt(a=5.14, lithium="Li"):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [lithium, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def antifluorite(a=5.71, occupancy=1.0):
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [{"Li": occupancy}, "S"], [[0.25, 0.25, 0.25], [0, 0, 0]]
    )


def values(name, structure):
    block = featurizer(name)
    return dict(zip(block.names, block.featurize(["x"], [structure])[0], strict=True))


def test_screen_of_rock_salt():
    found = values("superionic_screen", rock_salt())
    # LiCl: 12 Li at a/√2 = 3.63 Å, 6 Cl at a/2, no framework cation
    assert found["mobile_bonds_per_mobile"] == pytest.approx(12)
    assert found["mobile_anion_distance_a"] == pytest.approx(2.57)
    assert found["mobile_mobile_distance_a"] == pytest.approx(5.14 / np.sqrt(2))
    assert found["anion_coordination_of_anions"] == pytest.approx(12)
    assert found["mobile_coordination"] == pytest.approx(6)
    assert found["mobile_bond_ionicity"] == pytest.approx(3.16 - 0.98)
    assert np.isnan(found["framework_bond_ionicity"])


def test_half_filled_neighbours_are_half_a_bond():
    whole, half = (values("superionic_screen", antifluorite(occupancy=x)) for x in (1.0, 0.5))
    assert half["mobile_bonds_per_mobile"] == pytest.approx(whole["mobile_bonds_per_mobile"] / 2)
    disorder = values("site_disorder", antifluorite(occupancy=0.5))
    assert disorder["mobile_occupancy_mean"] == pytest.approx(0.5)
    assert disorder["mobile_entropy_kb_per_mobile"] == pytest.approx(2 * np.log(2))  # ln 2 a site, half an ion a site


def test_split_framework_positions_are_one_atom():
    lattice = Lattice.cubic(4.0)
    split = Structure(lattice, ["Li", {"S": 0.5}, {"S": 0.5}], [[0, 0, 0], [0.5, 0.5, 0.45], [0.5, 0.5, 0.55]])
    sites = partial_sites(split)
    assert len(sites.positions) == 1
    np.testing.assert_allclose(sites.positions[0], [2, 2, 2], atol=1e-12)
    assert sites.filled[0] == pytest.approx(1)
    with pytest.raises(InputError, match="expected Na and a framework"):
        partial_sites(split, "Na")


def test_potential_of_rock_salt_is_madelung():
    at_mobile, at_framework = site_potentials(partial_sites(rock_salt(2.0)))  # nearest distance 1 Å
    # at the anions all ions take part: Madelung's constant of rock salt, 1.7475646, by e²/(4πε₀)
    assert at_framework == pytest.approx(np.full(4, 1.7475646 * 14.3996454), rel=1e-4)
    assert np.ptp(at_mobile) < 1e-6


def test_spheres_between_simple_cubic_points():
    # corners in the middle of the cell, √3/2 a away; the ways between them pass the middle of a face, a/√2 away
    points, a = np.zeros((1, 3)), 4.0
    corners, radii, first, second, shifts, widths = void_network(points, np.eye(3) * a, np.array([0.5]))
    assert len(corners) == 1
    assert radii[0] == pytest.approx(np.sqrt(3) / 2 * a - 0.5)
    free = -percolation_thresholds(1, first, second, shifts, -widths)
    np.testing.assert_allclose(free, np.full(3, a / np.sqrt(2) - 0.5), rtol=1e-9)


def test_thresholds_of_a_grid_are_those_of_a_slow_flood():
    rng = np.random.default_rng(5)
    shape = (4, 3, 5)
    heights = rng.random(shape)
    first, second, shifts = grid_edges(shape)
    flat = heights.ravel()
    found = percolation_thresholds(flat.size, first, second, shifts, np.maximum(flat[first], flat[second]))
    for rank in (1, 2, 3):
        assert found[rank - 1] == pytest.approx(_slow_threshold(heights, rank))


def test_layers_run_in_two_directions_only():
    heights = np.full((4, 4, 4), np.inf)
    heights[:, :, 0] = 0.3
    first, second, shifts = grid_edges((4, 4, 4))
    flat = heights.ravel()
    found = percolation_thresholds(64, first, second, shifts, np.maximum(flat[first], flat[second]))
    np.testing.assert_array_equal(found, [0.3, 0.3, np.inf])


def test_bond_valence_of_antifluorite():
    found = values("bond_valence", antifluorite())
    # four S at √3/4 a = 2.472 Å: 4 exp((R − r)/0.37)
    expected = 4 * np.exp((bond_length("Li", "S") - np.sqrt(3) / 4 * 5.71) / 0.37)
    assert found["mobile_valence_sum_vu"] == pytest.approx(expected, rel=0.03)  # shells beyond the first add the rest
    assert found["path_mismatch_1d_vu"] <= found["path_mismatch_2d_vu"] <= found["path_mismatch_3d_vu"] < 1.0


@pytest.mark.parametrize("name", BLOCKS)
def test_features_do_not_depend_on_the_setting_of_the_crystal(name):
    structure = Structure.from_spacegroup(
        "R-3c", Lattice.hexagonal(8.5, 20.9), [{"Li": 0.6}, "Ti", "P", "O", "O"],
        [[0.03, 0.02, 0.03], [0, 0, 0.141], [0.29, 0, 0.25], [0.187, 0.995, 0.19], [0.19, 0.163, 0.083]],
    ).get_primitive_structure()  # fmt: skip
    rng = np.random.default_rng(2)
    order = rng.permutation(len(structure))
    moved = Structure.from_sites([structure[int(k)] for k in order])
    moved.translate_sites(list(range(len(moved))), [0.13, 0.27, 0.41])
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    turned = Structure(Lattice(moved.lattice.matrix @ rotation.T), moved.species_and_occu, moved.frac_coords)
    one, other = featurizer(name).featurize(["x", "x"], [structure, turned])
    assert np.isfinite(one).sum() >= len(one) - 1
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)  # Ewald is cut at 1e-5


def test_disordered_crystals_of_the_shared_data_are_not_dropped():
    if not CIFS.is_dir():
        pytest.skip("../shared/data/obelix_train is not here")
    structures = [Structure.from_file(path, primitive=False) for path in sorted(CIFS.glob("*.cif"))[:40:5]]
    assert not all(structure.is_ordered for structure in structures)
    found = featurizer("superionic_screen").featurize([""] * len(structures), structures)
    with_lithium = np.array(["Li" in structure.composition.get_el_amt_dict() for structure in structures])
    assert with_lithium.sum() >= 6
    assert np.isfinite(found[with_lithium, 3]).all()


def _slow_threshold(heights, rank):
    """Return the lowest height at which a flood has come back along as many independent vectors, by bisection."""
    levels = np.sort(heights.ravel())
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _flooded_rank(heights, levels[middle]) >= rank else (middle + 1, high)
    return levels[low]


def _flooded_rank(heights, level):
    size = np.array(heights.shape)
    steps = [np.array(step) for step in product((-1, 0, 1), repeat=3) if any(step)]
    seen, largest = {}, 0
    for start in np.argwhere(heights <= level):
        if tuple(start) in seen:
            continue
        seen[tuple(start)], queue, vectors = np.zeros(3, int), deque([start]), [np.zeros(3, int)]
        while queue:
            here = queue.popleft()
            for step in steps:
                wrapped, now = (here + step) % size, seen[tuple(here)] + (here + step) // size
                if heights[tuple(wrapped)] > level:
                    continue
                if tuple(wrapped) in seen:
                    vectors.append(now - seen[tuple(wrapped)])
                else:
                    seen[tuple(wrapped)] = now
                    queue.append(wrapped)
        largest = max(largest, int(np.linalg.matrix_rank(np.array(vectors))))
    return largest
