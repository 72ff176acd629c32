"""Which correction scheme an energy carries: by the names stored with it, or by the numbers themselves.

Old exports of the Materials Project store a bare sum. The schemes are so different per anion and per metal that the sum
says which one it is. The legacy scheme gives every sulphur atom −0.66346 eV, those of polysulphides too, which are then
far too stable; whoever reads such energies is told.

References
----------
Legacy: A. Jain et al., Phys. Rev. B 84, 045115 (2011), https://doi.org/10.1103/PhysRevB.84.045115.
MP2020: A. Wang et al., Sci. Rep. 11, 15496 (2021), https://doi.org/10.1038/s41598-021-94550-5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from mlip_sse.analysis.reactions.phases import Scheme

__all__ = ["StoredEnergy", "remarks_on", "schemes_of"]

_TOLERANCE_EV_ATOM = 2e-4
"""Stored sums are rounded to 1e-4 eV or better; two schemes differ by more than 0.01 eV/atom."""

_BY_CLASS = {
    "MaterialsProject2020Compatibility": Scheme.MP2020,
    "MaterialsProjectCompatibility": Scheme.LEGACY,
    "MITCompatibility": Scheme.MIT,
    "MaterialsProjectDFTMixingScheme": Scheme.MIXING,
}
_BY_NAME = {"MP2020": Scheme.MP2020, "MIT ": Scheme.MIT, "MP ": Scheme.LEGACY, "MP MIXING": Scheme.MIXING}


_OFTEN_CATIONS = frozenset({"Si", "Sb", "Te", "H"})
_STRONGER_ANIONS = frozenset({"O", "F", "N", "Cl", "Br", "I", "S"})


@dataclass(frozen=True)
class _Table:
    """Corrections of one scheme in eV per atom of an anion, and of a metal with +U in oxides and fluorides."""

    oxygen: Mapping[str, float]
    anions: Mapping[str, float]
    metals: Mapping[str, float]


_TABLES = {
    Scheme.LEGACY: _Table(
        {"oxide": -0.70229, "peroxide": -0.46622, "superoxide": -0.14598, "ozonide": 0.0},
        {"S": -0.66346},
        {
            "Mn": -1.68085,
            "Fe": -2.733,
            "Co": -1.874,
            "Cr": -2.013,
            "Mo": -3.531,
            "W": -4.351,
            "V": -1.682,
            "Ni": -2.164,
        },
    ),
    Scheme.MP2020: _Table(
        {"oxide": -0.687, "peroxide": -0.465, "superoxide": -0.161, "ozonide": 0.0},
        {
            **{"S": -0.503, "F": -0.462, "Cl": -0.614, "Br": -0.534, "I": -0.379, "N": -0.361, "Se": -0.472},
            **{"Si": 0.071, "Sb": -0.192, "Te": -0.422, "H": -0.179},
        },
        {"V": -1.7, "Cr": -1.999, "Mn": -1.668, "Fe": -2.256, "Co": -1.638, "Ni": -2.541, "W": -4.438, "Mo": -3.202},
    ),
    Scheme.MIT: _Table(
        {"oxide": -0.66975, "peroxide": -0.44317, "superoxide": -0.13893, "ozonide": 0.0},
        {},
        {
            **{"Mn": -1.687, "Fe": -1.723, "Co": -1.751, "Cr": -2.067, "Mo": -3.531, "W": -2.762, "V": -1.764},
            **{"Ni": -2.164, "Nb": -1.259, "Re": -1.177, "Cu": -1.156, "Ag": -0.324, "Ta": -1.027},
        },
    ),
}


@dataclass(frozen=True)
class StoredEnergy:
    """An energy as a file holds it.

    Parameters
    ----------
    amounts
        Atoms of each element.
    energy
        eV, without corrections.
    correction
        eV, the sum of all corrections.
    names
        Class or name of each correction that is not zero, where the file gives them.
    parameters, data
        What else the file says of the calculation.
    name
        Its identifier.
    """

    amounts: Mapping[str, float]
    energy: float
    correction: float
    name: str
    names: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def functional(self) -> str:
        """The kind of run, ``GGA``, ``GGA+U``, ``R2SCAN``, or ``unknown``."""
        return str(self.parameters.get("run_type") or self.data.get("run_type") or "unknown")


def schemes_of(entries: Sequence[StoredEnergy]) -> list[Scheme]:
    """Return the scheme of each energy of one source.

    An uncorrected energy belongs to the scheme of its neighbours where that scheme corrects nothing in it (an element,
    an alloy), and is ``none`` where the scheme would have (then a `PhaseSet` of them refuses).
    """
    named = [_named(entry) for entry in entries]
    bare = [
        entry for entry, scheme in zip(entries, named, strict=True) if scheme is None and abs(entry.correction) > 1e-6
    ]
    by_number = _explaining(bare)
    found = {scheme for scheme in named if scheme not in (None, Scheme.NONE)} | ({by_number} if bare else set())
    common = next(iter(found)) if len(found) == 1 else None
    schemes = []
    for entry, scheme in zip(entries, named, strict=True):
        if scheme is not None:
            schemes.append(scheme)
        elif abs(entry.correction) > 1e-6:
            schemes.append(by_number if by_number is Scheme.UNNAMED or _explains(by_number, entry) else Scheme.UNNAMED)
        elif common is not None and (common not in _TABLES or _explains(common, entry)):
            schemes.append(common)
        else:
            schemes.append(Scheme.NONE if not found or common is not None else next(iter(found)))
    return schemes


def remarks_on(scheme: Scheme, elements: Sequence[str]) -> tuple[str, ...]:
    """Return what a reader of energies of this scheme must know."""
    if scheme is Scheme.LEGACY and "S" in elements:
        return (
            "legacy corrections give every S atom −0.663 eV, those of polysulphides (LiS4, P2S7) too: these come out "
            "too stable, S8 seems to react, oxidation limits lie 0.12 to 0.15 V off; use MP2020 or none",
        )
    if scheme is Scheme.BAKED:
        return (
            "energies of a surrogate with MP2020's anion corrections in its surface: relative stabilities err by tens "
            "of meV/atom, and S⁰ ↔ S²⁻ reactions interpolate a correction that no force knows",
        )
    if scheme is Scheme.UNNAMED:
        return ("the energies carry corrections of no known scheme; they are taken as they are",)
    return ()


def _named(entry: StoredEnergy) -> Scheme | None:
    """Return the scheme that a file names, or None."""
    stated = entry.parameters.get("correction_scheme") or entry.data.get("correction_scheme")
    if stated in set(Scheme):
        return Scheme(str(stated))
    for name in entry.names:
        if name in _BY_CLASS:
            return _BY_CLASS[name]
        for start in sorted(_BY_NAME, key=len, reverse=True):
            if name.startswith(start):
                return _BY_NAME[start]
    return None


def _explaining(entries: Sequence[StoredEnergy]) -> Scheme:
    """Return the scheme whose table gives most of the bare sums, at least half of them."""
    if not entries:
        return Scheme.NONE
    counts = {scheme: sum(_explains(scheme, entry) for entry in entries) for scheme in _TABLES}
    best = max(counts, key=lambda scheme: counts[scheme])
    return best if 2 * counts[best] > len(entries) else Scheme.UNNAMED


def _explains(scheme: Scheme, entry: StoredEnergy) -> bool:
    """Say whether the sum is one that the scheme can have given."""
    tolerance = _TOLERANCE_EV_ATOM * sum(entry.amounts.values())
    return any(abs(entry.correction - each) < tolerance for each in _possible_sums(_TABLES[scheme], entry))


def _possible_sums(table: _Table, entry: StoredEnergy) -> list[float]:
    amounts = entry.amounts
    if len(amounts) == 1:
        return [0.0]
    choices: list[list[float]] = []
    if "O" in amounts:
        kind = str(entry.data.get("oxide_type") or entry.parameters.get("oxide_type") or "").lower()
        # A positive oxygen (OF2) and an oxide that nobody typed leave room; a typed one does not.
        values = (
            [table.oxygen[kind]] if kind in table.oxygen else [v for k, v in table.oxygen.items() if k != "ozonide"]
        )
        choices.append([0.0] if kind == "none" else [value * amounts["O"] for value in values])
    for element, value in table.anions.items():
        if element in amounts:
            # Cations of an oxide (sulphate, silicate) are not corrected; in a compound of its own the anion is.
            is_cation_at_times = element in _OFTEN_CATIONS or bool(set(amounts) & _STRONGER_ANIONS - {element})
            choices.append([value * amounts[element]] + ([0.0] if is_cation_at_times else []))
    if "O" in amounts or "F" in amounts:
        metals = sum(value * amounts[element] for element, value in table.metals.items() if element in amounts)
        with_u = str(entry.parameters.get("run_type") or "").upper()
        if metals:
            choices.append([metals] if with_u == "GGA+U" else [0.0] if with_u == "GGA" else [metals, 0.0])
    return [sum(chosen) for chosen in product(*choices)]
