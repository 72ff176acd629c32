"""The family `lammps_pair`: analytic pair potentials that LAMMPS has built in."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mlip_sse.errors import InputError
from mlip_sse.potentials.contract import CARD_FILE, RECIPE_FILE, Card, LammpsInput, Potential
from mlip_sse.potentials.specs import LammpsPairSpec
from mlip_sse.specs import Spec

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

__all__ = ["LammpsPairPotential"]


class LammpsPairPotential(Potential):
    """A pair potential from a recipe of numbers.

    Parameters
    ----------
    recipe
        The checked recipe.
    name
        What the card calls it.
    """

    family = "lammps_pair"

    def __init__(self, recipe: LammpsPairSpec, name: str) -> None:
        self.recipe = recipe
        self.name = name

    @classmethod
    def from_recipe(cls, recipe: Spec, path: Path) -> "LammpsPairPotential":
        """Build the potential; it is called after its folder, or after its file where that has a name of its own."""
        if not isinstance(recipe, LammpsPairSpec):
            raise InputError(f"{path}: found a recipe of {type(recipe).__name__}, expected LammpsPairSpec")
        return cls(recipe, path.resolve().parent.name if path.name == RECIPE_FILE else path.stem)

    @property
    def card(self) -> Card:
        """What a user must know."""
        recipe, domain = self.recipe, self.recipe.domain
        return Card(
            name=self.name,
            family=self.family,
            description=recipe.description,
            elements=recipe.elements,
            temperature_k=domain.temperature_k,
            pressure_gpa=domain.pressure_gpa,
            references=domain.references,
            licence=domain.licence,
            sha256={"recipe": _digest(recipe)},
        )

    def calculator(self) -> "Calculator":
        """Return an ASE calculator that runs LAMMPS in this process."""
        from mlip_sse.potentials.lammps_calculator import LammpsCalculator

        return LammpsCalculator(self.lammps())

    def lammps(self, elements: Sequence[str] | None = None) -> LammpsInput:
        """Return the deck lines for atom types in the order of ``elements``.

        Raises
        ------
        InputError
            When an element is not in the recipe.
        """
        from ase.data import atomic_masses, atomic_numbers

        recipe = self.recipe
        order = recipe.elements if elements is None else tuple(elements)
        if stray := [element for element in order if element not in recipe.elements]:
            known = ", ".join(recipe.elements)
            raise InputError(f"potential {self.name!r} knows {known}, not {', '.join(stray)}: choose another potential")
        masses = tuple(recipe.masses_amu.get(e, float(atomic_masses[atomic_numbers[e]])) for e in order)
        charges = tuple(recipe.charges_e[e] for e in order) if recipe.charges_e else None
        return LammpsInput(order, masses, charges, self._commands(order))

    def _commands(self, order: tuple[str, ...]) -> tuple[str, ...]:
        recipe = self.recipe
        lines = [f"pair_style {recipe.pair_style} {_numbers(recipe.pair_arguments)}"]
        for i, first in enumerate(order, start=1):
            for j, second in enumerate(order[i - 1 :], start=i):
                pair = f"{first}-{second}" if f"{first}-{second}" in recipe.pair_coefficients else f"{second}-{first}"
                lines.append(f"pair_coeff {i} {j} {_numbers(recipe.pair_coefficients[pair])}")
        if recipe.kspace is not None:
            lines.append(f"kspace_style {recipe.kspace.style} {recipe.kspace.accuracy!r}")
        return tuple(lines)

    def save(self, folder: str | Path) -> Path:
        """Write ``potential.yaml`` and ``card.json`` into ``folder``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        plain = self.recipe.model_dump(mode="json", exclude_none=True)
        recipe = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)
        (folder / RECIPE_FILE).write_text(recipe, encoding="utf-8")
        card = json.dumps(self.card.to_dict(), indent=2, ensure_ascii=False)
        (folder / CARD_FILE).write_text(f"{card}\n", encoding="utf-8")
        return folder


def _numbers(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _digest(recipe: LammpsPairSpec) -> str:
    """Return the sha256 of the recipe's numbers, whatever the layout and the comments of its file."""
    return sha256(json.dumps(recipe.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
