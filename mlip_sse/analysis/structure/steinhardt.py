"""Steinhardt's bond-orientational order: q_l, its average over the first shell, and ŵ_l.

q_lm(i) = Σ_j w_ij Y_lm(r_ij) / Σ_j w_ij          q_l(i) = √(4π/(2l + 1) Σ_m |q_lm(i)|²)

q̄_lm(i) = (q_lm(i) + Σ_{j ∈ N_b(i)} q_lm(j)) / (N_b(i) + 1)          (averaged)

Who is a neighbour is a choice that the value depends on: all atoms within a cutoff, a number of nearest ones, or those
that share a facet of the Voronoi cells, each weighted with the facet's area, which leaves nothing to choose and never
jumps. Atoms are those of one sublattice (the anions of an argyrodite); even l cannot tell a tetrahedron from a cube, q₃
and ŵ₄ can.

References
----------
Steinhardt, Nelson, Ronchetti, 10.1103/PhysRevB.28.784; Lechner, Dellago, 10.1063/1.2977970; Mickel et al.,
10.1063/1.4774084 (Voronoi weights).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.harmonics import bond_harmonics, power_invariants, third_invariants
from mlip_sse.analysis.structure.neighbours import Neighbours, neighbour_list
from mlip_sse.analysis.structure.snapshots import snapshots
from mlip_sse.analysis.structure.time_averages import mean_over_time
from mlip_sse.analysis.structure.voronoi import voronoi_neighbours
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["BondOrder", "Steinhardt", "SteinhardtResult", "nearest_neighbours", "voronoi_neighbours"]

_LARGEST_DEGREE = 20


@dataclass(frozen=True, eq=False)
class BondOrder:
    """Order parameters of the atoms of one structure; not-a-number where an atom has no neighbour.

    Parameters
    ----------
    degrees
        l of each column.
    q : (n_atoms, n_degrees)
    w : (n_atoms, n_degrees), normalised, zero for odd l
    n_neighbours : (n_atoms,)
    """

    degrees: tuple[int, ...]
    q: NDArray[np.float64]
    w: NDArray[np.float64]
    n_neighbours: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SteinhardtResult:
    """Order parameters of a sublattice in time.

    Parameters
    ----------
    degrees
        l of each column.
    mean
        Mean over atoms and structures of q_l, one by degree.
    mean_neighbours
        Mean number of neighbours.
    atoms : (n_atoms,) their indices in the trajectory
    frames : (n_structures,) frame of each structure, the first where several are averaged
    q : (n_structures, n_atoms, n_degrees)
    w : (n_structures, n_atoms, n_degrees)
    verdict
        Quality and reasons.
    """

    degrees: tuple[int, ...]
    mean: tuple[Interval, ...]
    mean_neighbours: float
    atoms: NDArray[np.intp]
    frames: NDArray[np.int64]
    q: NDArray[np.float64]
    w: NDArray[np.float64]
    verdict: Verdict


@dataclass(frozen=True)
class Steinhardt:
    """Settings of the order parameters.

    Parameters
    ----------
    degrees
        l, from 1 to 20.
    cutoff
        Å; neighbours are all atoms within it.
    n_neighbours
        Neighbours are this number of nearest atoms. With neither, those that share a Voronoi facet, weighted by area.
    averaged
        Whether q_lm is averaged over each atom and its neighbours first.
    confidence
        Of the intervals of means.
    """

    degrees: tuple[int, ...] = (4, 6)
    cutoff: float | None = None
    n_neighbours: int | None = None
    averaged: bool = False
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not self.degrees or not all(1 <= degree <= _LARGEST_DEGREE for degree in self.degrees):
            raise InputError(f"found degrees {self.degrees}, expected some from 1 to {_LARGEST_DEGREE}")
        if self.cutoff is not None and self.n_neighbours is not None:
            raise InputError(
                f"found cutoff {self.cutoff:g} Å and n_neighbours {self.n_neighbours}, expected one of them"
            )
        if (self.cutoff is not None and not self.cutoff > 0) or (
            self.n_neighbours is not None and self.n_neighbours < 1
        ):
            raise InputError(f"found cutoff {self.cutoff} and n_neighbours {self.n_neighbours}, expected positive")

    def measure(self, positions: NDArray[np.floating], cell: NDArray[np.floating]) -> BondOrder:
        """Return the order parameters of all atoms of one structure.

        Parameters
        ----------
        positions : (n_atoms, 3) Å, of the sublattice alone
        cell : (3, 3) Å, rows are the cell vectors
        """
        if self.cutoff is not None:
            near = neighbour_list(positions, cell, self.cutoff)
            weights = np.ones(len(near.indices))
        elif self.n_neighbours is not None:
            near = nearest_neighbours(positions, cell, self.n_neighbours)
            weights = np.ones(len(near.indices))
        else:
            near, weights = voronoi_neighbours(positions, cell)
        sums = bond_harmonics(near.offsets, near.vectors, weights, max(self.degrees))
        if self.averaged:
            sums = _averaged(sums, near)
        q, w = power_invariants(sums, self.degrees), third_invariants(sums, self.degrees)
        return BondOrder(self.degrees, q, w, np.diff(near.offsets))

    def run(
        self, trajectory: "Trajectory", species: str | Sequence[str], stride: int = 1, n_averaged: int = 1
    ) -> SteinhardtResult:
        """Follow the order of a sublattice.

        Parameters
        ----------
        trajectory
            Unwrapped coordinates.
        species
            Of the sublattice.
        stride
            Frames from one structure to the next.
        n_averaged
            Frames whose mean is one structure. Vibrations lower q_l of a crystal; averaging over a few periods first
            shows the sites' order.

        Raises
        ------
        InputError
            When the species is missing or too few atoms for the number of neighbours are there.
        """
        atoms = trajectory.indices(species)
        frames, found = [], []
        for each in snapshots(trajectory, stride, n_averaged):
            frames.append(each.frame)
            found.append(self.measure(each.positions[atoms], each.cell))
        q, w = np.stack([each.q for each in found]), np.stack([each.w for each in found])
        verdict = Verdict()
        alone = int(np.isnan(q[:, :, 0]).sum())
        if alone == q[:, :, 0].size:
            raise InputError(f"no {species} has a neighbour within {self.cutoff} Å; choose a longer cutoff")
        if alone:
            share = alone / q[:, :, 0].size
            verdict = verdict.weaken(f"{share:.1%} of the atoms have no neighbour within {self.cutoff:g} Å: left out")
        means = [mean_over_time(np.nanmean(q[:, :, k], axis=1), self.confidence) for k in range(len(self.degrees))]
        for reason in dict.fromkeys(reason for each in means for reason in each.verdict.reasons):
            verdict = verdict.weaken(reason)
        return SteinhardtResult(
            self.degrees,
            tuple(each.interval for each in means),
            float(np.mean([each.n_neighbours.mean() for each in found])),
            atoms,
            np.array(frames),
            q,
            w,
            verdict,
        )


def nearest_neighbours(positions: NDArray[np.floating], cell: NDArray[np.floating], n: int) -> Neighbours:
    """Return the ``n`` nearest atoms or images of atoms of each atom, the nearest first.

    Parameters
    ----------
    positions : (n_atoms, 3) Å
    cell : (3, 3) Å
    n
        Number of neighbours.
    """
    n_atoms = len(positions)
    if not n_atoms:
        raise InputError("found no atom, expected at least one")
    cutoff = 1.2 * float((3.0 * (n + 1) * abs(np.linalg.det(cell)) / (4.0 * np.pi * n_atoms)) ** (1.0 / 3.0))
    near = neighbour_list(positions, cell, cutoff)
    while near.counts.min() < n:
        cutoff *= 1.3
        near = neighbour_list(positions, cell, cutoff)
    order = np.lexsort((near.distances, near.centres))
    chosen = order[(near.offsets[:-1, None] + np.arange(n)).ravel()]
    offsets = n * np.arange(n_atoms + 1, dtype=np.int64)
    return Neighbours(offsets, near.indices[chosen], near.vectors[chosen], near.distances[chosen])


def _averaged(sums: NDArray[np.complex128], near: Neighbours) -> NDArray[np.complex128]:
    total = sums.copy()
    np.add.at(total, near.centres, sums[near.indices])
    mean: NDArray[np.complex128] = total / (near.counts + 1)[:, None, None]
    return mean
