"""What every recipe needs to read a trajectory, and what those need that look at mechanism and structure."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from mlip_sse.specs import EntrySpec

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["FindingRecipe", "Symbol", "TrajectorySettings"]


def _symbol(text: str) -> str:
    if not re.fullmatch("[A-Z][a-z]?", text):
        raise ValueError("expected a chemical symbol such as 'Li'")
    return text


Symbol = Annotated[str, AfterValidator(_symbol)]


class TrajectorySettings(EntrySpec):
    """What any recipe needs to read a trajectory."""

    mobile: tuple[Symbol, ...] = Field(
        ("Li",),
        min_length=1,
        description="species whose transport is wanted; the first one gives the activation energy",
    )
    reference: str = Field(
        "framework", min_length=1, description="what is held at rest: framework, barycentric, none or species:P,S"
    )
    species: Mapping[int | str, Symbol] | tuple[Symbol, ...] | None = Field(
        None,
        description="for files without elements: atom type to symbol, or one symbol for each atom",
        examples=[{1: "Li", 2: "S"}],
    )
    topology: str | None = Field(
        None,
        min_length=1,
        description="for files without elements: a structure file of the same atoms in the same order",
        examples=["POSCAR"],
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="of all intervals")

    @field_validator("species")
    @classmethod
    def _types_are_numbers(cls, species: Any) -> Any:
        # JSON and quoted YAML have no numbers for keys
        if not isinstance(species, Mapping):
            return species
        return {int(key) if str(key).isdecimal() else key: symbol for key, symbol in species.items()}


class FindingRecipe(TrajectorySettings, ABC):
    """A recipe that looks at each trajectory by itself, and then perhaps at all temperatures together."""

    @abstractmethod
    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Analyse one trajectory, which the caller has read and put into the recipe's reference frame.

        Raises
        ------
        InputError
            When the trajectory cannot be analysed; it becomes a refused row with this reason.
        """

    def compare(self, findings: "Sequence[tuple[float, Finding]]") -> "Finding | None":
        """Return what all temperatures say together, None where they say nothing more.

        Parameters
        ----------
        findings
            Temperature in K and finding of each trajectory that was not refused and whose temperature is known.
        """
        return None
