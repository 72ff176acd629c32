"""Charges of the ions: oxidation states, given or looked up, always stated in the result.

Integer oxidation states give the same conductivity as Born charges in an insulator (10.1038/s41567-019-0562-0).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["Charges", "charges_of"]

_GIVEN = "given"
_DEFAULT = "default oxidation state"
_BALANCED = "balances the composition"

# States that hold in nearly all solid electrolytes; elements with several common states are left to the charge balance.
_DEFAULTS: dict[str, float] = {
    **dict.fromkeys(["H", "Li", "Na", "K", "Rb", "Cs", "Ag"], 1.0),
    **dict.fromkeys(["Be", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd"], 2.0),
    **dict.fromkeys(["B", "Al", "Ga", "In", "Sc", "Y", "La", "Nd", "Gd", "Ho", "Er", "Yb", "Lu"], 3.0),
    **dict.fromkeys(["C", "Si", "Ge", "Zr", "Hf"], 4.0),
    **dict.fromkeys(["P", "Nb", "Ta"], 5.0),
    **dict.fromkeys(["W"], 6.0),
    **dict.fromkeys(["N"], -3.0),
    **dict.fromkeys(["O", "S", "Se", "Te"], -2.0),
    **dict.fromkeys(["F", "Cl", "Br", "I"], -1.0),
}


@dataclass(frozen=True)
class Charges:
    """Charge of every species in e, and where each came from.

    Parameters
    ----------
    by_species
        Charge in e.
    sources
        For each species: given, default oxidation state, or balances the composition.
    total
        Charge of the whole cell in e.
    """

    by_species: Mapping[str, float]
    sources: Mapping[str, str]
    total: float

    @property
    def statement(self) -> str:
        """One line for the result: ``charges: Li +1 (default oxidation state), …``."""
        parts = (f"{s} {q:+g} ({self.sources[s]})" for s, q in self.by_species.items())
        imbalance = "" if abs(self.total) < 1e-6 else f"; the cell is not neutral: {self.total:+g} e"
        return "charges: " + ", ".join(parts) + imbalance

    def per_atom(self, species: Iterable[str] | NDArray[np.str_]) -> NDArray[np.float64]:
        """Return the charge of each atom, (n_atoms,) e."""
        return np.array([self.by_species[str(s)] for s in species])

    def to_dict(self) -> dict[str, Any]:
        """Return charges, sources and the charge of the cell."""
        return {"charges_e": dict(self.by_species), "sources": dict(self.sources), "total_charge_e": self.total}


def charges_of(species: Iterable[str] | NDArray[np.str_], given: Mapping[str, float] | None = None) -> Charges:
    """Find the charge of every species.

    A charge that is given wins; then the table of states that hold in nearly all solid electrolytes; what is left
    (transition metals and other elements of several states) is set by the neutrality of the composition.

    Parameters
    ----------
    species : (n_atoms,) chemical symbols
    given
        Charges in e by species.

    Raises
    ------
    InputError
        When a given species is absent, a given charge is not finite, or a charge can be neither looked up nor balanced.
    """
    symbols, counts = np.unique(np.asarray([str(s) for s in species]), return_counts=True)
    composition = {str(s): int(n) for s, n in zip(symbols, counts, strict=True)}
    explicit = {s: float(q) for s, q in (given or {}).items()}
    for symbol, charge in explicit.items():
        if symbol not in composition:
            raise InputError(f"a charge is given for {symbol!r}, but the trajectory holds {', '.join(composition)}")
        if not np.isfinite(charge):
            raise InputError(f"the charge of {symbol} must be a finite number, found {charge!r}")
    by_species = {s: explicit.get(s, _DEFAULTS.get(s)) for s in composition}
    sources = {s: _GIVEN if s in explicit else _DEFAULT for s in composition}
    unknown = [s for s, q in by_species.items() if q is None]
    known = {s: q for s, q in by_species.items() if q is not None}
    if unknown:
        balanced = _balance(composition, known, unknown)
        known |= balanced
        sources |= dict.fromkeys(balanced, _BALANCED)
    ordered = {s: known[s] for s in composition}
    total = sum(composition[s] * q for s, q in ordered.items())
    return Charges(ordered, sources, total)


def _balance(composition: dict[str, int], known: dict[str, float], unknown: list[str]) -> dict[str, float]:
    """Return the charges of the unknown species that make the composition neutral."""
    rest = -sum(composition[s] * q for s, q in known.items())
    ask = f"give charges for {', '.join(unknown)}, for example charges={{'{unknown[0]}': 2}}"
    if len(unknown) == 1:
        charge = rest / composition[unknown[0]]
        allowed = _oxidation_states(unknown[0])
        if not allowed or not min(allowed) <= charge <= max(allowed):
            raise InputError(f"no oxidation state of {unknown[0]} balances the composition (needs {charge:+g}); {ask}")
        return {unknown[0]: charge}
    from pymatgen.core import Composition  # a second to import, needed for the rare case only

    states = {s: [q] for s, q in known.items()} | {s: _oxidation_states(s) for s in unknown}
    if not all(states.values()):
        raise InputError(f"no oxidation states are known for {', '.join(s for s in unknown if not states[s])}; {ask}")
    guesses = Composition(composition).oxi_state_guesses(oxi_states_override=states, max_sites=-1)
    if not guesses:
        raise InputError(f"no oxidation states of {', '.join(unknown)} balance the composition; {ask}")
    return {s: float(guesses[0][s]) for s in unknown}


def _oxidation_states(symbol: str) -> list[float]:
    from pymatgen.core import Element

    if not Element.is_valid_symbol(symbol):
        return []
    return [float(q) for q in Element(symbol).common_oxidation_states]
