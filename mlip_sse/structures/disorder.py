"""Order partial occupancies: all arrangements where they are few, else the lowest Ewald energies found.

Occupancies are never rounded in silence: where whole atoms cannot meet them in the cell, the smallest supercell that
does is used as far as the settings allow, else an error says which occupancy is how far off.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from math import comb

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.annealing import anneal
from mlip_sse.structures.ewald import ewald_matrix
from mlip_sse.structures.lineage import with_step
from mlip_sse.structures.occupancies import WholeCounts, smallest_cells
from mlip_sse.structures.partial import DisorderedStructure
from mlip_sse.structures.separation import check_separation
from mlip_sse.structures.supercells import roundest_matrix
from mlip_sse.structures.symmetry import site_permutations

__all__ = ["OrderedStructure", "OrderingSettings", "resolve_disorder"]

VACANT = -1
_SAME_ENERGY = 1e-6


@dataclass(frozen=True)
class OrderingSettings:
    """How disorder is resolved.

    Parameters
    ----------
    n_structures
        How many distinct structures to return at most, the lowest in energy first.
    seed
        Start of the random numbers; sample k uses (seed, k).
    max_cells
        The largest supercell, in cells, that may be made to meet the occupancies.
    occupancy_tolerance
        How far an occupancy may be off. What was taken is in the lineage.
    max_enumerated
        Up to so many arrangements all are tried; beyond, arrangements are sampled.
    n_samples
        Number of annealing runs when sampling.
    n_sweeps
        Exchanges tried in each run, per site that is not fixed.
    """

    n_structures: int = 1
    seed: int = 0
    max_cells: int = 1
    occupancy_tolerance: float = 5e-3
    max_enumerated: int = 20_000
    n_samples: int = 16
    n_sweeps: int = 2000

    def __post_init__(self) -> None:
        for name in ("n_structures", "max_cells", "n_samples", "n_sweeps"):
            if getattr(self, name) < 1:
                raise InputError(f"ordering settings: {name} is {getattr(self, name)}, expected at least 1")
        if not 0 <= self.occupancy_tolerance < 0.5:
            raise InputError(f"ordering settings: occupancy_tolerance is {self.occupancy_tolerance}, expected 0 to 0.5")


@dataclass(frozen=True)
class OrderedStructure:
    """One way to order a disordered structure.

    Parameters
    ----------
    atoms
        The atoms; every step that led to them is in ``atoms.info["lineage"]``.
    ewald_energy_ev
        Electrostatic energy of the cell with the formal charges, in eV.
    method
        ``ordered`` (nothing to resolve), ``enumeration`` (the lowest of all) or ``sampling`` (the lowest found).
    seed
        The (seed, sample) it came from; None unless sampled.
    degeneracy
        How many arrangements of the cell the symmetry makes of this one.
    """

    atoms: Atoms
    ewald_energy_ev: float
    method: str
    seed: tuple[int, int] | None
    degeneracy: int


def resolve_disorder(
    structure: DisorderedStructure, settings: OrderingSettings | None = None
) -> tuple[OrderedStructure, ...]:
    """Return ordered structures, the lowest Ewald energy first, no two of them equivalent by symmetry.

    Parameters
    ----------
    structure
        Sites with occupancies and oxidation states.
    settings
        How many, from which seed, in how large a cell.

    Raises
    ------
    InputError
        When whole atoms cannot meet the occupancies or neutrality, or the result has atoms on top of each other.
    """
    chosen = settings or OrderingSettings()
    whole = smallest_cells(structure, chosen.max_cells, chosen.occupancy_tolerance)
    large = structure.repeat(roundest_matrix(structure.cell, whole.n_cells)) if whole.n_cells > 1 else structure
    elements = tuple(sorted({element for counts in whole.counts for element in counts}))
    problem = _Problem.of(large, whole, elements)
    if problem.n_arrangements <= chosen.max_enumerated:
        method = "ordered" if problem.n_arrangements == 1 else "enumeration"
        candidates: Iterable[tuple[float, NDArray[np.int64], tuple[int, int] | None]] = problem.enumerate()
    else:
        method = "sampling"
        candidates = problem.sample(chosen)
    permutations = site_permutations(large.cell, large.scaled_positions, large.groups.tolist())
    found: list[OrderedStructure] = []
    seen: set[bytes] = set()
    for energy, occupants, seed in candidates:
        rows = np.unique(occupants[permutations], axis=0)
        key = rows[0].tobytes()
        if key in seen:
            continue
        seen.add(key)
        atoms = _build(large, whole, elements, occupants, energy, method, seed)
        found.append(OrderedStructure(atoms, energy, method, seed, len(rows)))
        if len(found) == chosen.n_structures:
            break
    return tuple(found)


@dataclass(frozen=True)
class _Problem:
    """Whole atoms to be spread over groups of sites, and the matrix that gives the energy of doing so."""

    groups: tuple[NDArray[np.int64], ...]  # sites of each group
    fillings: tuple[NDArray[np.int64], ...]  # one filling of each, sorted: element indices, VACANT first
    charges: NDArray[np.float64]  # (n_elements + 1,) e, the last one of a vacancy
    matrix: NDArray[np.float64]  # (n_sites, n_sites) eV/e²

    @classmethod
    def of(cls, large: DisorderedStructure, whole: WholeCounts, elements: tuple[str, ...]) -> "_Problem":
        groups, fillings = [], []
        for index, counts in enumerate(whole.counts):
            sites = np.flatnonzero(large.groups == index)
            filling = [elements.index(element) for element, n in counts.items() for _ in range(n)]
            groups.append(sites)
            fillings.append(np.sort(np.array(filling + [VACANT] * (len(sites) - len(filling)), dtype=np.int64)))
        charges = np.array([large.charge_of(element) for element in elements] + [0.0])
        return cls(tuple(groups), tuple(fillings), charges, ewald_matrix(large.cell, large.scaled_positions))

    @property
    def n_arrangements(self) -> int:
        total = 1
        for filling in self.fillings:
            left = len(filling)
            for n in np.unique(filling, return_counts=True)[1]:
                total *= comb(left, int(n))
                left -= int(n)
        return total

    def start(self) -> NDArray[np.int64]:
        occupants = np.full(len(self.matrix), VACANT, dtype=np.int64)
        for sites, filling in zip(self.groups, self.fillings, strict=True):
            occupants[sites] = filling
        return occupants

    def energy(self, occupants: NDArray[np.int64]) -> NDArray[np.float64]:
        """E = ½ qᵀ M q of (..., n_sites) occupants, in eV."""
        q = self.charges[occupants]
        return np.asarray(0.5 * np.sum((q @ self.matrix) * q, axis=-1))

    def enumerate(self) -> Iterator[tuple[float, NDArray[np.int64], None]]:
        """Yield every arrangement, the lowest energy first."""
        free = [k for k, filling in enumerate(self.fillings) if filling[0] != filling[-1]]
        choices = [np.array(list(_arrangements(self.fillings[k]))) for k in free]
        picks = list(product(*(range(len(choice)) for choice in choices)))  # one empty pick where nothing is free
        grid = np.array(picks, dtype=np.int64).reshape(len(picks), len(free))
        occupants = np.tile(self.start(), (len(grid), 1))
        for column, (k, choice) in enumerate(zip(free, choices, strict=True)):
            occupants[:, self.groups[k]] = choice[grid[:, column]]
        energies = self.energy(occupants)
        for index in np.argsort(np.round(energies / _SAME_ENERGY), kind="stable"):
            yield float(energies[index]), occupants[index], None

    def sample(self, settings: OrderingSettings) -> list[tuple[float, NDArray[np.int64], tuple[int, int] | None]]:
        """Return the end points of the annealing runs, the lowest energy first."""
        free = [sites for sites, filling in zip(self.groups, self.fillings, strict=True) if filling[0] != filling[-1]]
        ends: list[tuple[float, NDArray[np.int64], tuple[int, int] | None]] = []
        for k in range(settings.n_samples):
            rng = np.random.default_rng([settings.seed, k])
            occupants = anneal(self.start(), free, self.charges, self.matrix, settings.n_sweeps, rng)
            ends.append((float(self.energy(occupants)), occupants, (settings.seed, k)))
        return sorted(ends, key=lambda end: end[0])


def _arrangements(filling: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield every distinct order of a sorted filling."""
    kinds, numbers = np.unique(filling, return_counts=True)
    if len(kinds) == 1:
        yield filling
        return
    everywhere = np.arange(len(filling))
    for chosen in combinations(range(len(filling)), int(numbers[0])):
        rest = np.delete(everywhere, chosen)
        for inner in _arrangements(filling[numbers[0] :]):
            made = np.empty_like(filling)
            made[list(chosen)] = kinds[0]
            made[rest] = inner
            yield made


def _build(
    large: DisorderedStructure,
    whole: WholeCounts,
    elements: tuple[str, ...],
    occupants: NDArray[np.int64],
    energy: float,
    method: str,
    seed: tuple[int, int] | None,
) -> Atoms:
    filled = np.flatnonzero(occupants != VACANT)
    symbols = [elements[kind] for kind in occupants[filled]]
    atoms = Atoms(symbols, scaled_positions=large.scaled_positions[filled], cell=large.cell, pbc=True)
    if large.origin:
        atoms = with_step(atoms, **large.origin)
    counts: Mapping[str, Mapping[str, int]] = dict(zip(large.labels, whole.counts, strict=True))
    made = with_step(
        atoms,
        "order",
        method=method,
        seed=None if seed is None else list(seed),
        ewald_energy_ev=energy,
        n_cells=whole.n_cells,
        counts={label: dict(numbers) for label, numbers in counts.items()},
        occupancy_deviation=whole.deviation,
    )
    check_separation(made, "ordered structure")
    return made
