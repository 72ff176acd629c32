"""Percolation of periodic networks against connectivity of supercells."""

import networkx as nx
import numpy as np
import pytest

from mlip_sse.analysis.mechanism.assignment import assign
from mlip_sse.analysis.mechanism.network import critical_rates, hop_barrier, hop_edges, hop_network, percolates
from mlip_sse.analysis.mechanism.rates import hop_rates
from mlip_sse.analysis.results import Interval
from mlip_sse.units import BOLTZMANN_EV_PER_K
from tests.analysis.mechanism.site_walkers import hopping_trajectory

N = 9


def twin(n_sites, one, other, images):
    """Return which axes percolate: whether a site is joined to a shifted copy of itself in a large supercell."""
    graph = nx.Graph()
    cells = [(i, j, k) for i in range(N) for j in range(N) for k in range(N)]
    graph.add_nodes_from((cell, site) for cell in cells for site in range(n_sites))
    for cell in cells:
        for a, b, image in zip(one, other, images, strict=True):
            there = tuple(np.add(cell, image))
            if min(there) >= 0 and max(there) < N:
                graph.add_edge((cell, int(a)), (there, int(b)))
    found = [False] * 3
    for part in nx.connected_components(graph):
        for site in range(n_sites):
            copies = np.array([cell for cell, at in part if at == site])
            if len(copies) > 1:
                found = [bool(done or np.ptp(copies[:, axis]) > 0) for axis, done in enumerate(found)]
    return tuple(found)


@pytest.mark.parametrize("seed", range(12))
def test_percolation_is_that_of_a_supercell(seed):
    rng = np.random.default_rng(seed)
    n_sites, n_edges = 4, int(rng.integers(2, 7))
    one, other = rng.integers(0, n_sites, (2, n_edges))
    images = rng.integers(-1, 2, (n_edges, 3)) * (rng.random((n_edges, 3)) < 0.5)
    assert percolates(n_sites, one, other, images) == twin(n_sites, one, other, images)


def analysed():
    trajectory, sites = hopping_trajectory(n_ions=12, n_frames=800, rate=0.2, vibration=0.15, seed=1)
    found = assign(trajectory, trajectory.indices("Li"), sites, outer_radius=1.3)
    jumps = found.visits.jumps()
    rates = hop_rates(found.visits, jumps, sites, 100.0)
    return found, jumps, rates, hop_edges(jumps, rates.class_of)


def test_the_bottleneck_opens_each_direction_at_its_rate():
    found, _, rates, edges = analysed()
    critical = critical_rates(len(found.sites), edges, rates)
    for axis, name in enumerate("abc"):
        level = critical[name].value
        by_class = np.array([rates.rate(k).value for k in range(len(rates.classes))])
        both = np.array([min(by_class[k], by_class[_back(rates, k)]) for k in range(len(by_class))])
        for kept, wanted in ((both >= level, True), (both > level, False)):
            chosen = kept[edges.classes]
            open_axes = percolates(
                len(found.sites), edges.sites_from[chosen], edges.sites_to[chosen], edges.images[chosen]
            )
            assert open_axes[axis] is wanted


def _back(rates, k):
    hop = rates.classes[k]
    back = [j for j, other in enumerate(rates.classes) if other.label_to == hop.label_from
            and other.label_from == hop.label_to and abs(other.length - hop.length) < 1e-6]  # fmt: skip
    return back[0] if back else k


def test_the_graph_holds_all_hops_and_occupancies():
    found, jumps, rates, edges = analysed()
    graph = hop_network(found, edges, rates, 100.0, 500.0)
    assert sum(data["count"] for *_, data in graph.edges(data=True)) == len(jumps)
    assert sum(data["occupancy"] for _, data in graph.nodes(data=True)) == pytest.approx(
        12 * (1 - found.unassigned_fraction)
    )
    one, other, data = next(iter(graph.edges(data=True)))
    step = found.sites.fractional[other] + np.array(data["image"]) - found.sites.fractional[one]
    np.testing.assert_allclose(step @ found.sites.cell, data["vector"])
    assert min(data["free_energy_ev"] for _, data in graph.nodes(data=True)) == 0.0


def test_the_barrier_of_a_rate_is_eyrings():
    rate = Interval(1e-4, 5e-5, 2e-4, 0.95, "")
    found = hop_barrier(rate, 500.0)
    thermal = BOLTZMANN_EV_PER_K * 500.0
    assert found.value == pytest.approx(-thermal * np.log(1e-4 / (thermal / 4.135667696)))  # k_B T / h in 1/fs
    assert found.low < found.value < found.high
