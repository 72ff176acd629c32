"""What the reaction has made so far, against what a phase diagram says it ends with.

A phase diagram knows the end: so many Li₂S, Li₃P and LiCl. A run is on the way there. When a share f of the
electrolyte's units is converted, a share (1 − f) s₀ + f s of an element's atoms is expected in its binary compound
with lithium, where s is its share in the predicted products and s₀ what it was at the start (an argyrodite's free
sulfide already has lithium only). Fewer mean that units are broken but their parts not yet where they end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.interphase.environments import ANION_CHARGES, Environments
from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.structure.time_averages import share_interval
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.analysis.reactions.interfaces import InterfaceReaction

__all__ = ["ProductShare", "predicted_products", "predicted_shares", "product_shares"]

_TERM = re.compile(r"\s*(\d+(?:\.\d+)?(?:e-?\d+)?)?\s*\*?\s*([A-Z][A-Za-z0-9.()]*)\s*")


@dataclass(frozen=True)
class ProductShare:
    """How much of an element is where the products have it.

    Parameters
    ----------
    element
        Chemical symbol.
    product
        Its class, such as ``Li2S-like``.
    at_start
        Share of its atoms there in the first look.
    found
        The same at the end.
    expected
        For the units converted by then, as the phase diagram says; None without a prediction.
    word
        ``as predicted``, ``less than predicted``, ``more than predicted``, ``nothing converted``; empty without a
        prediction.
    """

    element: str
    product: str
    at_start: float
    found: Interval
    expected: float | None
    word: str


def predicted_products(reaction: "str | Mapping[str, float] | InterfaceReaction") -> dict[str, float]:
    """Return the products by formula with their amounts.

    Parameters
    ----------
    reaction
        Of `mlip_sse.analysis.reactions.react`, or its equation ``A + 8 B → 5 C + D``, or only the right side of it, or
        amounts by formula.

    Raises
    ------
    InputError
        When a term is no formula, or an amount is not positive.
    """
    if isinstance(reaction, Mapping):
        found = {str(name): float(amount) for name, amount in reaction.items()}
    else:
        text = reaction if isinstance(reaction, str) else reaction.equation
        found = {}
        for term in re.split("→|->|=", text)[-1].split("+"):
            match = _TERM.fullmatch(term)
            if match is None:
                raise InputError(f"found the term {term.strip()!r} in {text!r}, expected for example 5 Li2S")
            found[match[2]] = float(match[1] or 1.0)
    if not found or not all(amount > 0 for amount in found.values()):
        raise InputError(f"found products {found}, expected at least one, and all amounts positive")
    return found


def predicted_shares(products: Mapping[str, float], mobile: str = "Li") -> dict[str, float]:
    """Return for each element but the mobile one the share of it that ends in its binary compound with that one.

    Parameters
    ----------
    products
        Amounts by formula, formula units in any common measure.
    mobile
        The metal.
    """
    from mlip_sse.analysis.reactions.phases import read_formula

    total: dict[str, float] = {}
    binary: dict[str, float] = {}
    for formula, amount in products.items():
        atoms = read_formula(formula)
        for element, number in atoms.items():
            if element == mobile:
                continue
            total[element] = total.get(element, 0.0) + amount * number
            if set(atoms) == {element, mobile} and _is_full(atoms, element, mobile):
                binary[element] = binary.get(element, 0.0) + amount * number
    return {element: binary.get(element, 0.0) / number for element, number in total.items()}


def _is_full(atoms: Mapping[str, float], element: str, mobile: str) -> bool:
    # Li2S but not the polysulfide Li2S2, Li3P but not LiP: their anions are bound to each other
    charge = ANION_CHARGES.get(element)
    return charge is None or mobile not in ("Li", "Na", "K") or atoms[mobile] >= charge * atoms[element] - 1e-6


def product_shares(
    environments: Environments,
    classes: NDArray[np.integer],
    converted: float,
    products: Mapping[str, float] | None = None,
    n_last: int | None = None,
    confidence: float = 0.95,
) -> tuple[ProductShare, ...]:
    """Return what is where the products have it, element by element.

    Ligands count as soon as lithium is all they touch; other anions where the electrolyte no longer surrounds them.
    Atoms that the electrode held in the first look (S₈) are left out.

    Parameters
    ----------
    environments
        The rules.
    classes : (n_looks, n_atoms)
    converted
        Share of the electrolyte's units that is converted at the end.
    products
        Predicted amounts by formula; see `predicted_products`.
    n_last
        Looks at the end that are averaged, a tenth of all by default.
    confidence
        Of the intervals.
    """
    shares = None if products is None else predicted_shares(products, environments.mobile[0])
    last = classes[-(n_last or max(1, len(classes) // 10)) :]
    ligands = {rule.ligand for rule in environments.rules}
    found = []
    for symbol in dict.fromkeys(environments.species.tolist()):
        product = environments.product_of(symbol)
        if product is None or symbol in environments.mobile:
            continue
        atoms = np.flatnonzero((environments.species == symbol) & ~np.isin(classes[0], environments.electrode))
        if not len(atoms):
            continue
        counted = [product]
        if symbol in ligands:
            counted.append(environments.names.index(f"{symbol} in electrolyte"))
        start = float(np.isin(classes[0, atoms], counted).mean())
        share = share_interval(np.isin(last[:, atoms], counted), confidence)
        expected = None
        if shares is not None and symbol in shares:
            expected = (1.0 - converted) * start + converted * shares[symbol]
        word = "nothing converted" if expected is not None and converted == 0 else _word(share, expected)
        found.append(ProductShare(symbol, environments.names[product], start, share, expected, word))
    return tuple(found)


def _word(share: Interval, expected: float | None) -> str:
    if expected is None:
        return ""
    if share.low <= expected <= share.high:
        return "as predicted"
    return "less than predicted" if expected > share.high else "more than predicted"
