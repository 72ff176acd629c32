"""Surroundings of atoms: symmetry functions of 500 ions in 2,000 atoms, Steinhardt order of 2,000; ours and peers.

The parameters of the symmetry functions are those of a common descriptor: 8 G² to 5 Å with η = 4 Å⁻² for both species,
and 4 G⁴ with η = 0.005 Å⁻², λ = ±1, ζ = 1 and 4 for the three pairs of species. Checks are means over ions and frames.
Neighbour lists are found anew in every frame, by everybody.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import OURS, Run, case
from benchmarks.synthetic import BOX, N_ATOMS, N_IONS, frames

__all__: list[str] = []

_CUTOFF, _SHELL = 5.0, 3.5
_ETA, _MU = 4.0, np.linspace(1.0, 4.5, 8)
_ETA_ANGULAR = 0.005
_KINDS = np.repeat(np.array([0, 1]), [N_IONS, N_ATOMS - N_IONS])
_IONS = np.arange(N_IONS)
_CELL = BOX * np.eye(3)


def _ours(n_frames: int, angular: bool) -> Run:
    from mlip_sse.analysis.structure.neighbours import neighbour_list
    from mlip_sse.analysis.structure.symmetry_functions import AngularTerms, angular_functions, radial_functions

    each = frames(n_frames)
    width = (2.0 * _ETA) ** -0.5
    terms = AngularTerms.of_all([_ETA_ANGULAR**-0.5], [-1.0, 1.0], [1.0, 4.0])

    def run() -> float:
        total = 0.0
        for positions in each:
            near = neighbour_list(positions, _CELL, _CUTOFF, _IONS)
            shared = (positions, _CELL, _KINDS, _IONS)
            radial = radial_functions(*shared, _MU, width, _CUTOFF, smooth=True, neighbours=near)
            total += float(radial[:, 3].mean())
            if angular:
                found = angular_functions(*shared, terms, _CUTOFF, smooth=True, neighbours=near)
                total += float(found[:, 5].mean())
        return total / n_frames

    return run


@case("radial", "mlip-sse", OURS)
def radial(n_frames: int, folder: Path) -> Run:
    return _ours(n_frames, angular=False)


@case("angular", "mlip-sse", OURS)
def angular(n_frames: int, folder: Path) -> Run:
    return _ours(n_frames, angular=True)


def _dscribe(n_frames: int, angular: bool) -> Run:
    from ase import Atoms
    from dscribe.descriptors import ACSF

    each = [
        Atoms(f"Li{N_IONS}O{N_ATOMS - N_IONS}", positions=positions, cell=_CELL, pbc=True)
        for positions in frames(n_frames)
    ]
    terms = [[_ETA_ANGULAR, power, sign] for sign in (-1, 1) for power in (1, 4)] if angular else None
    descriptor = ACSF(
        species=["Li", "O"], r_cut=_CUTOFF, g2_params=[[_ETA, mu] for mu in _MU], g4_params=terms, periodic=True
    )
    centres = _IONS.tolist()

    def run() -> float:
        total = 0.0
        for atoms in each:
            found = descriptor.create(atoms, centers=centres)
            # each species: the sum of its cutoffs first, then its G2; then Li-Li, Li-O, O-O with four each
            total += float(found[:, 4].mean()) + (float(found[:, 18 + 5].mean()) if angular else 0.0)
        return total / n_frames

    return run


@case("radial", "dscribe ACSF", "dscribe")
def radial_dscribe(n_frames: int, folder: Path) -> Run:
    return _dscribe(n_frames, angular=False)


@case("angular", "dscribe ACSF", "dscribe")
def angular_dscribe(n_frames: int, folder: Path) -> Run:
    return _dscribe(n_frames, angular=True)


def _order(n_frames: int, cutoff: float | None) -> Run:
    from mlip_sse.analysis.structure.steinhardt import Steinhardt

    each, settings = frames(n_frames), Steinhardt((4, 6), cutoff=cutoff)
    return lambda: float(np.mean([settings.measure(positions, _CELL).q[:, 1].mean() for positions in each]))


@case("steinhardt", "mlip-sse, q and w", OURS)
def steinhardt(n_frames: int, folder: Path) -> Run:
    return _order(n_frames, _SHELL)


@case("voronoi_order", "mlip-sse, q and w", OURS)
def voronoi_order(n_frames: int, folder: Path) -> Run:
    return _order(n_frames, None)


def _freud_frames(n_frames: int) -> NDArray[np.float32]:
    import freud

    freud.parallel.set_num_threads(1)
    return (frames(n_frames) - BOX / 2).astype(np.float32)


@case("steinhardt", "freud, q", "freud-analysis")
def steinhardt_freud(n_frames: int, folder: Path) -> Run:
    import freud

    each, box = _freud_frames(n_frames), freud.box.Box.cube(BOX)
    near = {"r_max": _SHELL, "exclude_ii": True}

    def run() -> float:
        order = freud.order.Steinhardt([4, 6])
        return float(np.mean([order.compute((box, x), neighbors=near).ql[:, 1].mean() for x in each]))

    return run


@case("voronoi_order", "freud, q", "freud-analysis")
def voronoi_order_freud(n_frames: int, folder: Path) -> Run:
    import freud

    each, box = _freud_frames(n_frames), freud.box.Box.cube(BOX)

    def run() -> float:
        order, voronoi = freud.order.Steinhardt([4, 6], weighted=True), freud.locality.Voronoi()
        found = [order.compute((box, x), neighbors=voronoi.compute((box, x)).nlist).ql[:, 1].mean() for x in each]
        return float(np.mean(found))

    return run


@case("steinhardt", "pyscal3, q", "pyscal3")
def steinhardt_pyscal(n_frames: int, folder: Path) -> Run:
    import pyscal3
    from ase import Atoms

    each = [
        Atoms(f"Li{N_IONS}O{N_ATOMS - N_IONS}", positions=positions, cell=_CELL, pbc=True)
        for positions in frames(n_frames)
    ]

    def run() -> float:
        total = 0.0
        for atoms in each:
            pyscal3.find_neighbors(atoms, method="cutoff", cutoff=_SHELL)
            pyscal3.steinhardt_parameter(atoms, 4)
            total += float(np.mean(pyscal3.steinhardt_parameter(atoms, 6)))
        return total / n_frames

    return run


@case("steinhardt", "mdapy, q", "mdapy")
def steinhardt_mdapy(n_frames: int, folder: Path) -> Run:
    import mdapy

    each = frames(n_frames)

    def run() -> float:
        total = 0.0
        for positions in each:
            system = mdapy.System(pos=positions, box=np.array([BOX] * 3))
            system.cal_steinhardt_bond_orientation([4, 6], nnn=0, rc=_SHELL)
            column = next(name for name in system.data.columns if "6" in name)
            total += float(system.data[column].mean())
        return total / n_frames

    return run
