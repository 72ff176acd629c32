"""Assignment of 400 ions to 512 sites by spheres: ours, and the packages that count transitions today.

Every case starts from what its package wants in memory, and returns the ions' frames on sites, summed: without an inner
radius, spheres mean the same to all.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import OURS, Run, case

__all__: list[str] = []

_EDGE = 24.0
_RADIUS = 1.2
_N_IONS = 400


@lru_cache(maxsize=1)
def _hops(n_frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sites and unwrapped positions as fractions: two hops in a hundred frames, vibration of 0.5 Å."""
    rng = np.random.default_rng(0)
    grid = np.array([[i, j, k] for i in range(8) for j in range(8) for k in range(8)]) / 8
    start = grid[rng.permutation(512)[:_N_IONS]]
    axis = np.eye(3)[rng.integers(0, 3, (n_frames, _N_IONS))] / 8
    path = np.cumsum((rng.random((n_frames, _N_IONS, 1)) < 0.02) * axis, axis=0)
    return grid, start + path + rng.standard_normal((n_frames, _N_IONS, 3)) * 0.5 / _EDGE


@case("sites", "mlip-sse, spheres", OURS)
def ours(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.mechanism.assignment import assign
    from mlip_sse.analysis.mechanism.sites import Sites
    from mlip_sse.trajectory.model import Trajectory

    grid, fractions = _hops(n_frames)
    cell = np.eye(3) * _EDGE
    positions = (fractions * _EDGE).astype(np.float32)
    trajectory = Trajectory.from_arrays(np.full(_N_IONS, "Li"), positions, cell, 100.0, wrapped=False)
    sites = Sites(grid, np.full(512, "A"), cell)
    indices = np.arange(_N_IONS)
    return lambda: float(assign(trajectory, indices, sites, outer_radius=_RADIUS, inner_fraction=1.0).inside.sum())


@case("sites", "GEMDAT transitions", "GEMDAT")
def gemdat(n_frames: int, folder: Path) -> Run:
    from gemdat import Trajectory
    from pymatgen.core import Element, Lattice, Structure

    grid, fractions = _hops(n_frames)
    cell = np.eye(3) * _EDGE
    trajectory = Trajectory(
        species=[Element("Li")] * _N_IONS, coords=fractions % 1.0, lattice=cell, constant_lattice=True, time_step=1e-13
    )
    sites = Structure(Lattice(cell), ["Li"] * 512, grid, labels=["A"] * 512)
    return lambda: float((trajectory.transitions_between_sites(sites, "Li", site_radius=_RADIUS).states >= 0).sum())


@case("sites", "site-analysis, spherical sites", "site_analysis")
def site_analysis(n_frames: int, folder: Path) -> Run:
    from pymatgen.core import Lattice, Structure
    from site_analysis.builders import create_trajectory_with_spherical_sites

    grid, fractions = _hops(n_frames)
    lattice = Lattice(np.eye(3) * _EDGE)
    structures = [Structure(lattice, ["Li"] * _N_IONS, frame % 1.0) for frame in fractions]

    def run() -> float:
        analysis = create_trajectory_with_spherical_sites(structures[0], "Li", grid.tolist(), _RADIUS)
        analysis.trajectory_from_structures(structures)
        return float(sum(site is not None for row in analysis.atoms_trajectory for site in row))

    return run
