"""The hops of an interstitial ion between the voids of a crystal, one for each that symmetry makes different.

An interstitial ion goes from void to void past the others (*direct*), or takes a lattice site and pushes the ion that
was there on to another void (*interstitialcy*, two ions in one concerted step). Hops that an operation of the space
group maps on each other are one hop, and a hop and its way back are one hop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.hops import line_clearance, moved_sites
from mlip_sse.structures.voids import crystal_operations, distances_from, equivalent_points

__all__ = ["InterstitialHop", "interstitial_hops"]

Mechanism = Literal["interstitialcy", "direct"]

_TOLERANCE = 1e-2
"""Å within which positions count as equal."""

_SAME_LENGTH = 1e-3
"""Å within which two ways count as equally long."""

_VOID = 0
"""The atomic number that stands for a void."""


@dataclass(frozen=True)
class InterstitialHop:
    """An interstitial ion that goes from one void to another, or pushes a lattice ion there.

    Parameters
    ----------
    mechanism
        ``direct`` or ``interstitialcy``.
    origin
        Å, the void it starts from.
    vector
        Å, from there to the other void.
    pushed
        Index of the lattice ion that is pushed; None where none is.
    push_from
        Å, from the origin to that ion's site.
    start, end
        Which sort of void, counted from 0.
    n_equivalent
        How many hops of the cell are equivalent to it, ways back included.
    is_reversible
        Whether symmetry maps it on its own way back.
    clearance
        Å between the straight lines and the nearest other nucleus.
    """

    mechanism: Mechanism
    origin: tuple[float, float, float]
    vector: tuple[float, float, float]
    pushed: int | None
    push_from: tuple[float, float, float] | None
    start: int
    end: int
    n_equivalent: int
    is_reversible: bool
    clearance: float

    @property
    def distance(self) -> float:
        """Å from void to void."""
        return float(np.linalg.norm(self.vector))

    @property
    def are_sites_equivalent(self) -> bool:
        """Whether symmetry maps one void on the other."""
        return self.start == self.end

    @property
    def angle_deg(self) -> float | None:
        """Angle at the lattice site between the two voids; 180 where the push is straight."""
        if self.push_from is None:
            return None
        one, other = -np.array(self.push_from), np.array(self.vector) - np.array(self.push_from)
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    def figures(self) -> dict[str, Any]:
        """Return what a table says of it."""
        return {
            "start": self.start,
            "end": self.end,
            "mechanism": self.mechanism,
            "pushed": self.pushed,
            "angle_deg": self.angle_deg,
            "origin_a": self.origin,
            "vector_a": self.vector,
            "distance_a": self.distance,
            "n_equivalent": self.n_equivalent,
            "is_reversible": self.is_reversible,
            "are_sites_equivalent": self.are_sites_equivalent,
            "clearance_a": self.clearance,
        }


def interstitial_hops(
    atoms: Atoms,
    mobile: str,
    sites: Sequence[Sequence[float]],
    mechanisms: Sequence[Mechanism] = ("interstitialcy", "direct"),
    *,
    max_distance: float | None = None,
    reach: float = 1.5,
    min_clearance: float = 0.5,
    tolerance: float = _TOLERANCE,
) -> tuple[InterstitialHop, ...]:
    """Return the symmetry-distinct hops between interstitial sites, shortest first.

    Parameters
    ----------
    atoms
        The perfect crystal.
    mobile
        The element that hops.
    sites : (n_sites, 3), fractional, one of each sort
    mechanisms
        Which.
    max_distance
        Longest way of one ion in Å.
    reach
        Where that is not given: longest way as a multiple of the shortest of its mechanism.
    min_clearance
        Hops whose straight lines pass another nucleus more closely (Å) are left out.
    tolerance
        Distance in Å within which positions count as equal.

    Raises
    ------
    InputError
        When the crystal does not hold the element, or there is no hop.
    """
    if mobile not in atoms.symbols:
        raise InputError(f"found no {mobile} in {atoms.get_chemical_formula()}, expected the element that hops")
    whole, sorts = _with_voids(atoms, sites, tolerance)
    maps = _site_maps(atoms, whole, tolerance)
    found: list[InterstitialHop] = []
    for mechanism in mechanisms:
        chains = list(_direct(whole, max_distance, reach))
        if mechanism == "interstitialcy":
            chains = list(_pushed(whole, mobile, max_distance, reach))
        for first, orbit, is_reversible in _distinct(chains, maps):
            clearance = _clearance(whole, first)
            if clearance >= min_clearance:
                found.append(_hop(whole, sorts, first, len(orbit), is_reversible, clearance))
    if not found:
        raise InputError(f"found no hop of an interstitial {mobile}, expected one: raise max_distance_a or reach")
    return tuple(sorted(found, key=lambda hop: (round(hop.distance, 3), hop.mechanism)))


Site = tuple[int, int, int, int]
"""Index of a site and its cell."""
Chain = tuple[Site, ...]
"""The voids at both ends, the pushed ion between them; the first lies in the cell itself."""


def _with_voids(atoms: Atoms, sites: Sequence[Sequence[float]], tolerance: float) -> tuple[Atoms, NDArray[np.int64]]:
    """Return the crystal with all voids as atoms of number 0, and the sort of each site (-1 for an atom)."""
    orbits = [equivalent_points(atoms, np.asarray(site, dtype=np.float64), tolerance) for site in sites]
    for number, orbit in enumerate(orbits):
        for other in orbits[:number]:
            if distances_from(atoms, other, orbit[0]).min() < 5 * tolerance:
                raise InputError(
                    f"sites: found {list(sites[number])} among the equivalents of another, expected one each"
                )
    scaled = np.concatenate([atoms.get_scaled_positions(wrap=False), *orbits])
    numbers = np.concatenate([atoms.numbers, np.full(sum(map(len, orbits)), _VOID)])
    sorts = [np.full(len(atoms), -1), *(np.full(len(orbit), number) for number, orbit in enumerate(orbits))]
    return Atoms(numbers, scaled_positions=scaled, cell=atoms.cell, pbc=True), np.concatenate(sorts)


def _site_maps(
    atoms: Atoms, whole: Atoms, tolerance: float
) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Return rotation, target and cell of each site for every operation of the crystal."""
    scaled = whole.get_scaled_positions(wrap=False)
    return [
        (rotation, *moved_sites(whole, scaled @ rotation.T + translation, scaled))
        for rotation, translation in zip(*crystal_operations(atoms, tolerance), strict=True)
    ]


def _neighbours(
    whole: Atoms, sources: NDArray[np.int64], targets: NDArray[np.int64], longest: float | None, reach: float
) -> list[tuple[int, Site, float]]:
    """Return (source, target with its cell, distance) of all pairs that are near enough."""
    size = 4.0 if longest is None else longest
    while True:
        i, j, d, cells = neighbor_list("ijdS", whole, size + _SAME_LENGTH)
        keep = np.isin(i, sources) & np.isin(j, targets)
        i, j, d, cells = i[keep], j[keep], d[keep], cells[keep]
        if longest is not None or (len(d) and reach * d.min() <= size):
            break
        size = 2 * size if not len(d) else reach * float(d.min())
    limit = longest if longest is not None else reach * float(d.min())
    return [
        (int(a), (int(b), int(cell[0]), int(cell[1]), int(cell[2])), float(length))
        for a, b, length, cell in zip(i, j, d, cells, strict=True)
        if length <= limit + _SAME_LENGTH
    ]


def _direct(whole: Atoms, longest: float | None, reach: float) -> Iterator[Chain]:
    voids = np.flatnonzero(whole.numbers == _VOID)
    for start, end, _ in sorted(_neighbours(whole, voids, voids, longest, reach), key=lambda each: round(each[2], 3)):
        yield (start, 0, 0, 0), end


def _pushed(whole: Atoms, mobile: str, longest: float | None, reach: float) -> Iterator[Chain]:
    voids = np.flatnonzero(whole.numbers == _VOID)
    ions = np.flatnonzero(np.array(whole.get_chemical_symbols()) == mobile)
    around: dict[int, list[Site]] = {}
    for ion, void, _ in _neighbours(whole, ions, voids, longest, reach):
        around.setdefault(ion, []).append(void)
    for ion, sites in around.items():
        for start in sites:
            for end in sites:
                if start != end:
                    yield _moved((start, (ion, 0, 0, 0), end), np.negative(start[1:]))


def _moved(chain: Chain, cell: Sequence[int] | NDArray[np.int64]) -> Chain:
    return tuple((i, a + int(cell[0]), b + int(cell[1]), c + int(cell[2])) for i, a, b, c in chain)


def _at_home(chain: Chain) -> Chain:
    return _moved(chain, np.negative(chain[0][1:]))


def _distinct(
    chains: Sequence[Chain], maps: Sequence[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]
) -> Iterator[tuple[Chain, set[Chain], bool]]:
    """Yield one chain of each sort, all that are equivalent to it or its way back, and whether these are the same."""
    seen: set[Chain] = set()
    for chain in chains:
        if chain in seen:
            continue
        orbit = set()
        for rotation, to, cells in maps:
            images = []
            for index, *shift in chain:
                x, y, z = (int(value) for value in cells[index] + rotation @ np.array(shift))
                images.append((int(to[index]), x, y, z))
            orbit.add(_at_home(tuple(images)))
        is_reversible = _at_home(chain[::-1]) in orbit
        orbit |= {_at_home(each[::-1]) for each in orbit}
        seen |= orbit
        yield chain, orbit, is_reversible


def _place(whole: Atoms, site: Site) -> NDArray[np.float64]:
    return np.asarray(whole.positions[site[0]] + np.array(site[1:]) @ whole.cell.array)


def _clearance(whole: Atoms, chain: Chain) -> float:
    """Return the least distance in Å between the straight ways and a nucleus that takes no part."""
    nuclei = whole[whole.numbers != _VOID]
    places = [_place(whole, site) for site in chain]
    legs = pairwise(places)
    return min(line_clearance(nuclei, start, end - start, places) for start, end in legs)


def _hop(
    whole: Atoms, sorts: NDArray[np.int64], chain: Chain, n_equivalent: int, is_reversible: bool, clearance: float
) -> InterstitialHop:
    places = [_place(whole, site) for site in chain]
    pushed = None if len(chain) == 2 else chain[1][0]
    return InterstitialHop(
        mechanism="direct" if pushed is None else "interstitialcy",
        origin=_triple(places[0]),
        vector=_triple(places[-1] - places[0]),
        pushed=pushed,
        push_from=None if pushed is None else _triple(places[1] - places[0]),
        start=int(sorts[chain[0][0]]),
        end=int(sorts[chain[-1][0]]),
        n_equivalent=n_equivalent,
        is_reversible=is_reversible,
        clearance=clearance,
    )


def _triple(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector)
    return x, y, z
