"""What every protocol says: the atoms to start from, and the potential."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.errors import SpecError
from mlip_sse.md_protocols.packed_glass_specs import PackedGlassSpec
from mlip_sse.potentials.specs import Element
from mlip_sse.specs import EntrySpec, Spec

__all__ = ["AnyProtocolSpec", "ProtocolSpec", "StructureSpec"]


class StructureSpec(Spec):
    """The atoms to start from: a prototype with its species, a crystal of the package, a packed glass, or a file."""

    prototype: Literal["rocksalt", "cesiumchloride", "zincblende", "fcc", "bcc"] | None = Field(
        None, description="crystal structure to build; instead of crystal or file"
    )
    species: tuple[Element, ...] = Field(
        (), max_length=2, description="chemical symbols on the prototype's sites, one or two", examples=[["Li", "Cl"]]
    )
    crystal: str | None = Field(
        None, min_length=1, description="an ordered crystal of the package, by name", examples=["li3ocl"]
    )
    file: str | None = Field(
        None,
        min_length=1,
        description="structure file that ASE reads (CIF, POSCAR, extxyz); relative to the protocol's folder",
        examples=["structure.cif"],
    )
    glass: PackedGlassSpec | None = Field(
        None,
        description="whole units packed at random, to the density that is given",
        examples=[{"li2s_percent": 75.0, "n_atoms": 200}],
    )
    repeats: tuple[Annotated[int, Field(ge=1, le=200)], ...] = Field(
        (1, 1, 1), min_length=3, max_length=3, description="copies of the (conventional) cell along each cell vector"
    )
    density_g_cm3: tuple[Annotated[float, Field(gt=0, le=30)], ...] | None = Field(
        None,
        description="density the cell is scaled to, one number or one for each temperature; needed by a prototype "
        "and a glass, and by a crystal or a file only where its own cell is not to be used",
        examples=[[1.5]],
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        found = [name for name in ("prototype", "crystal", "file", "glass") if getattr(self, name) is not None]
        if len(found) != 1:
            raise ValueError(
                f"found {' and '.join(found) or 'none'} of prototype, crystal and file (or glass), expected one"
            )
        if self.prototype is None and self.species:
            raise ValueError(f"found species beside {found[0]}, expected it alone to say which species there are")
        if self.glass is not None and (self.density_g_cm3 is None or self.repeats != (1, 1, 1)):
            raise ValueError("glass: expected density_g_cm3, and no repeats but more atoms")
        if self.prototype is not None:
            wanted = 1 if self.prototype in ("fcc", "bcc") else 2
            if len(self.species) != wanted:
                raise ValueError(f"prototype {self.prototype}: found {len(self.species)} species, expected {wanted}")
            if self.density_g_cm3 is None:
                raise ValueError(f"prototype {self.prototype} needs density_g_cm3")
        return self


class AnyProtocolSpec(EntrySpec):
    """Base of every protocol, also of those that start from more than one structure."""

    potential: str = Field(
        min_length=1,
        description="a name in potentials/, or the path of a potential's folder",
        examples=["argon_lennard_jones"],
    )

    def with_structure(self, file: str | Path) -> Self:
        """Refuse a structure file: nobody knows which of the structures it would replace.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError(f"found --structure {file}, but this protocol names several: write a YAML of your own")

    def beside(self, folder: Path) -> Self:
        """Return the protocol with its files looked for in a folder."""
        return self


class ProtocolSpec(AnyProtocolSpec):
    """Base of the protocols with one structure."""

    structure: StructureSpec = Field(
        description="the atoms to start from",
        examples=[{"prototype": "fcc", "species": ["Ar"], "repeats": [5, 5, 5], "density_g_cm3": [1.374]}],
    )

    def with_structure(self, file: str | Path) -> Self:
        """Return the protocol with a structure file in the place of its own structure."""
        return self.model_copy(update={"structure": StructureSpec(file=os.path.abspath(Path(file).expanduser()))})

    def beside(self, folder: Path) -> Self:
        """Return the protocol with its structure file looked for in a folder."""
        if self.structure.file is None:
            return self
        file = folder / Path(self.structure.file).expanduser()
        return self.model_copy(update={"structure": self.structure.model_copy(update={"file": str(file)})})
