"""A structure with partly filled or shared sites: the average that diffraction sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.separation import check_lattice
from mlip_sse.structures.symmetry import site_orbits

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["DEFAULT_OXIDATION_STATES", "DisorderedStructure"]

DEFAULT_OXIDATION_STATES: Mapping[str, float] = {
    **dict.fromkeys(("H", "Li", "Na", "K", "Ag"), 1.0),
    **dict.fromkeys(("Mg", "Ca", "Sr", "Ba", "Zn"), 2.0),
    **dict.fromkeys(
        ("B", "Al", "Ga", "In", "Sc", "Y", "La", "Sm", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu"), 3.0
    ),
    **dict.fromkeys(("C", "Si", "Ge", "Sn", "Ti", "Zr", "Hf"), 4.0),
    **dict.fromkeys(("P", "As", "Sb", "Nb", "Ta"), 5.0),
    **dict.fromkeys(("Mo", "W"), 6.0),
    **dict.fromkeys(("O", "S", "Se", "Te"), -2.0),
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1.0),
    "N": -3.0,
}
"""The charges that ions of solid electrolytes usually carry, in e."""


@dataclass(frozen=True)
class DisorderedStructure:
    """Sites in a cell, in groups that share one occupancy.

    Parameters
    ----------
    cell : (3, 3) Å
        Lattice vectors as rows.
    scaled_positions : (n_sites, 3)
        Fractional positions.
    groups : (n_sites,)
        Which group a site belongs to.
    labels
        The name of each group, for messages.
    occupancies
        Of each group: element to fraction of its sites; what is missing to one is vacant.
    oxidation_states
        Charge of each element in e.
    origin
        First step of the lineage.
    """

    cell: NDArray[np.float64]
    scaled_positions: NDArray[np.float64]
    groups: NDArray[np.int64]
    labels: tuple[str, ...]
    occupancies: tuple[Mapping[str, float], ...]
    oxidation_states: Mapping[str, float] = field(default_factory=lambda: DEFAULT_OXIDATION_STATES)
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_sites = len(self.scaled_positions)
        if len(self.groups) != n_sites or len(self.labels) != len(self.occupancies) or n_sites == 0:
            raise InputError(
                f"disordered structure: {n_sites} positions, {len(self.groups)} group indices, "
                f"{len(self.labels)} labels and {len(self.occupancies)} occupancies, expected as many indices as "
                "positions and as many labels as occupancies"
            )
        check_lattice(self.cell, self.scaled_positions, "disordered structure")
        for label, occupancy in zip(self.labels, self.occupancies, strict=True):
            total = sum(occupancy.values())
            if not occupancy or min(occupancy.values()) <= 0 or total > 1 + 1e-3:
                raise InputError(
                    f"site {label}: occupancies {dict(occupancy)} add up to {total:.3f}, expected above 0, at most 1"
                )

    @property
    def is_ordered(self) -> bool:
        """Whether every site is filled by one element."""
        return all(len(occupancy) == 1 and abs(sum(occupancy.values()) - 1) < 1e-6 for occupancy in self.occupancies)

    @property
    def volume(self) -> float:
        """Volume of the cell in Å³."""
        return abs(float(np.linalg.det(self.cell)))

    def counts(self) -> dict[str, float]:
        """Return the mean number of atoms of each element in the cell."""
        sizes = np.bincount(self.groups, minlength=len(self.labels))
        total: dict[str, float] = {}
        for size, occupancy in zip(sizes, self.occupancies, strict=True):
            for element, fraction in occupancy.items():
                total[element] = total.get(element, 0.0) + float(size) * fraction
        return total

    def charge(self) -> float:
        """Return the mean charge of the cell in e.

        Raises
        ------
        InputError
            When an element has no oxidation state.
        """
        return sum(number * self.charge_of(element) for element, number in self.counts().items())

    def charge_of(self, element: str) -> float:
        """Return the oxidation state of an element in e, or raise an InputError that asks for it."""
        if element not in self.oxidation_states:
            raise InputError(
                f"no oxidation state for {element}, expected one for every element: add it by "
                f"with_oxidation_states({{{element!r}: ...}})"
            )
        return self.oxidation_states[element]

    def with_oxidation_states(self, states: Mapping[str, float]) -> "DisorderedStructure":
        """Return a copy in which the given oxidation states replace or extend the present ones."""
        return replace(self, oxidation_states={**self.oxidation_states, **states})

    def repeat(self, matrix: NDArray[np.int64]) -> "DisorderedStructure":
        """Return the supercell whose lattice vectors are ``matrix @ cell``.

        Parameters
        ----------
        matrix : (3, 3)
            Integers with a determinant of at least one.
        """
        from ase.build import make_supercell

        numbered = Atoms(
            numbers=np.zeros(len(self.groups)), scaled_positions=self.scaled_positions, cell=self.cell, pbc=True
        )
        numbered.set_tags(self.groups)
        large = make_supercell(numbered, np.asarray(matrix))
        return replace(
            self,
            cell=np.asarray(large.cell.array),
            scaled_positions=np.asarray(large.get_scaled_positions()),
            groups=np.asarray(large.get_tags()),
            origin={**self.origin, "supercell": np.asarray(matrix).tolist()},
        )

    def to_pymatgen(self) -> "Structure":
        """Return the structure as pymatgen holds it, site labels included."""
        from pymatgen.core import Lattice, Structure

        species = [dict(self.occupancies[group]) for group in self.groups]
        labels = [self.labels[group] for group in self.groups]
        return Structure(Lattice(self.cell), species, self.scaled_positions, labels=labels)

    @classmethod
    def from_pymatgen(cls, structure: "Structure", origin: Mapping[str, Any] | None = None) -> "DisorderedStructure":
        """Take over a pymatgen structure; sites that symmetry makes equivalent form a group, whatever their labels.

        Oxidation states that decorate the species are kept; other elements get `DEFAULT_OXIDATION_STATES`.
        """
        species: list[dict[str, float]] = []
        states = dict(DEFAULT_OXIDATION_STATES)
        for site in structure:
            species.append({})
            for specie, fraction in site.species.items():
                if specie.symbol not in atomic_numbers:
                    raise InputError(f"site {site.label}: found {specie.symbol!r}, expected a chemical element")
                species[-1][specie.symbol] = species[-1].get(specie.symbol, 0.0) + float(fraction)
                if getattr(specie, "oxi_state", None) is not None:
                    states[specie.symbol] = float(specie.oxi_state)
        kinds = [species.index(one) for one in species]
        cell, scaled = np.array(structure.lattice.matrix), np.array(structure.frac_coords) % 1.0
        check_lattice(cell, scaled, "structure")  # spglib does not survive a cell that is none
        firsts, groups = np.unique(site_orbits(cell, scaled, kinds), return_inverse=True)
        return cls(
            cell=cell,
            scaled_positions=scaled,
            groups=groups.astype(np.int64),
            labels=tuple(str(structure[int(first)].label) for first in firsts),
            occupancies=tuple(species[first] for first in firsts),
            oxidation_states=states,
            origin=origin or {"operation": "pymatgen"},
        )
