"""Structure: g(r) of 2,000 atoms and of up to a million, S(q), neighbour lists; ours and the packages in use today.

Every case starts from coordinates in memory, in the layout and type that its package wants. The checks are g(r) at half
of r_max, the mean of S(q) over a quarter of its shells, and the number of neighbours.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import OURS, Run, case
from benchmarks.synthetic import BOX, N_ATOMS, N_IONS, frames

__all__: list[str] = []

_R_MAX, _N_BINS = 10.0, 200
_Q_MAX = 4.0
_CUTOFF = 5.0
_KINDS = np.repeat(np.array([0, 1]), [N_IONS, N_ATOMS - N_IONS])


def _check(values: NDArray[np.floating]) -> float:
    return float(values[_N_BINS // 2])


def _total(counts: NDArray[np.int64], n_frames: int, n_atoms: int, volume: float) -> NDArray[np.float64]:
    """Return g(r) of all atoms alike."""
    shells = 4.0 / 3.0 * np.pi * np.diff(np.linspace(0.0, _R_MAX, _N_BINS + 1) ** 3)
    pairs = counts.sum(axis=(0, 1))
    values: NDArray[np.float64] = pairs * volume / (n_frames * 0.5 * n_atoms * (n_atoms - 1) * shells)
    return values


@case("rdf", "mlip-sse, partial g(r) of two species", OURS)
def partial_rdf(n_frames: int, folder: Path) -> Run:
    from mlip_sse.analysis.structure.pair_counts import count_pairs_of_frames

    cell = BOX * np.eye(3)
    each = [(positions, cell) for positions in frames(n_frames)]

    def run() -> float:
        counts = np.sum(list(count_pairs_of_frames(each, _KINDS, 2, _R_MAX, _N_BINS)), axis=0)
        return _check(_total(counts, n_frames, N_ATOMS, BOX**3))

    return run


@case("rdf", "freud RDF", "freud-analysis")
def freud_rdf(n_frames: int, folder: Path) -> Run:
    import freud

    each = frames(n_frames).astype(np.float32) - np.float32(BOX / 2)
    box = freud.box.Box.cube(BOX)
    freud.parallel.set_num_threads(1)

    def run() -> float:
        rdf = freud.density.RDF(_N_BINS, _R_MAX)
        for positions in each:
            rdf.compute((box, positions), reset=False)
        return _check(rdf.rdf)

    return run


@case("rdf", "mdtraj compute_rdf", "mdtraj")
def mdtraj_rdf(n_frames: int, folder: Path) -> Run:
    import mdtraj

    topology = mdtraj.Topology()
    residue = topology.add_residue("X", topology.add_chain())
    for _ in range(N_ATOMS):
        topology.add_atom("A", mdtraj.element.lithium, residue)
    lengths, angles = np.full((n_frames, 3), BOX / 10), np.full((n_frames, 3), 90.0)
    run_in_nm = frames(n_frames).astype(np.float32) / 10
    trajectory = mdtraj.Trajectory(run_in_nm, topology, unitcell_lengths=lengths, unitcell_angles=angles)
    pairs = np.column_stack(np.triu_indices(N_ATOMS, 1)).astype(np.int32)
    return lambda: _check(mdtraj.compute_rdf(trajectory, pairs, r_range=(0, _R_MAX / 10), n_bins=_N_BINS)[1])


@case("rdf", "MDAnalysis InterRDF", "MDAnalysis")
def mdanalysis_rdf(n_frames: int, folder: Path) -> Run:
    import MDAnalysis
    from MDAnalysis.analysis.rdf import InterRDF

    universe = MDAnalysis.Universe.empty(N_ATOMS, trajectory=True)
    box = np.array([BOX] * 3 + [90.0] * 3, dtype=np.float32)
    universe.load_new(frames(n_frames).astype(np.float32), dimensions=box)
    atoms = universe.atoms

    def run() -> float:
        rdf = InterRDF(atoms, atoms, _N_BINS, (0.0, _R_MAX), exclusion_block=(1, 1)).run()
        return _check(rdf.results.rdf)

    return run


@case("rdf_cores", "partial g(r), frames shared out", OURS)
def rdf_cores(n_frames: int, folder: Path) -> Run:
    return partial_rdf(n_frames, folder)


def _gas(n_atoms: int) -> tuple[NDArray[np.float64], float]:
    """Return an ideal gas of the density of the synthetic trajectory, and the edge of its cell."""
    edge = BOX * (n_atoms / N_ATOMS) ** (1.0 / 3.0)
    return np.random.default_rng(n_atoms).uniform(0.0, edge, (n_atoms, 3)), edge


@case("rdf_size", "mlip-sse", OURS)
def large_rdf(n_atoms: int, folder: Path) -> Run:
    from mlip_sse.analysis.structure.pair_counts import count_pairs

    positions, edge = _gas(n_atoms)
    kinds = np.arange(n_atoms) % 2

    def run() -> float:
        counts = count_pairs(positions, edge * np.eye(3), kinds, 2, _R_MAX, _N_BINS)
        return _check(_total(counts, 1, n_atoms, edge**3))

    return run


@case("rdf_size", "freud RDF", "freud-analysis")
def large_freud_rdf(n_atoms: int, folder: Path) -> Run:
    import freud

    positions, edge = _gas(n_atoms)
    centred = (positions - edge / 2).astype(np.float32)
    box = freud.box.Box.cube(edge)
    freud.parallel.set_num_threads(1)
    return lambda: _check(freud.density.RDF(_N_BINS, _R_MAX).compute((box, centred)).rdf)


def _gases(n_frames: int) -> NDArray[np.float64]:
    # a crystal's octant differs from its half-space where a shell holds few vectors, a gas's does not on the mean
    return np.random.default_rng(9).uniform(0.0, BOX, (n_frames, N_ATOMS, 3))


@case("structure_factor", "mlip-sse, all vectors of the half-space, three partials", OURS)
def structure_factor(n_frames: int, folder: Path) -> Run:
    from mlip_sse import Trajectory
    from mlip_sse.analysis.structure.structure_factor import StructureFactors

    species = np.where(_KINDS == 0, "Li", "O")
    run = Trajectory.from_arrays(species, _gases(n_frames), BOX * np.eye(3), 100.0, wrapped=False)
    settings = StructureFactors(q_max=_Q_MAX, n_bins=80, most_vectors=None)
    return lambda: float(settings.run(run).total[-20:].mean())


@case("structure_factor", "freud StaticStructureFactorDirect, its octant", "freud-analysis")
def freud_structure_factor(n_frames: int, folder: Path) -> Run:
    import freud

    each = _gases(n_frames).astype(np.float32) - np.float32(BOX / 2)
    box = freud.box.Box.cube(BOX)
    freud.parallel.set_num_threads(1)

    def run() -> float:
        factor = freud.diffraction.StaticStructureFactorDirect(bins=80, k_max=_Q_MAX)
        for positions in each:
            factor.compute((box, positions), reset=False)
        return float(factor.S_k[-20:].mean())

    return run


@case("neighbours", "mlip-sse neighbour_list", OURS)
def neighbours(n_atoms: int, folder: Path) -> Run:
    from mlip_sse.analysis.structure.neighbours import neighbour_list

    positions, edge = _gas(n_atoms)
    return lambda: float(len(neighbour_list(positions, edge * np.eye(3), _CUTOFF).indices))


@case("neighbours", "matscipy neighbour_list", "matscipy")
def matscipy(n_atoms: int, folder: Path) -> Run:
    from matscipy.neighbours import neighbour_list

    positions, edge = _gas(n_atoms)

    def run() -> float:
        found = neighbour_list("ijdD", positions=positions, cell=edge * np.eye(3), pbc=np.full(3, True), cutoff=_CUTOFF)
        return float(len(found[0]))

    return run


@case("neighbours", "ASE primitive_neighbor_list", "ase")
def ase(n_atoms: int, folder: Path) -> Run:
    from ase.neighborlist import primitive_neighbor_list

    positions, edge = _gas(n_atoms)
    return lambda: float(len(primitive_neighbor_list("ijdD", [True] * 3, edge * np.eye(3), positions, _CUTOFF)[0]))


@case("neighbours", "freud AABBQuery", "freud-analysis")
def freud_neighbours(n_atoms: int, folder: Path) -> Run:
    import freud

    positions, edge = _gas(n_atoms)
    centred = (positions - edge / 2).astype(np.float32)
    box = freud.box.Box.cube(edge)
    freud.parallel.set_num_threads(1)

    def run() -> float:
        query = freud.locality.AABBQuery(box, centred).query(centred, {"r_max": _CUTOFF, "exclude_ii": True})
        return float(len(query.toNeighborList()))

    return run
