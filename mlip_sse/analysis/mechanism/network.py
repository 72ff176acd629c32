"""The hop network: sites as nodes, hops as edges with their image vectors, and what of it percolates.

A network percolates along a cell vector when its hops lead from a site to an image of the same site that is shifted
along that vector. Components are merged by union-find with the image vector that leads to each site; a hop inside a
component closes a loop, and a loop with a shift is a way through the crystal.

Hops are let in from the fastest class down; the rate at which a direction opens is its *critical rate*: no path through
the crystal avoids a hop as slow as this, so it is the bottleneck of transport along that direction.

References
----------
M. E. J. Newman, R. M. Ziff, Phys. Rev. E 64, 016706 (2001), doi:10.1103/PhysRevE.64.016706 (union-find)
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.assignment import Assignment
from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.analysis.mechanism.rates import HopRates, rate_interval
from mlip_sse.analysis.results import Interval
from mlip_sse.units import BOLTZMANN_EV_PER_K

if TYPE_CHECKING:
    from networkx import MultiDiGraph

__all__ = ["PLANCK_EV_FS", "HopEdges", "critical_rates", "hop_barrier", "hop_edges", "hop_network", "percolates"]

PLANCK_EV_FS = 4.135667696923859
"""h in eV fs."""

AXES = ("a", "b", "c")


@dataclass(frozen=True, eq=False)
class HopEdges:
    """Directed hops between sites, each pair and image once.

    Parameters
    ----------
    sites_from, sites_to : (n_edges,)
    images : (n_edges, 3) cell vectors
    counts : (n_edges,) jumps
    classes : (n_edges,) hop class of each
    """

    sites_from: NDArray[np.int64]
    sites_to: NDArray[np.int64]
    images: NDArray[np.int64]
    counts: NDArray[np.int64]
    classes: NDArray[np.int64]


def hop_edges(jumps: Jumps, class_of: NDArray[np.int64]) -> HopEdges:
    """Count the jumps between each pair of sites.

    Parameters
    ----------
    jumps
        With images.
    class_of : (n_jumps,) hop class of each jump
    """
    images = np.zeros((len(jumps), 3), dtype=np.int64) if jumps.images is None else jumps.images
    rows = np.column_stack([jumps.sites_from, jumps.sites_to, images]).astype(np.int64).reshape(-1, 5)
    unique, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    return HopEdges(unique[:, 0], unique[:, 1], unique[:, 2:], counts.astype(np.int64), class_of[first])


def percolates(
    n_sites: int, sites_from: NDArray[np.int64], sites_to: NDArray[np.int64], images: NDArray[np.int64]
) -> tuple[bool, bool, bool]:
    """Return whether hops, taken both ways, lead through the crystal along a, b and c.

    Parameters
    ----------
    n_sites
        Number of sites.
    sites_from, sites_to : (n_edges,)
    images : (n_edges, 3) cell vectors from the cell of departure to that of arrival
    """
    open_axes = _Percolation(n_sites).add(sites_from, sites_to, images)
    return open_axes[0], open_axes[1], open_axes[2]


class _Percolation:
    """Union-find on a periodic network; ``shift[i]`` leads from the root's cell to that of site i."""

    def __init__(self, n_sites: int) -> None:
        self._parent = list(range(n_sites))
        self._shift = [(0, 0, 0)] * n_sites
        self.open = [False, False, False]

    def add(self, sites_from: NDArray[np.int64], sites_to: NDArray[np.int64], images: NDArray[np.int64]) -> list[bool]:
        for one, other, image in zip(sites_from.tolist(), sites_to.tolist(), images.tolist(), strict=True):
            root, (a, b, c) = self._find(one)
            root_2, (p, q, r) = self._find(other)
            gap = (a + image[0] - p, b + image[1] - q, c + image[2] - r)
            if root != root_2:
                self._parent[root_2], self._shift[root_2] = root, gap
            else:
                for axis in range(3):
                    self.open[axis] = self.open[axis] or gap[axis] != 0
        return self.open

    def _find(self, site: int) -> tuple[int, tuple[int, int, int]]:
        path = []
        while self._parent[site] != site:
            path.append(site)
            site = self._parent[site]
        a = b = c = 0
        for below in reversed(path):  # from the root down, so that each shift becomes one to the root
            x, y, z = self._shift[below]
            a, b, c = a + x, b + y, c + z
            self._parent[below], self._shift[below] = site, (a, b, c)
        return site, (a, b, c)


def critical_rates(
    n_sites: int, edges: HopEdges, rates: HopRates, confidence: float = 0.95
) -> dict[str, Interval | None]:
    """Return the bottleneck rate in 1/fs along a, b and c; None where no observed hops lead through.

    A hop class counts with the slower of its two directions: a way that is open one way only is none.
    """
    directed = [rates.rate(k, confidence) for k in range(len(rates.classes))]
    value = np.array([found.value or 0.0 for found in directed])
    slower = np.arange(len(directed))
    for k, hop in enumerate(rates.classes):
        for other, back in enumerate(rates.classes):
            same = abs(hop.length - back.length) < 1e-6
            if same and back.label_from == hop.label_to and back.label_to == hop.label_from and value[other] < value[k]:
                slower[k] = other
    found: dict[str, Interval | None] = dict.fromkeys(AXES)
    state = _Percolation(n_sites)
    for k in np.argsort(-value[slower], kind="stable"):
        chosen = edges.classes == k
        before = list(state.open)
        state.add(edges.sites_from[chosen], edges.sites_to[chosen], edges.images[chosen])
        for axis in range(3):
            if state.open[axis] and not before[axis]:
                found[AXES[axis]] = directed[slower[k]]
    return found


def hop_barrier(rate: Interval, temperature_k: float) -> Interval:
    """Return ΔF = -k_B T ln(k h / (k_B T)), the free-energy barrier of a rate in transition-state theory, eV."""
    thermal = BOLTZMANN_EV_PER_K * temperature_k

    def barrier(value: float) -> float:
        return -thermal * math.log(value * PLANCK_EV_FS / thermal) if value > 0 else math.inf

    value = None if not rate.value else barrier(rate.value)
    return Interval(value, barrier(rate.high), barrier(rate.low), rate.confidence, "transition-state theory")


def hop_network(
    assignment: Assignment,
    edges: HopEdges,
    rates: HopRates,
    frame_spacing_fs: float,
    temperature_k: float | None = None,
    confidence: float = 0.95,
) -> "MultiDiGraph":
    """Return the network as a graph.

    Nodes are sites with ``label``, ``fractional``, ``occupancy`` (ions, time average) and, where the temperature is
    known, ``free_energy_ev`` = -k_B T ln(occupancy / highest occupancy). Edges, keyed by their image, hold ``image``,
    ``vector`` (Å), ``length`` (Å), ``count``, ``rate``, ``rate_low``, ``rate_high`` (1/fs, of this pair alone),
    ``hop_class`` and ``class_rate`` (1/fs).
    """
    from networkx import MultiDiGraph

    sites, n_frames = assignment.sites, int(assignment.block_frames.sum())
    occupancy = assignment.inside.sum(axis=0) / n_frames
    times = assignment.visits.time_on_sites() * frame_spacing_fs
    graph = MultiDiGraph()
    for k in range(len(sites)):
        node = {"label": str(sites.labels[k]), "fractional": sites.fractional[k], "occupancy": float(occupancy[k])}
        if temperature_k is not None and occupancy.max() > 0:
            ratio = float(occupancy[k] / occupancy.max())
            node["free_energy_ev"] = -BOLTZMANN_EV_PER_K * temperature_k * math.log(ratio) if ratio > 0 else math.inf
        graph.add_node(k, **node)
    vectors = (sites.fractional[edges.sites_to] + edges.images - sites.fractional[edges.sites_from]) @ sites.cell
    for e in range(len(edges.counts)):
        one, other = int(edges.sites_from[e]), int(edges.sites_to[e])
        rate = rate_interval(int(edges.counts[e]), float(times[one]), confidence)
        image = tuple(int(shift) for shift in edges.images[e])
        graph.add_edge(
            one,
            other,
            key=image,
            image=image,
            vector=vectors[e],
            length=float(np.linalg.norm(vectors[e])),
            count=int(edges.counts[e]),
            rate=rate.value,
            rate_low=rate.low,
            rate_high=rate.high,
            hop_class=rates.classes[int(edges.classes[e])].name,
            class_rate=rates.rate(int(edges.classes[e]), confidence).value,
        )
    return graph
