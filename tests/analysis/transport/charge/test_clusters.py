"""Clusters: connectivity against networkx, the two limits of the method, and the refusals."""

import itertools
import json

import networkx as nx
import numpy as np
import pytest

from mlip_sse.analysis.results import Estimate, Quality, to_json
from mlip_sse.analysis.transport.charge.cluster_conductivity import analyze_clusters, cluster_conductivity
from mlip_sse.analysis.transport.charge.clusters import ClusterPopulations, cluster_sums, count_clusters, ion_rich_rule
from mlip_sse.analysis.transport.charge.connectivity import connected_components, molecular_ions
from mlip_sse.analysis.transport.charge.salt_ions import salt_ions
from mlip_sse.errors import InputError, MlipSseError
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import conductivity_ms_cm

CUBE = np.diag([20.0, 20.0, 20.0])
SKEWED = np.array([[9.0, 0.0, 0.0], [5.5, 8.0, 0.0], [-3.0, 4.0, 10.0]])


def slow_components(first, second, cell, cutoff):
    """All pairs, all images within reach, networkx."""
    graph = nx.Graph()
    graph.add_nodes_from(range(len(first) + len(second)))
    reach = int(np.ceil(cutoff * np.linalg.norm(np.linalg.inv(cell), axis=0).max())) + 1
    shifts = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3))) @ cell
    wrap = lambda r: (r @ np.linalg.inv(cell) % 1.0) @ cell  # noqa: E731
    for i, a in enumerate(wrap(first)):
        for j, b in enumerate(wrap(second)):
            if (np.linalg.norm(b + shifts - a, axis=1) <= cutoff).any():
                graph.add_edge(i, len(first) + j)
    return {frozenset(c) for c in nx.connected_components(graph)}


def as_sets(labels):
    return {frozenset(np.flatnonzero(labels == k).tolist()) for k in range(labels.max() + 1)}


def monatomic(first, second, cell, cutoff):
    n, m = len(first), len(second)
    return connected_components(first, second, np.arange(n), n + np.arange(m), n + m, cell, cutoff)


@pytest.mark.parametrize(
    "cell", [CUBE, SKEWED, np.diag([4.0, 25.0, 7.0]), 0.35 * SKEWED], ids=["cube", "skewed", "thin", "tiny"]
)
@pytest.mark.parametrize("cutoff", [1.5, 3.4])
def test_components_agree_with_networkx(cell, cutoff):
    rng = np.random.default_rng(int(10 * cutoff))
    for n in (3, 12, 30):
        first, second = (rng.uniform(-2, 3, (n, 3)) @ cell for _ in range(2))
        labels, _ = monatomic(first, second, cell, cutoff)
        assert as_sets(labels) == slow_components(first, second, cell, cutoff)


def test_components_do_not_depend_on_wrapping_order_or_orientation():
    rng = np.random.default_rng(5)
    first, second = (rng.uniform(0, 1, (25, 3)) @ SKEWED for _ in range(2))
    reference, percolates = monatomic(first, second, SKEWED, 2.4)
    moved = first + rng.integers(-3, 4, (25, 3)) @ SKEWED
    np.testing.assert_array_equal(monatomic(moved, second, SKEWED, 2.4)[0], reference)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    np.testing.assert_array_equal(monatomic(first @ rotation, second @ rotation, SKEWED @ rotation, 2.4)[0], reference)
    rechosen = np.array([[1, 0, 0], [-1, 1, 0], [0, 0, 1]]) @ SKEWED  # another cell of the same lattice
    labels, again = monatomic(first, second, rechosen, 2.4)
    np.testing.assert_array_equal(labels, reference)
    np.testing.assert_array_equal(again, percolates)


def test_a_pair_across_a_triclinic_corner():
    first, second = np.array([[0.05, 0.05, 0.05]]) @ SKEWED, np.array([[0.97, 0.97, 0.97]]) @ SKEWED
    distance = np.linalg.norm(np.array([0.08, 0.08, 0.08]) @ SKEWED)
    assert monatomic(first, second, SKEWED, distance + 1e-6)[0].tolist() == [0, 0]
    assert monatomic(first, second, SKEWED, distance - 1e-6)[0].tolist() == [0, 1]


def test_a_chain_percolates_only_when_it_closes():
    x = np.arange(0.0, 20.0, 2.0)
    chain = np.column_stack([x, np.zeros(10), np.zeros(10)])
    for cell in (CUBE, np.array([[20.0, 0, 0], [9.0, 20.0, 0], [0, 0, 20.0]])):
        _, percolates = monatomic(chain[::2], chain[1::2], cell, 2.1)
        assert percolates.tolist() == [True]
        _, percolates = monatomic(chain[::2], chain[1:8:2], cell, 2.1)  # the last anion is missing
        assert percolates.tolist() == [False]
    ring = np.column_stack([3 * np.cos(np.arange(6)), 3 * np.sin(np.arange(6)), np.zeros(6)])
    assert not monatomic(ring[::2], ring[1::2], CUBE, 3.1)[1].any()
    # one cation, one anion, touching on both sides
    _, percolates = monatomic(np.zeros((1, 3)), np.array([[1.5, 0, 0]]), np.diag([3.0, 20, 20]), 1.6)
    assert percolates.tolist() == [True]


def test_a_molecule_across_the_boundary_does_not_percolate_by_itself():
    cation = np.array([[0.0, 2.0, 0.0]])
    anion = np.array([[19.5, 0, 0], [0.5, 0, 0]])  # one molecule over the face; both ends touch the cation
    labels, percolates = connected_components(cation, anion, np.zeros(1, int), np.ones(2, int), 2, CUBE, 2.2)
    assert labels.tolist() == [0, 0]
    assert percolates.tolist() == [False]


def test_molecules_are_found_from_bonds():
    water = np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    atoms = np.concatenate([water + np.array([19.8, 5, 5]), water + np.array([10, 10, 19.9])])
    assert molecular_ions(atoms, CUBE, 1.2).tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(InputError, match="endless network"):
        molecular_ions(np.arange(0.0, 20.0, 2.0)[:, None] * [1.0, 0, 0], CUBE, 2.1)


def populations_of(cations, anions, cell, cutoff, n_blocks=1):
    frames = [(c, a, cell) for c, a in zip(cations, anions, strict=True)]
    return count_clusters(
        frames, len(frames), np.arange(cations.shape[1]), np.arange(anions.shape[1]), cutoff, n_blocks
    )


GRID = np.array(list(itertools.product([2.5, 7.5, 12.5, 17.5], repeat=3)))
D_PLUS, D_MINUS = Estimate(2e-6, 0.01, 20.0), Estimate(1e-6, 0.02, 20.0)
SETTING = {"volume": 8000.0, "temperature_k": 400.0}


def test_isolated_ions_are_exactly_nernst_einstein():
    cations, anions = np.stack([GRID[:20]] * 4), np.stack([GRID[20:40]] * 4)
    result = cluster_conductivity(
        populations_of(cations, anions, CUBE, 2.0, 4), D_PLUS, D_MINUS, charges_e=(1, -1), **SETTING
    )
    assert result.conductivity_ms_cm.value == pytest.approx(result.nernst_einstein_conductivity_ms_cm.value, rel=1e-14)
    expected = conductivity_ms_cm(20 * 2e-5 + 20 * 1e-5, 8000.0, 400.0)  # 1e-6 cm²/s = 1e-5 Å²/fs
    assert result.conductivity_ms_cm.value == pytest.approx(expected, rel=1e-12)
    assert result.cation_transference_number.value == pytest.approx(2 / 3, rel=1e-12)
    assert result.nernst_einstein_transference_number == pytest.approx(2 / 3)
    assert result.verdict.quality is Quality.PASS
    assert result.free_cation_fraction == 1.0
    # both diffusivities' errors: (2² 0.01 + 1² 0.02)/3² = 0.0067
    free = result.nernst_einstein_conductivity_ms_cm
    assert (free.high / free.low) == pytest.approx(
        np.divide(*[getattr(Estimate(1.0, 0.06 / 9, 41.0).interval(), k) for k in ("high", "low")]), rel=0.02
    )


def test_all_paired_carries_nothing():
    cations = np.stack([GRID[:20]] * 4)
    result = cluster_conductivity(
        populations_of(cations, cations + np.array([1.0, 0, 0]), CUBE, 2.0, 4),
        D_PLUS,
        D_MINUS,
        charges_e=(1, -1),
        **SETTING,
    )
    assert result.populations == ((1, 1, 20.0),)
    assert result.conductivity_ms_cm.value == 0.0
    assert 0 < result.conductivity_ms_cm.high <= result.nernst_einstein_conductivity_ms_cm.value
    assert result.cation_transference_number is None
    assert result.verdict.quality is Quality.WEAK
    assert "bounded from above" in result.verdict.reasons[0]


def test_a_triplet_moves_like_the_ion_that_prevails():
    # Li Cl Li+ (q = +1, D+), Cl Li Cl- (q = -1, D-): sigma ~ D+ + D-, t+ = (2·1·D+ − 1·1·D-)/(D+ + D-)
    cations = np.array([[[0.0, 0, 0], [2, 0, 0], [10, 10, 10]]])
    anions = np.array([[[1.0, 0, 0], [9, 10, 10], [11, 10, 10]]])
    populations = populations_of(cations, anions, CUBE, 1.1)
    assert populations.sizes.tolist() == [[1, 2], [2, 1]]
    sums = cluster_sums(populations, 1.0, -1.0, (2.0, 1.0))
    assert sums.charge_mobility == pytest.approx(3.0)
    assert sums.cation_share == pytest.approx((2 * 2.0 - 1 * 1.0) / 3.0)
    step = 1e-6
    for k, (plus, minus) in enumerate([(2.0 + step, 1.0), (2.0, 1.0 + step)]):
        moved = cluster_sums(populations, 1.0, -1.0, (plus, minus))
        assert (moved.charge_mobility - 3.0) / step == pytest.approx(sums.mobility_per_diffusivity[k], rel=1e-4)
        assert (moved.cation_share - 1.0) / step == pytest.approx(sums.share_per_diffusivity[k], rel=1e-4)


def test_multivalent_charges_decide_which_ion_prevails():
    sizes = np.array([[1, 1], [1, 2], [1, 3]])
    assert ion_rich_rule(sizes, 2.0, -1.0).tolist() == [[1, 0], [0, 0], [0, 1]]
    with pytest.raises(InputError, match="expected the cation's"):
        ion_rich_rule(sizes, -1.0, 2.0)


def test_a_cluster_of_more_than_ten_is_kept_and_everything_is_conserved():
    n = 15
    x = 1.0 * np.arange(2 * n)
    cell = np.diag([60.0, 20.0, 20.0])
    chain = np.column_stack([x, np.zeros(2 * n), np.zeros(2 * n)])
    far = np.array([[45.0, 10, 10]])
    populations = populations_of(np.concatenate([chain[::2], far])[None], chain[None, 1::2], cell, 1.1)
    assert populations.sizes.tolist() == [[1, 0], [n, n]]
    assert populations.means.tolist() == [1.0, 1.0]
    assert (populations.means @ populations.sizes).tolist() == [n + 1, n]


def test_broken_conservation_is_an_error():
    broken = ClusterPopulations(np.array([[1, 1]]), np.array([[3.0]]), np.array([1]), 4, 4, 0.0)
    with pytest.raises(MlipSseError, match=r"expected \[4, 4\]"):
        broken.check_conservation()


def test_block_interval_covers_the_true_conductivity():
    # Each of 20 pairs is open with probability p in each of many independent frames: sigma ~ 20 p (D+ + D-).
    rng = np.random.default_rng(2)
    p, hits, exact = 0.3, {0.6827: 0, 0.95: 0}, 20 * 0.3 * 3.0
    kinds = np.array([[0, 1], [1, 0], [1, 1]])
    for _ in range(1500):
        free = rng.binomial(20, p, (10, 20)).mean(axis=1)
        blocks = np.column_stack([free, free, 20 - free])
        populations = ClusterPopulations(kinds, blocks, np.full(10, 20), 20, 20, 0.0)
        sums = cluster_sums(populations, 1.0, -1.0, (2.0, 1.0))
        estimate = Estimate(
            sums.charge_mobility, sums.charge_mobility_variance / sums.charge_mobility**2, sums.block_dof
        )
        for confidence in hits:
            interval = estimate.interval(confidence)
            hits[confidence] += interval.low < exact < interval.high
    assert 0.64 <= hits[0.6827] / 1500 <= 0.76  # the larger of two block lengths leans to the safe side
    assert 0.92 <= hits[0.95] / 1500 <= 0.98


def salt_trajectory(n_frames=40, seed=0):
    """Fifteen pairs 2 Å apart that open and close by chance."""
    rng = np.random.default_rng(seed)
    cations = rng.permutation(GRID)[:15]
    ions = np.concatenate([cations, cations + np.array([2.0, 0, 0])])
    positions = ions + rng.normal(scale=0.25, size=(n_frames, 30, 3))
    species = np.array(["Li"] * 15 + ["Cl"] * 15)
    return Trajectory(species, np.full(30, 20.0), positions, np.stack([CUBE] * n_frames), 100.0, temperature_k=400.0)


def test_from_a_trajectory_with_names_for_scripts():
    trajectory = salt_trajectory()
    ions = salt_ions(trajectory, "Li", "Cl")
    result = analyze_clusters(trajectory, ions, 2.0, D_PLUS, D_MINUS, stride=2)
    plain = json.loads(to_json(result))
    assert 0 < plain["conductivity_ms_cm"]["value"] < plain["nernst_einstein_conductivity_ms_cm"]["value"]
    assert (
        plain["conductivity_ms_cm"]["low"] < plain["conductivity_ms_cm"]["value"] < plain["conductivity_ms_cm"]["high"]
    )
    assert sum(i * mean for i, _, mean in plain["populations"]) == pytest.approx(15.0)
    assert 0 < plain["free_cation_fraction"] < 1
    shifted = Trajectory(
        trajectory.species,
        trajectory.masses,
        trajectory.positions + np.array([37.0, -12.0, 5.0]),
        trajectory.cells,
        100.0,
        temperature_k=400.0,
    )
    assert analyze_clusters(shifted, ions, 2.0, D_PLUS, D_MINUS, stride=2).populations == result.populations


def test_molecular_anions_count_once():
    positions = np.array(
        [
            [
                [0.0, 0, 0],
                [2.0, 0, 0],
                [3.4, 0, 0],
                [4.8, 0, 0],
                [6.8, 0, 0],
                [10, 10, 10],
                [11.4, 10, 10],
                [12.8, 10, 10],
            ]
        ]
    )
    species = np.array(["Li", "O", "S", "O", "Li", "O", "S", "O"])
    trajectory = Trajectory(species, np.ones(8), positions, CUBE[None], 100.0)
    ions = salt_ions(trajectory, "Li", ["O", "S"], binding="O", bond_length=1.6)
    assert ions.anion_of_site.tolist() == [0, 0, 1, 1]
    found = count_clusters(ions.frames(trajectory), 1, ions.cation_of_site, ions.anion_of_site, 2.1)
    assert found.sizes.tolist() == [[0, 1], [2, 1]]
    with pytest.raises(InputError, match="binding species"):
        salt_ions(trajectory, "Li", ["O", "S"], binding="Li", bond_length=1.6)


def test_single_ion_conductors_are_refused():
    trajectory = salt_trajectory()
    ions = salt_ions(trajectory, "Li", "Cl")
    for anion in (None, Estimate(1e-10, 0.1)):
        result = analyze_clusters(trajectory, ions, 2.0, D_PLUS, anion)
        assert result.verdict.quality is Quality.REFUSED
        assert "single-ion conductor" in result.verdict.reasons[0]
        assert result.conductivity_ms_cm is None
        assert json.loads(to_json(result))["conductivity_ms_cm"] is None


def test_percolation_and_missing_charge_are_named():
    trajectory = salt_trajectory()
    ions = salt_ions(trajectory, "Li", "Cl")
    result = analyze_clusters(trajectory, ions, 12.0, D_PLUS, D_MINUS, charges_e=(2.0, -1.0))
    assert result.percolating_fraction == 1.0
    assert any("percolates through the cell in 100 %" in r for r in result.verdict.reasons)
    assert any("carry +15 e" in r for r in result.verdict.reasons)


def test_a_rule_of_ones_own():
    cations = np.array([[[0.0, 0, 0], [2, 0, 0]]])
    populations = populations_of(cations, np.array([[[1.0, 0, 0], [10.0, 10, 10]]]), CUBE, 1.1)
    result = cluster_conductivity(
        populations, D_PLUS, D_MINUS, charges_e=(1, -1), rule_weights={(2, 1): (0.5, 0.0)}, **SETTING
    )
    assert result.conductivity_ms_cm.value == pytest.approx(conductivity_ms_cm(1e-5 + 1e-5, 8000.0, 400.0))
    assert "(2, 1)" in result.rule


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff": -1.0}, "cutoff"),
        ({"cell": np.zeros((3, 3))}, "independent vectors"),
        ({"first_sites": np.full((1, 3), np.nan)}, "finite position"),
        ({"first_nodes": np.array([7])}, "one node below 2"),
    ],
)
def test_bad_input(change, message):
    good = {
        "first_sites": np.zeros((1, 3)),
        "second_sites": np.ones((1, 3)),
        "first_nodes": np.array([0]),
        "second_nodes": np.array([1]),
        "n_nodes": 2,
        "cell": CUBE,
        "cutoff": 2.0,
    }
    with pytest.raises(InputError, match=message):
        connected_components(**{**good, **change})
