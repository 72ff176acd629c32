"""Order parameters: golden values, scipy's and sympy's functions, freud, and what must not change them."""

import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk
from scipy.spatial import Voronoi
from scipy.special import sph_harm_y

from mlip_sse.analysis.structure.harmonics import bond_harmonics, third_invariants, wigner_3j_triples
from mlip_sse.analysis.structure.steinhardt import Steinhardt, nearest_neighbours, voronoi_neighbours
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

SLANTED = np.array([[16.0, 0.0, 0.0], [4.0, 15.0, 0.0], [-3.0, 3.5, 16.5]])
GRID = 2.0**-12  # coordinates that single precision, which is freud's, holds exactly


def cluster(directions):
    """One centre with neighbours 2 Å away, in a large cell."""
    unit = np.array(directions) / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.concatenate([np.zeros((1, 3)), 2.0 * unit]) + 10.0


TETRAHEDRON = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
OCTAHEDRON = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]


@pytest.mark.parametrize(
    ("shape", "golden"),
    [(TETRAHEDRON, {3: 0.74536, 4: 0.50918, 6: 0.62854}), (OCTAHEDRON, {3: 0.0, 4: 0.76376, 6: 0.35355})],
)
def test_golden_values_of_polyhedra(shape, golden):
    found = Steinhardt(tuple(golden), cutoff=2.1).measure(cluster(shape), 20 * np.eye(3))
    np.testing.assert_allclose(found.q[0], list(golden.values()), atol=1e-4)
    assert found.n_neighbours[0] == len(shape)


@pytest.mark.parametrize(
    ("atoms", "n", "q4", "q6", "w4", "w6"),
    [
        (bulk("Cu", a=3.6), 12, 0.19094, 0.57452, -0.15932, -0.01316),
        (bulk("Mg", a=3.0, c=3.0 * np.sqrt(8 / 3)), 12, 0.09722, 0.48476, 0.13410, -0.01244),
        (bulk("Fe", a=3.0), 14, 0.03637, 0.51069, 0.15932, 0.01316),
        (bulk("Fe", a=3.0), 8, 0.50918, 0.62854, -0.15932, 0.01316),
    ],
)
def test_golden_values_of_lattices(atoms, n, q4, q6, w4, w6):
    """In primitive cells, where all neighbours are images; averaging over equal atoms changes nothing."""
    for averaged in (False, True) if len(atoms) == 1 else (False,):
        found = Steinhardt((4, 6), n_neighbours=n, averaged=averaged).measure(atoms.positions, atoms.cell.array)
        np.testing.assert_allclose(found.q, [[q4, q6]] * len(atoms), atol=1e-4)
        np.testing.assert_allclose(found.w, [[w4, w6]] * len(atoms), atol=1e-4)


def test_voronoi_weights_need_no_cutoff_in_a_close_packing():
    for atoms, wanted in (
        (bulk("Cu", a=3.6), (0.19094, 0.57452)),
        (bulk("Mg", a=3, c=np.sqrt(24)), (0.09722, 0.48476)),
    ):
        found = Steinhardt((4, 6)).measure(atoms.positions, atoms.cell.array)
        np.testing.assert_allclose(found.q, [wanted] * len(atoms), atol=1e-4)


def test_harmonics_are_those_of_scipy():
    vectors = np.random.default_rng(0).normal(size=(12, 3))
    vectors[0] = 0, 0, 3  # the poles, where angles are not defined
    vectors[1] = 0, 0, -3
    found = bond_harmonics(np.arange(13), vectors, np.ones(12), 8)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    theta, phi = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    for degree in range(9):
        for m in range(degree + 1):
            np.testing.assert_allclose(found[:, degree, m], sph_harm_y(degree, m, theta, phi), atol=3e-15)


def test_wigner_symbols_are_orthonormal():
    """Σ_{m₁m₂} (2l + 1) (l l l; m₁ m₂ m₃)² = 1 for each m₃; two values from tables."""
    for degree in (2, 4, 6, 10):
        rows, symbols = wigner_3j_triples(degree)
        sums = np.bincount(rows[:, 2], weights=(2 * degree + 1) * symbols**2)
        np.testing.assert_allclose(sums, 1.0, rtol=1e-13)
    rows, symbols = wigner_3j_triples(2)
    table = {tuple(row - 2): symbol for row, symbol in zip(rows, symbols, strict=True)}
    assert table[0, 0, 0] == pytest.approx(-np.sqrt(2 / 35))
    assert table[2, -1, -1] == pytest.approx(-np.sqrt(3 / 35))


def test_the_third_invariant_of_odd_degrees_is_zero():
    found = third_invariants(bond_harmonics(*_bonds(), 5), (1, 3, 5))
    np.testing.assert_allclose(found, 0.0, atol=1e-15)


def _bonds():
    vectors = np.random.default_rng(1).normal(size=(20, 3))
    return np.array([0, 8, 20]), vectors, np.ones(20)


def test_weights_and_averages_are_sums_written_out():
    rng = np.random.default_rng(2)
    positions, cell = rng.random((14, 3)) @ SLANTED * 0.5, SLANTED * 0.5
    near, areas = voronoi_neighbours(positions, cell)
    unit = near.vectors / near.distances[:, None]
    angles = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    sums = np.zeros((14, 13), dtype=complex)
    for k, (i, area) in enumerate(zip(near.centres, areas, strict=True)):
        share = area / areas[near.centres == i].sum()
        sums[i] += share * np.array([sph_harm_y(6, m, angles[0][k], angles[1][k]) for m in range(-6, 7)])
    plain = np.sqrt(4 * np.pi / 13 * (np.abs(sums) ** 2).sum(axis=1))
    np.testing.assert_allclose(Steinhardt((6,)).measure(positions, cell).q[:, 0], plain, rtol=1e-12)
    shell = np.array([np.mean([sums[i], *sums[near.indices[near.centres == i]]], axis=0) for i in range(14)])
    wanted = np.sqrt(4 * np.pi / 13 * (np.abs(shell) ** 2).sum(axis=1))
    np.testing.assert_allclose(Steinhardt((6,), averaged=True).measure(positions, cell).q[:, 0], wanted, rtol=1e-12)


def test_facets_are_those_of_qhull():
    """Area of all facets of each atom's cell among its images, with another program's tessellation."""
    rng = np.random.default_rng(3)
    cell = np.array([[0.0, 5, 5], [5, 0, 5], [5, 5, 0]])
    fractions = rng.random((20, 3))
    near, areas = voronoi_neighbours(fractions @ cell, cell)
    shifts = np.array(list(np.ndindex(5, 5, 5))) - 2
    points = ((fractions + shifts[:, None]) @ cell).reshape(-1, 3)
    home, found = 62 * 20, np.zeros(20)
    tessellation = Voronoi(points)
    for (p, q), corners in zip(tessellation.ridge_points, tessellation.ridge_vertices, strict=True):
        for atom in (p - home, q - home):
            if 0 <= atom < 20:
                around = tessellation.vertices[corners] - tessellation.vertices[corners].mean(axis=0)
                found[atom] += 0.5 * np.linalg.norm(np.cross(around, np.roll(around, -1, axis=0)).sum(axis=0))
    np.testing.assert_allclose(np.bincount(near.centres, weights=areas), found, rtol=1e-9)


FREUD = """
import sys
import freud
import numpy as np

given, found = np.load(sys.argv[1]), {}
for configuration in ("random", "thermal"):
    box, positions = freud.box.Box.from_matrix(given[configuration + "_cell"].T), given[configuration]
    neighbours = {
        "cutoff": {"r_max": 5.0, "exclude_ii": True},
        "nearest": {"num_neighbors": 12, "exclude_ii": True},
        "voronoi": freud.locality.Voronoi().compute((box, positions)).nlist,
    }
    for kind, near in neighbours.items():
        for averaged in (False, True):
            options = {"average": averaged, "weighted": kind == "voronoi"}
            plain = freud.order.Steinhardt([2, 3, 4, 6], **options)
            third = freud.order.Steinhardt([4, 6], wl=True, wl_normalize=True, **options)
            for name, each in (("q", plain), ("w", third)):
                each.compute((box, positions), neighbors=near)
                found[f"{configuration} {kind} {averaged} {name}"] = each.ql if name == "q" else each.particle_order
np.savez(sys.argv[2], **found)
"""


@pytest.fixture(scope="module")
def configurations():
    rng = np.random.default_rng(4)
    atoms = bulk("Ar", a=5.3).repeat((5, 5, 5))  # 125 atoms in a rhombohedral cell
    slanted = np.linalg.cholesky(atoms.cell.array @ atoms.cell.array.T)
    thermal = (atoms.get_scaled_positions() - 0.5) @ slanted + rng.normal(0, 0.25, (125, 3))
    found = {"random": (16.0 * (rng.random((200, 3)) - 0.5), 16.0 * np.eye(3)), "thermal": (thermal, slanted)}
    return {name: tuple(np.round(array / GRID) * GRID for array in pair) for name, pair in found.items()}


@pytest.fixture(scope="module")
def orders_of_freud(configurations, tmp_path_factory):
    """Run freud in a process of its own: its voro++ and that of LAMMPS do not bear each other."""
    pytest.importorskip("freud")
    folder = tmp_path_factory.mktemp("freud")
    given = {name: pair[0] for name, pair in configurations.items()}
    np.savez(folder / "given.npz", **given, **{f"{name}_cell": pair[1] for name, pair in configurations.items()})
    command = [sys.executable, "-c", FREUD, folder / "given.npz", folder / "found.npz"]
    subprocess.run(command, check=True, timeout=300)
    with np.load(folder / "found.npz") as found:
        return dict(found)


@pytest.mark.parametrize("kind", ["cutoff", "nearest", "voronoi"])
@pytest.mark.parametrize("configuration", ["random", "thermal"])
def test_freud_says_the_same(kind, configuration, configurations, orders_of_freud):
    positions, cell = configurations[configuration]
    settings = {"cutoff": {"cutoff": 5.0}, "nearest": {"n_neighbours": 12}, "voronoi": {}}[kind]
    for averaged in (False, True):
        ours = Steinhardt((2, 3, 4, 6), averaged=averaged, **settings).measure(positions, cell)
        theirs = {name: orders_of_freud[f"{configuration} {kind} {averaged} {name}"] for name in "qw"}
        np.testing.assert_allclose(ours.q, theirs["q"], atol=1e-6)
        np.testing.assert_allclose(ours.w[:, 2:], theirs["w"], atol=5e-6)  # a ratio of small numbers


def test_rotation_wrapping_and_order_of_atoms_change_nothing():
    rng = np.random.default_rng(5)
    positions = rng.random((40, 3)) @ SLANTED
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(40)
    moved = (positions + rng.integers(-2, 3, (40, 3)) @ SLANTED + 0.4)[order] @ turn
    for settings, exact in ((Steinhardt(cutoff=6.0), 1e-12), (Steinhardt(n_neighbours=9), 1e-12), (Steinhardt(), 1e-9)):
        before, after = settings.measure(positions, SLANTED), settings.measure(moved, SLANTED @ turn)
        np.testing.assert_allclose(after.q, before.q[order], atol=exact)
        np.testing.assert_allclose(after.w, before.w[order], atol=10 * exact)


def test_nearest_neighbours_are_the_nearest():
    positions = np.random.default_rng(6).random((5, 3)) * 4.0
    near = nearest_neighbours(positions, 4.0 * np.eye(3), 40)
    shifts = 4.0 * (np.array(list(np.ndindex(7, 7, 7))) - 3)
    for i in range(5):
        all_distances = np.sort(np.linalg.norm((positions - positions[i])[:, None] + shifts, axis=-1).ravel())
        np.testing.assert_allclose(near.distances[40 * i : 40 * i + 40], all_distances[1:41], rtol=1e-12)


def test_a_crystal_that_vibrates_in_a_breathing_cell_is_averaged_first():
    """Averaging over 40 frames brings q₆ of a vibrating face-centred cubic sublattice back; P is not part of it."""
    rng = np.random.default_rng(7)
    atoms = bulk("S", "fcc", a=5.0, cubic=True).repeat(2)
    fractions = np.concatenate([atoms.get_scaled_positions(), [[0.1, 0.2, 0.3]]])
    cells = atoms.cell.array * (1 + 0.02 * rng.normal(size=(200, 1, 1)))
    moving = fractions + rng.normal(0, 0.03, (200, 33, 3))
    trajectory = Trajectory.from_arrays(["S"] * 32 + ["P"], moving, cells, 100.0, fractional=True)
    settings = Steinhardt((4, 6), n_neighbours=12)
    averaged, single = settings.run(trajectory, "S", 20, 20), settings.run(trajectory, "S", 20)
    assert averaged.q.shape == (10, 32, 2)
    assert averaged.frames.tolist() == list(range(0, 200, 20))
    assert averaged.mean[1].value == pytest.approx(0.5745, abs=0.02)
    assert averaged.mean[1].low < averaged.mean[1].value < averaged.mean[1].high
    assert single.mean[1].value < 0.52


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="found cutoff 3 Å and n_neighbours 12, expected one of them"):
        Steinhardt(cutoff=3.0, n_neighbours=12)
    with pytest.raises(InputError, match=r"found degrees \(0, 4\), expected some from 1 to 20"):
        Steinhardt((0, 4))
    positions = np.tile(np.random.default_rng(8).random((5, 3)) * 20, (12, 1, 1))
    trajectory = Trajectory.from_arrays(["S"] * 5, positions, 20 * np.eye(3), 100.0)
    with pytest.raises(InputError, match=r"no S has a neighbour within 0.01 Å; choose a longer cutoff"):
        Steinhardt(cutoff=0.01).run(trajectory, "S")
    pair = np.tile([[1.0, 1, 1], [2, 1, 1], [8, 8, 8]], (12, 1, 1))
    lonely = Steinhardt(cutoff=2.0).run(Trajectory.from_arrays(["S"] * 3, pair, 20 * np.eye(3), 100.0), "S")
    assert lonely.verdict.reasons == ("33.3% of the atoms have no neighbour within 2 Å: left out",)
