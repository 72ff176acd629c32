"""What is known of each element, as matrices over the atomic numbers, so that statistics are sums over fractions."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from ase.data import atomic_numbers, chemical_symbols

from mlip_sse.errors import MissingExtraError
from mlip_sse.properties.composition import N_ELEMENTS

__all__ = ["ANIONS", "MAGPIE", "MODIFIED_PETTIFOR", "element_index", "element_values", "formal_charges", "magpie_table"]

Floats = npt.NDArray[np.float64]

MAGPIE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Number": ("atomic_number", ""),
        "MendeleevNumber": ("mendeleev_number", ""),
        "AtomicWeight": ("mass", "amu"),
        "MeltingT": ("melting_temperature", "k"),
        "Column": ("column", ""),
        "Row": ("row", ""),
        "CovalentRadius": ("covalent_radius", "pm"),
        "Electronegativity": ("electronegativity", ""),
        "NsValence": ("s_electrons", ""),
        "NpValence": ("p_electrons", ""),
        "NdValence": ("d_electrons", ""),
        "NfValence": ("f_electrons", ""),
        "NValence": ("valence_electrons", ""),
        "NsUnfilled": ("s_holes", ""),
        "NpUnfilled": ("p_holes", ""),
        "NdUnfilled": ("d_holes", ""),
        "NfUnfilled": ("f_holes", ""),
        "NUnfilled": ("valence_holes", ""),
        "GSvolume_pa": ("elemental_volume", "a3"),
        "GSbandgap": ("elemental_gap", "ev"),
        "GSmagmom": ("elemental_moment", "mu_b"),
        "SpaceGroupNumber": ("elemental_space_group", ""),
    }
)
"""Of each Magpie property: what we call it, and its unit."""

MODIFIED_PETTIFOR = [
    "He",
    "Ne",
    "Ar",
    "Kr",
    "Xe",
    "Rn",
    "Fr",
    "Cs",
    "Rb",
    "K",
    "Na",
    "Li",
    "Ra",
    "Ba",
    "Sr",
    "Ca",
    "Eu",
    "Yb",
    "Lu",
    "Tm",
    "Y",
    "Er",
    "Ho",
    "Dy",
    "Tb",
    "Gd",
    "Sm",
    "Pm",
    "Nd",
    "Pr",
    "Ce",
    "La",
    "Ac",
    "Th",
    "Pa",
    "U",
    "Np",
    "Pu",
    "Am",
    "Cm",
    "Bk",
    "Cf",
    "Es",
    "Fm",
    "Md",
    "No",
    "Lr",
    "Sc",
    "Zr",
    "Hf",
    "Ti",
    "Ta",
    "Nb",
    "V",
    "Cr",
    "Mo",
    "W",
    "Re",
    "Tc",
    "Os",
    "Ru",
    "Ir",
    "Rh",
    "Pt",
    "Pd",
    "Au",
    "Ag",
    "Cu",
    "Ni",
    "Co",
    "Fe",
    "Mn",
    "Mg",
    "Zn",
    "Cd",
    "Hg",
    "Be",
    "Al",
    "Ga",
    "In",
    "Tl",
    "Pb",
    "Sn",
    "Ge",
    "Si",
    "B",
    "C",
    "N",
    "P",
    "As",
    "Sb",
    "Bi",
    "Po",
    "Te",
    "Se",
    "S",
    "O",
    "At",
    "I",
    "Br",
    "Cl",
    "F",
    "H",
]
"""Elements in the order in which they replace each other in crystals: Glawe et al., New J. Phys. 18, 093011 (2016)."""

ANIONS: Mapping[str, int] = MappingProxyType(
    {"F": -1, "Cl": -1, "Br": -1, "I": -1, "O": -2, "S": -2, "Se": -2, "Te": -2, "N": -3}
)
"""Elements taken for anions, with their charge; H, C and P are anions only where none of these is."""

_LAST_RESORT = {"P": -3, "As": -3, "Sb": -3, "C": -4, "H": -1}


@lru_cache(maxsize=1)
def magpie_table() -> Floats:
    """Return the Magpie properties in the order of `MAGPIE`, (103, 22); an element without one has the mean of all.

    Raises
    ------
    MissingExtraError
        Without matminer, which ships the tables.

    References
    ----------
    L. Ward et al., npj Comput. Mater. 2, 16028 (2016), 10.1038/npjcompumats.2016.28.
    """
    try:
        from matminer.utils.data import MagpieData
    except ImportError as error:
        raise MissingExtraError("the Magpie statistics of elements", "properties") from error
    properties = MagpieData(impute_nan=True).all_elemental_props
    symbols = chemical_symbols[1 : N_ELEMENTS + 1]
    return np.array([[properties[name][symbol] for name in MAGPIE] for symbol in symbols], dtype=np.float64)


@lru_cache(maxsize=32)
def element_values(name: str) -> Floats:
    """Return one property of all elements from pymatgen's tables, (103,), nan where unknown.

    ``name`` is an attribute of `pymatgen.core.Element`, such as ``X`` or ``atomic_radius``.
    """
    import warnings

    from pymatgen.core import Element

    values = np.full(N_ELEMENTS, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns for each element that lacks a value
        for number in range(1, N_ELEMENTS + 1):
            found = getattr(Element.from_Z(number), name, None)
            values[number - 1] = np.nan if found is None else float(found)
    return values


def formal_charges(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return the mean formal charge of each element of a composition, neutral in all.

    Anions have their usual charge. Each cation begins with its most common one; what is then missing or too much is
    taken from the cations that have other common charges, in proportion to their room, transition metals first, and
    what remains from all cations in proportion to their charge. So Fe in Fe3O4 is +8/3, and a doped crystal is neutral
    without an ordering.

    Parameters
    ----------
    amounts
        Element to amount, of any scale; the amounts of a disordered crystal need not be whole.
    """
    charges = {symbol: float(ANIONS[symbol]) for symbol in amounts if symbol in ANIONS}
    if not charges:
        anion = next((symbol for symbol in _LAST_RESORT if symbol in amounts and len(amounts) > 1), None)
        charges = {anion: float(_LAST_RESORT[anion])} if anion else {}
    negative = -sum(amounts[symbol] * charge for symbol, charge in charges.items())
    cations = [symbol for symbol in amounts if symbol not in charges]
    if not cations or negative <= 0:
        return dict.fromkeys(amounts, 0.0)
    usual, low, high = (np.array([_common(symbol)[k] for symbol in cations]) for k in range(3))
    weights = np.array([amounts[symbol] for symbol in cations])
    metals = np.array([_changes_charge(symbol) for symbol in cations])
    for mask in (metals, ~metals):  # a transition metal changes its charge before phosphorus does
        missing = negative - weights @ usual
        room = weights * (high - usual if missing > 0 else usual - low) * mask
        if room.sum() > 0:
            usual = usual + np.sign(missing) * min(1.0, abs(missing) / room.sum()) * (room / weights)
    usual = usual * (negative / (weights @ usual))
    return charges | {symbol: float(charge) for symbol, charge in zip(cations, usual, strict=True)}


@lru_cache(maxsize=256)
def _common(symbol: str) -> tuple[float, float, float]:
    """Return the most common, the lowest and the highest positive charge of an element."""
    from pymatgen.core import Element

    element = Element(symbol)
    common = [float(charge) for charge in element.common_oxidation_states if charge > 0]
    common = common or [float(charge) for charge in element.oxidation_states if charge > 0] or [1.0]
    icsd = [float(charge) for charge in element.icsd_oxidation_states if charge > 0 and charge in common]
    usual = (
        max(common)
        if element.is_metalloid or symbol in ["P", "As", "Sb", "Nb", "Ta", "V", "Mo", "W", "Ti", "Zr"]
        else (icsd or common)[-1]
    )
    return usual, min(common), max(common)


def _changes_charge(symbol: str) -> bool:
    from pymatgen.core import Element

    element = Element(symbol)
    return bool(element.is_transition_metal or element.is_rare_earth)


def element_index(symbol: str) -> int:
    """Return the column of an element in matrices over elements."""
    return int(atomic_numbers[symbol]) - 1
