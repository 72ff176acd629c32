"""The recipes in `potentials/`: what a potential is, as numbers and names that were checked.

A recipe never holds a line of a LAMMPS deck. It holds the name of a pair style that is known here, and numbers; the
lines are written from those, so that no text of a user reaches a deck.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mlip_sse.specs import EntrySpec, Spec

__all__ = ["PAIR_STYLES", "Domain", "Element", "KSpace", "LammpsPairSpec", "PairStyle", "pair_names"]


def _is_element(symbol: str) -> str:
    from ase.data import chemical_symbols

    if symbol not in chemical_symbols[1:]:
        raise ValueError("expected a chemical symbol such as 'Li'")
    return symbol


Element = Annotated[str, AfterValidator(_is_element)]
"""A chemical symbol; nothing else passes, so it may stand in a deck."""


@dataclass(frozen=True)
class PairStyle:
    """What a LAMMPS pair style asks for.

    Parameters
    ----------
    arguments
        The names of the numbers behind ``pair_style``; the last ``n_optional`` may be left out.
    coefficients
        The names of the numbers behind ``pair_coeff``.
    charged
        It needs charges on the atoms.
    kspace
        It needs a sum in reciprocal space.
    n_optional
        How many of the last arguments may be left out.
    """

    arguments: tuple[str, ...]
    coefficients: tuple[str, ...]
    charged: bool = False
    kspace: bool = False
    n_optional: int = 0


_BORN = ("A (eV)", "ρ (Å)", "σ (Å)", "C (eV Å⁶)", "D (eV Å⁸)")
_BUCKINGHAM = ("A (eV)", "ρ (Å)", "C (eV Å⁶)")
_LENNARD_JONES = ("ε (eV)", "σ (Å)")
_TWO_CUTOFFS = ("cutoff (Å)", "Coulomb cutoff (Å)")

PAIR_STYLES: Mapping[str, PairStyle] = MappingProxyType(
    {
        "lj/cut": PairStyle(("cutoff (Å)",), _LENNARD_JONES),
        "born": PairStyle(("cutoff (Å)",), _BORN),
        "buck": PairStyle(("cutoff (Å)",), _BUCKINGHAM),
        "lj/cut/coul/long": PairStyle(_TWO_CUTOFFS, _LENNARD_JONES, charged=True, kspace=True, n_optional=1),
        "born/coul/long": PairStyle(_TWO_CUTOFFS, _BORN, charged=True, kspace=True, n_optional=1),
        "buck/coul/long": PairStyle(_TWO_CUTOFFS, _BUCKINGHAM, charged=True, kspace=True, n_optional=1),
        "born/coul/dsf": PairStyle(("damping (1/Å)", *_TWO_CUTOFFS), _BORN, charged=True, n_optional=1),
    }
)
"""The pair styles a recipe may name. LAMMPS writes the Born form with *plus* D/r⁸: an attraction has a negative D."""


class KSpace(Spec):
    """The sum in reciprocal space of a long-range pair style."""

    style: Literal["ewald", "pppm"] = Field(
        "ewald", description="ewald is the faster one below about 500 atoms, pppm above"
    )
    accuracy: float = Field(1e-4, ge=1e-9, le=1e-2, description="relative error of the forces that is aimed at")


class Domain(Spec):
    """Where a potential may be used, and where it comes from."""

    temperature_k: tuple[float, float] = Field(
        description="lowest and highest temperature in K; a protocol outside of it is refused",
        examples=[[300.0, 1500.0]],
    )
    pressure_gpa: tuple[float, float] = Field(
        (-1.0, 5.0), description="lowest and highest pressure in GPa, for the reader of the card"
    )
    references: tuple[str, ...] = Field(
        min_length=1, description="papers behind the numbers, each with its DOI", examples=[["doi:10.1000/example"]]
    )
    licence: str = Field(min_length=1, description="licence of the recipe", examples=["MIT"])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (low, high) in (("temperature_k", self.temperature_k), ("pressure_gpa", self.pressure_gpa)):
            if low > high:
                raise ValueError(f"{name}: found {low:g} to {high:g}, expected the lower value first")
        if not self.temperature_k[0] > 0:
            raise ValueError(f"temperature_k: found {self.temperature_k[0]:g} K, expected more than 0")
        return self


class LammpsPairSpec(EntrySpec):
    """An analytic pair potential that LAMMPS has built in."""

    family: Literal["lammps_pair"] = Field(description="the potential family")
    elements: tuple[Element, ...] = Field(
        min_length=1, description="chemical symbols; they become LAMMPS types 1, 2, … in this order", examples=[["Ar"]]
    )
    masses_amu: dict[Element, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="masses in amu where they differ from the standard atomic weights"
    )
    charges_e: dict[Element, float] = Field(
        default_factory=dict, description="charges in e, one for each element of a charged pair style"
    )
    pair_style: str = Field(description=f"LAMMPS pair style, one of {', '.join(PAIR_STYLES)}", examples=["lj/cut"])
    pair_arguments: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        min_length=1, description="the numbers behind pair_style, such as the cutoff in Å", examples=[[8.5]]
    )
    pair_coefficients: dict[str, tuple[float, ...]] = Field(
        description="the numbers behind pair_coeff in LAMMPS units 'metal' (eV, Å), for every pair, as in Li-Cl",
        examples=[{"Ar-Ar": [0.01034, 3.4]}],
    )
    kspace: KSpace | None = Field(
        None, description="reciprocal sum of a coul/long pair style", examples=[{"style": "ewald", "accuracy": 1e-4}]
    )
    domain: Domain = Field(description="where the potential holds and where it comes from")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        style = PAIR_STYLES.get(self.pair_style)
        if style is None:
            raise ValueError(f"pair_style: found {self.pair_style!r}, expected one of {', '.join(PAIR_STYLES)}")
        if len(set(self.elements)) != len(self.elements):
            raise ValueError(f"elements: found one twice in {', '.join(self.elements)}")
        _check_count("pair_arguments", self.pair_arguments, style.arguments, style.n_optional)
        _check_names("pair_coefficients", self.pair_coefficients, pair_names(self.elements))
        for pair, numbers in self.pair_coefficients.items():
            _check_count(f"pair_coefficients[{pair}]", numbers, style.coefficients)
        _check_names("charges_e", self.charges_e, self.elements if style.charged else ())
        if stray := sorted(set(self.masses_amu) - set(self.elements)):
            raise ValueError(f"masses_amu: found {', '.join(stray)}, which is not in elements")
        if style.kspace != (self.kspace is not None):
            wanted = "needs a section kspace" if style.kspace else "takes no section kspace"
            raise ValueError(f"pair_style {self.pair_style} {wanted}")
        return self


def pair_names(elements: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all unordered pairs, ``Li-Li``, ``Li-Cl``, ``Cl-Cl``, in the order of the elements."""
    return tuple(f"{first}-{second}" for first, second in combinations_with_replacement(elements, 2))


def _check_count(key: str, found: tuple[float, ...], names: tuple[str, ...], n_optional: int = 0) -> None:
    if not len(names) - n_optional <= len(found) <= len(names):
        raise ValueError(f"{key}: found {len(found)} numbers, expected {', '.join(names)}")


def _check_names(key: str, found: Mapping[str, object], wanted: tuple[str, ...]) -> None:
    if set(found) != set(wanted):
        shown = " ".join(", ".join(found).split())
        raise ValueError(f"{key}: found {shown or 'nothing'}, expected {', '.join(wanted) or 'nothing'}")
