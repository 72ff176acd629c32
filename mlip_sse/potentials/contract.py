"""What every potential offers, whatever its family, and the one door through which it is loaded."""

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from mlip_sse.catalogue import resolve
from mlip_sse.errors import FormatError, SpecError
from mlip_sse.specs import Spec, read_yaml, spec_kind

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlip_sse.dataset import LabelledFrame

__all__ = [
    "CARD_FILE",
    "FAMILIES",
    "RECIPE_FILE",
    "Card",
    "FittedPotential",
    "LammpsInput",
    "Potential",
    "load_potential",
]

RECIPE_FILE = "potential.yaml"
CARD_FILE = "card.json"

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "lammps_pair": "mlip_sse.potentials.lammps_pair:LammpsPairPotential",
        "pod": "mlip_sse.potentials.pod.potential:PodPotential",
        "nequip": "mlip_sse.potentials.nequip.potential:NequipPotential",
        "allegro": "mlip_sse.potentials.allegro.potential:AllegroPotential",
    }
)
"""The class of each family as ``module:class``, imported when a potential of that family is loaded."""


@dataclass(frozen=True)
class Card:
    """What a user must know before using a potential.

    Parameters
    ----------
    name, family, description
        What it is.
    elements
        Chemical symbols it knows.
    temperature_k, pressure_gpa
        Domain: lowest and highest value.
    references
        Papers, each with its DOI.
    licence
        Licence of the recipe and of the fitted files.
    fingerprint
        Method, functional and settings of the reference data; None for a potential that was not fitted here.
    data
        How many frames trained, validated and tested it, how they were split, and a digest of the training frames.
    errors
        Errors on training, validation and test sets per element; empty for a potential that was not fitted here.
    gates
        What each gate found, its limit, and whether it passed; empty for a potential that was not fitted here.
    uncertainty
        The conformal map from grade and committee to the true force error; empty where there is none.
    sha256
        Content of each file of the potential.
    """

    name: str
    family: str
    description: str
    elements: tuple[str, ...]
    temperature_k: tuple[float, float]
    pressure_gpa: tuple[float, float]
    references: tuple[str, ...]
    licence: str
    fingerprint: Mapping[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, Any] = field(default_factory=dict)
    gates: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: Mapping[str, Any] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as `card.json` holds it."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain

    @classmethod
    def read(cls, path: str | Path) -> "Card":
        """Read a ``card.json``.

        Raises
        ------
        FormatError
            When it is not a card.
        """
        try:
            plain = json.loads(Path(path).read_text(encoding="utf-8"))
            plain |= {key: tuple(plain[key]) for key in ("elements", "temperature_k", "pressure_gpa", "references")}
            return cls(**plain)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise FormatError(f"{path}: found no card ({error}), expected the {CARD_FILE} that a fit writes") from error


@dataclass(frozen=True)
class LammpsInput:
    """What a deck needs to run a potential.

    Parameters
    ----------
    elements
        Chemical symbols of the atom types 1, 2, …
    masses_amu : one for each type
    charges_e : one for each type, or None where atoms carry none
    commands
        The lines ``pair_style``, ``pair_coeff`` and what belongs to them, in LAMMPS units ``metal``.
    files
        Files that the lines name, to be copied beside the deck.
    """

    elements: tuple[str, ...]
    masses_amu: tuple[float, ...]
    charges_e: tuple[float, ...] | None
    commands: tuple[str, ...]
    files: tuple[Path, ...] = ()

    @property
    def atom_style(self) -> str:
        """The LAMMPS atom style: ``charge`` or ``atomic``."""
        return "atomic" if self.charges_e is None else "charge"


class Potential(ABC):
    """A potential of any family: an ASE calculator, LAMMPS lines and a card."""

    family: ClassVar[str]

    @classmethod
    @abstractmethod
    def from_recipe(cls, recipe: Spec, path: Path) -> "Potential":
        """Build the potential from its checked recipe; fitted files lie beside ``path``."""

    @property
    @abstractmethod
    def card(self) -> Card:
        """What a user must know."""

    @abstractmethod
    def calculator(self) -> "Calculator":
        """Return an ASE calculator with energy (eV), forces (eV/Å) and stress (eV/Å³, ASE's sign and Voigt order)."""

    @abstractmethod
    def lammps(self, elements: Sequence[str] | None = None) -> LammpsInput:
        """Return the deck lines for atom types in the order of ``elements`` (None: the potential's own order)."""

    def lammps_for(self, symbols: Sequence[str]) -> LammpsInput:
        """Return the deck lines for a structure's atoms: its elements alone, in the order of the potential.

        The order of the structure itself would not always do: a POD beyond three bodies holds in its own order alone.

        Parameters
        ----------
        symbols : (n_atoms,)

        Raises
        ------
        InputError
            When the potential does not know an element.
        """
        known = tuple(element for element in self.card.elements if element in set(symbols))
        strangers = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol not in self.card.elements)
        return self.lammps((*known, *strangers))

    def require_temperatures(self, key: str, temperatures_k: Sequence[float]) -> None:
        """Refuse temperatures outside the potential's domain.

        Parameters
        ----------
        key
            What a spec calls them.
        temperatures_k
            K.

        Raises
        ------
        SpecError
            Naming those that lie outside.
        """
        low, high = self.card.temperature_k
        if outside := [f"{kelvin:g}" for kelvin in temperatures_k if not low <= kelvin <= high]:
            domain = f"potential {self.card.name!r} holds from {low:g} to {high:g} K"
            raise SpecError(f"{key}: found {', '.join(outside)} K, but {domain}: choose others, or another potential")

    @abstractmethod
    def save(self, folder: str | Path) -> Path:
        """Write recipe, fitted files and `card.json` into ``folder``, from where `load_potential` reads them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.card.name!r}, elements={'-'.join(self.card.elements)})"


class FittedPotential(Potential):
    """A potential that was fitted to labelled frames; `mlip_sse.potentials.fitting.fit` makes one."""

    @classmethod
    @abstractmethod
    def fit(
        cls,
        recipe: Spec,
        train: "Sequence[LabelledFrame]",
        validation: "Sequence[LabelledFrame]",
        folder: Path,
        *,
        progress: "Callable[[float, str], None] | None" = None,
    ) -> "FittedPotential":
        """Fit to frames; whatever is worth keeping over a ``kill -9`` lies in ``folder`` and is taken up again.

        Parameters
        ----------
        recipe
            The recipe of the family.
        train, validation
            Frames to fit, and frames that choose (regularisation, early stopping); never those of the test.
        folder
            For checkpoints and logs; the caller owns it.
        progress
            Called with the share done, in [0, 1], and a line to show.

        Raises
        ------
        InputError
            When the frames cannot be fitted: none, an element the recipe excludes, mixed fingerprints.
        """

    @abstractmethod
    def with_card(self, **changes: Any) -> "FittedPotential":
        """Return the same potential with fields of its card changed, such as ``errors`` and ``gates``."""


def load_potential(name_or_path: str | Path) -> Potential:
    """Load a potential from the catalogue or from a folder.

    Parameters
    ----------
    name_or_path
        A name in `potentials/`, a folder that holds ``potential.yaml``, or that file.

    Raises
    ------
    CatalogueError
        When there is no such potential; the message lists those that are.
    SpecError
        When the recipe has an unknown key or an impossible value.
    """
    path = resolve("potentials", name_or_path)
    recipe = spec_kind("potential").parse(read_yaml(path), str(path))
    module, name = FAMILIES[recipe.family].split(":")  # type: ignore[attr-defined]
    family: type[Potential] = getattr(import_module(module), name)
    return family.from_recipe(recipe, path)
