"""The crystals that ship: classic electrolytes and their constituents, by name, each with its published source.

An entry holds what a paper's table holds, a space group, a cell and an asymmetric unit, and says how certain it is. The
ordered ones give atoms; those with partial occupancies give a disordered structure, to be resolved by `disorder`.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Annotated, Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import Field

from mlip_sse.errors import CatalogueError, InputError, did_you_mean
from mlip_sse.specs import Spec, read_yaml
from mlip_sse.structures.lineage import with_step
from mlip_sse.structures.partial import DisorderedStructure

__all__ = ["CrystalEntry", "CrystalSite", "crystal", "crystal_entry", "crystal_names", "disordered_crystal"]

Occupancy = Annotated[float, Field(gt=0, le=1)]


class CrystalSite(Spec):
    """One site of the asymmetric unit: Wyckoff position, fractional position, occupancy of each element."""

    label: str
    wyckoff: str = Field(pattern=r"^\d+[a-z]$")
    species: dict[str, Occupancy]
    position: tuple[float, float, float]

    @property
    def multiplicity(self) -> int:
        """The number of equivalent sites in the cell."""
        return int(self.wyckoff[:-1])


class CrystalEntry(Spec):
    """A crystal as published."""

    description: str
    formula: str
    space_group: int = Field(ge=1, le=230)
    symbol: str
    setting: Literal[1, 2] = 1
    cell: tuple[float, float, float, float, float, float] = Field(description="a, b, c in Å and the angles in degrees")
    temperature_k: float | None = Field(default=None, description="temperature of the diffraction experiment")
    density_g_cm3: float = Field(gt=0, description="literature value")
    oxidation_states: dict[str, int]
    source: str
    doi: str | None = None
    certainty: Literal["published", "approximate", "computed"]
    remarks: str = ""
    sites: tuple[CrystalSite, ...]

    @property
    def is_ordered(self) -> bool:
        """Whether every site is filled by one element."""
        return all(tuple(site.species.values()) == (1.0,) for site in self.sites)

    def expand(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Apply the space group to the asymmetric unit.

        Returns
        -------
        positions : (n_sites, 3)
            Fractional positions in the conventional cell.
        groups : (n_sites,)
            Index of the entry's site that each of them is equivalent to.

        Raises
        ------
        InputError
            When a site is not on the Wyckoff position that the entry states.
        """
        from ase.spacegroup import Spacegroup

        group = Spacegroup(self.space_group, self.setting)
        positions, groups = [], []
        for index, site in enumerate(self.sites):
            equivalent, _ = group.equivalent_sites([site.position], symprec=1e-4)
            if len(equivalent) != site.multiplicity:
                raise InputError(
                    f"{self.formula}, site {site.label}: {len(equivalent)} equivalent positions in {self.symbol}, "
                    f"expected {site.multiplicity} for {site.wyckoff}: correct the position or the setting"
                )
            positions.append(np.asarray(equivalent) % 1.0)
            groups += [index] * len(equivalent)
        return np.concatenate(positions), np.array(groups)

    def origin(self, name: str) -> dict[str, object]:
        """Return what the lineage says of this entry."""
        return {
            "name": name,
            "source": self.source,
            "doi": self.doi,
            "certainty": self.certainty,
            "remarks": self.remarks,
            "space_group": self.space_group,
        }


def crystal_names() -> tuple[str, ...]:
    """Return the names of all crystals, in the order of the table."""
    return tuple(_entries())


def crystal_entry(name: str) -> CrystalEntry:
    """Return the entry of one crystal.

    Raises
    ------
    CatalogueError
        When there is none of that name; the message lists those that are.
    """
    known = _entries()
    if name not in known:
        raise CatalogueError(f"no crystal {name!r}, expected one of {', '.join(known)}{did_you_mean(name, known)}")
    return known[name]


def crystal(name: str) -> Atoms:
    """Return an ordered crystal in its conventional cell, source and certainty in ``atoms.info``.

    Raises
    ------
    CatalogueError
        When there is no crystal of that name.
    InputError
        When the crystal has partial occupancies.
    """
    entry = crystal_entry(name)
    if not entry.is_ordered:
        raise InputError(
            f"crystal {name!r} has partly filled sites, expected an ordered one: "
            f"resolve_disorder(disordered_crystal({name!r})) orders it"
        )
    positions, groups = entry.expand()
    symbols = [next(iter(entry.sites[group].species)) for group in groups]
    atoms = Atoms(symbols, scaled_positions=positions, cell=entry.cell, pbc=True)
    return with_step(atoms, "crystal", **entry.origin(name))


def disordered_crystal(name: str) -> DisorderedStructure:
    """Return a crystal with its occupancies, also an ordered one.

    Raises
    ------
    CatalogueError
        When there is no crystal of that name.
    """
    entry = crystal_entry(name)
    positions, groups = entry.expand()
    return DisorderedStructure(
        cell=np.asarray(Atoms(cell=entry.cell).cell.array),
        scaled_positions=positions,
        groups=groups,
        labels=tuple(site.label for site in entry.sites),
        occupancies=tuple(dict(site.species) for site in entry.sites),
        oxidation_states={element: float(state) for element, state in entry.oxidation_states.items()},
        origin={"operation": "crystal", **entry.origin(name)},
    )


@lru_cache(maxsize=1)
def _entries() -> Mapping[str, CrystalEntry]:
    with as_file(files("mlip_sse.structures") / "crystals.yaml") as path:
        table = read_yaml(path)
    return {name: CrystalEntry.parse(data, f"crystals.yaml, {name}") for name, data in table.items()}
