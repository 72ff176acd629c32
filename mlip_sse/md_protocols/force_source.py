"""Where the forces of a static protocol come from: a potential, or a reference that is a calculator.

``potential: licl_born_mayer`` names a potential, ``potential: reference:chgnet`` a reference. A worker is told in plain
data, and the digest says whether it is the same one that a task was made for.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mlip_sse.catalogue import resolve
from mlip_sse.errors import InputError, SpecError
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.potentials.whole_folder import folder_digest, folder_put_in_place
from mlip_sse.references import Reference, load_reference

__all__ = ["REFERENCE_PREFIX", "ForceSource", "force_source"]

REFERENCE_PREFIX = "reference:"


@dataclass(frozen=True)
class ForceSource:
    """A potential or a reference, as plain data until it is asked for a calculator.

    Parameters
    ----------
    settings
        ``potential``: a folder, or ``reference``: the settings of one.
    """

    settings: Mapping[str, Any]
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def potential(self) -> Potential | None:
        """The potential; None where a reference gives the forces."""
        return load_potential(self.settings["potential"]) if "potential" in self.settings else None

    @cached_property
    def reference(self) -> Reference | None:
        """The reference; None where a potential gives the forces."""
        return load_reference(self.settings["reference"]) if "reference" in self.settings else None

    @cached_property
    def digest(self) -> str:
        """Hash of all that decides the forces."""
        if self.reference is None:
            return folder_digest(self.settings["potential"])
        return hashlib.sha256(json.dumps(self.reference.identity(), sort_keys=True).encode()).hexdigest()

    @property
    def name(self) -> str:
        """How people call it."""
        if self.potential is not None:
            return self.potential.card.name
        model = None if self.reference is None else self.reference.fingerprint.model
        kind = "" if self.reference is None else self.reference.kind
        return f"{REFERENCE_PREFIX}{kind}{'' if model is None else f' {model}'}"

    def calculator(self) -> Any:
        """Return an ASE calculator: a new one of a potential, always the same one of a reference."""
        if self.potential is not None:
            return self.potential.calculator()
        if "calculator" not in self._made and self.reference is not None:
            self._made["calculator"] = self.reference.calculator()
        return self._made["calculator"]

    def require_elements(self, symbols: Sequence[str]) -> None:
        """Refuse elements that a potential does not know, and a reference that is not ready or no calculator.

        Raises
        ------
        InputError, MissingExtraError
            Naming them.
        """
        if self.potential is not None:
            self.potential.lammps_for(list(symbols))
        if self.reference is not None:
            self.reference.require_ready()
            if not self.reference.is_calculator:
                raise InputError(
                    f"{REFERENCE_PREFIX}{self.reference.kind} labels single structures, expected a reference that is a "
                    "calculator (chgnet, ase) or a potential"
                )


def force_source(chosen: "ForceSource | Potential | str | Path", folder: str | Path) -> ForceSource:
    """Return where forces come from.

    Parameters
    ----------
    chosen
        A name in `potentials/`, a potential's folder, ``reference:KIND`` (``reference:KIND:ARGUMENT``), or a potential.
    folder
        A potential that lies nowhere yet is saved into its ``potential/``.

    Raises
    ------
    CatalogueError, SpecError
        When there is no such potential or reference.
    """
    if isinstance(chosen, ForceSource):
        return chosen
    if isinstance(chosen, Potential):
        place = Path(folder).absolute() / "potential"
        with folder_put_in_place(place) as half:
            chosen.save(half)
        return ForceSource({"potential": os.fspath(place)})
    text = os.fspath(chosen)
    if text.startswith(REFERENCE_PREFIX):
        if not (name := text.removeprefix(REFERENCE_PREFIX)):
            raise SpecError(f"found {text!r}, expected {REFERENCE_PREFIX}KIND such as {REFERENCE_PREFIX}chgnet")
        return ForceSource({"reference": load_reference(name).spec.model_dump(mode="json")})
    return ForceSource({"potential": os.fspath(resolve("potentials", chosen).absolute().parent)})
