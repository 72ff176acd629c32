"""What is tabulated of ions: formal charges, radii of Shannon, polarizabilities of Pauling.

References
----------
R. D. Shannon, Acta Cryst. A 32, 751 (1976), doi:10.1107/S0567739476001551, as tabulated by pymatgen;
L. Pauling, Proc. R. Soc. Lond. A 114, 181 (1927), doi:10.1098/rspa.1927.0035 (free ions)
"""

from collections.abc import Mapping
from types import MappingProxyType

from mlip_sse.errors import InputError

__all__ = ["POLARIZABILITIES_A3", "ion_polarizability", "oxidation_states", "shannon_radius"]

POLARIZABILITIES_A3: Mapping[tuple[str, int], float] = MappingProxyType(
    {
        ("Li", 1): 0.029,
        ("Be", 2): 0.008,
        ("O", -2): 3.88,
        ("F", -1): 1.04,
        ("Na", 1): 0.179,
        ("Mg", 2): 0.094,
        ("Al", 3): 0.052,
        ("Si", 4): 0.0165,
        ("S", -2): 10.2,
        ("Cl", -1): 3.66,
        ("K", 1): 0.83,
        ("Ca", 2): 0.47,
        ("Sc", 3): 0.286,
        ("Ti", 4): 0.185,
        ("Se", -2): 10.5,
        ("Br", -1): 4.77,
        ("Rb", 1): 1.40,
        ("Sr", 2): 0.86,
        ("Y", 3): 0.55,
        ("Zr", 4): 0.37,
        ("Te", -2): 14.0,
        ("I", -1): 7.10,
        ("Cs", 1): 2.42,
        ("Ba", 2): 1.55,
        ("La", 3): 1.04,
        ("Ce", 4): 0.73,
    }
)
"""Electronic polarizabilities of free ions in Å³ by element and charge."""

_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def oxidation_states(formula: str) -> dict[str, float]:
    """Return the formal charge of each element, the most common that make the formula neutral.

    Parameters
    ----------
    formula
        Such as ``Li3OCl``.

    Raises
    ------
    InputError
        When no charges make it neutral.
    """
    from pymatgen.core import Composition

    guesses = Composition(formula).oxi_state_guesses()
    if not guesses:
        raise InputError(f"found no formal charges that make {formula} neutral, expected an ionic compound")
    return {str(element): float(charge) for element, charge in guesses[0].items()}


def shannon_radius(element: str, charge: float, coordination: int = 6) -> float | None:
    """Return the ionic radius of Shannon in Å, of the nearest coordination that he gives; None where there is none.

    Parameters
    ----------
    element, charge
        The ion.
    coordination
        How many neighbours it has; high-spin ions where both spins are known.
    """
    from pymatgen.core import Element

    table = Element(element).data.get("Shannon radii") or {}
    known = table.get(str(round(charge))) if abs(charge - round(charge)) < 1e-6 else None
    if not known:
        return None
    plain = {name: name.removesuffix("SQ").removesuffix("PY") for name in known}  # square planes and pyramids
    numbers = {name: _NUMERALS.index(numeral) + 1 for name, numeral in plain.items() if numeral in _NUMERALS}
    if not numbers:
        return None
    nearest = min(numbers, key=lambda name: (abs(numbers[name] - coordination), len(name)))
    by_spin = known[nearest]
    spin = next(each for each in ("", "High Spin", "Low Spin") if each in by_spin)
    return float(by_spin[spin]["ionic_radius"])


def ion_polarizability(element: str, charge: float) -> float | None:
    """Return the polarizability of a free ion in Å³; None where Pauling gives none."""
    return POLARIZABILITIES_A3.get((element, round(charge)))
