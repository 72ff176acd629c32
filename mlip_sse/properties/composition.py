"""Compositions as they are printed in tables: parsed, reduced to one spelling, turned into element fractions.

Two rows are the same material in composition when the amounts agree up to a common factor. The spelling is that of the
smallest whole numbers: ``Li1.3Al0.3Ti1.7(PO4)3`` and ``Li2.6Al0.6Ti3.4P6O24`` are both ``Li13Ti17Al3P30O120``.
"""

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from ase.data import atomic_numbers, chemical_symbols

from mlip_sse.errors import InputError

__all__ = ["N_ELEMENTS", "composition_distance", "element_fractions", "parse_composition", "reduced_composition"]

N_ELEMENTS = 103
"""Columns of a matrix of element fractions: H to Lr, in the order of the atomic numbers."""

_TOKEN = re.compile(r"([A-Z][a-z]?)|([(\[{])|([)\]}])|([0-9]+\.?[0-9]*(?:[eE]-?[0-9]+)?|\.[0-9]+)|\s+")
_MAX_MULTIPLIER = 400
_TOLERANCE = 0.02
"""A multiple of an amount this near to a whole number is one."""


@lru_cache(maxsize=65536)
def parse_composition(formula: str) -> Mapping[str, float]:
    """Return the amounts of a formula such as ``Li1.3Al0.3Ti1.7(PO4)3``.

    Raises
    ------
    InputError
        When it does not parse, names no element, or an amount is not positive.
    """
    stack: list[dict[str, float]] = [{}]
    last: dict[str, float] = {}
    at = 0
    text = str(formula).strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unparsed(formula, f"at {text[at : at + 8]!r}")
        symbol, opened, closed, number = match.groups()
        at = match.end()
        if symbol is not None:
            if atomic_numbers.get(symbol, 0) not in range(1, N_ELEMENTS + 1):
                raise _unparsed(formula, f"{symbol!r} is no element up to Lr")
            _merge(stack[-1], last)
            last = {symbol: 1.0}
        elif opened:
            _merge(stack[-1], last)
            last = {}
            stack.append({})
        elif closed:
            if len(stack) == 1:
                raise _unparsed(formula, "a bracket is closed that was not opened")
            _merge(stack[-1], last)
            last = stack.pop()
        elif number:
            if not last:
                raise _unparsed(formula, f"the number {number} follows no element")
            _merge(stack[-1], {name: amount * float(number) for name, amount in last.items()})
            last = {}
    _merge(stack[-1], last)
    amounts = {name: amount for name, amount in stack[0].items() if amount > 0}
    if len(stack) > 1 or not amounts:
        raise _unparsed(formula, "a bracket stays open" if len(stack) > 1 else "no element in it")
    return amounts


def reduced_composition(formula: str) -> str:
    """Return the one spelling of a composition: smallest whole numbers, elements by electronegativity.

    Amounts that no multiplier up to 400 makes whole are given as fractions of the largest, to four digits.
    """
    return _reduced(str(formula))


@lru_cache(maxsize=65536)
def _reduced(formula: str) -> str:
    amounts = parse_composition(formula)
    symbols = sorted(amounts, key=lambda symbol: (_electronegativity(symbol), symbol))
    values = np.array([amounts[symbol] for symbol in symbols])
    whole = _whole(values)
    if whole is None:
        scaled = values / values.max()
        return "".join(f"{symbol}{amount:.4f}" for symbol, amount in zip(symbols, scaled, strict=True))
    return "".join(symbol + (str(amount) if amount != 1 else "") for symbol, amount in zip(symbols, whole, strict=True))


def element_fractions(compositions: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the atomic fractions of each composition, (n_rows, 103), columns by atomic number."""
    fractions = np.zeros((len(compositions), N_ELEMENTS))
    for row, formula in enumerate(compositions):
        for symbol, amount in parse_composition(str(formula)).items():
            fractions[row, atomic_numbers[symbol] - 1] = amount
    fractions /= fractions.sum(axis=1, keepdims=True)
    return fractions


def composition_distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return half of Σ|x − y| between the fractions of two sets of rows, (n_first, n_second); 0 same, 1 disjoint."""
    distances = np.empty((len(first), len(second)))
    for row, fractions in enumerate(first):
        distances[row] = 0.5 * np.abs(fractions - second).sum(axis=1)
    return distances


def _merge(into: dict[str, float], amounts: Mapping[str, float]) -> None:
    for name, amount in amounts.items():
        into[name] = into.get(name, 0.0) + amount


def _whole(values: npt.NDArray[np.float64]) -> list[int] | None:
    scaled = values / values.min()
    for divisor in range(1, _MAX_MULTIPLIER + 1):  # the smallest amount is `divisor` units of the whole spelling
        amounts = scaled * divisor
        nearest = np.rint(amounts)
        if np.all(np.abs(amounts - nearest) <= _TOLERANCE):
            common = math.gcd(*(int(amount) for amount in nearest))
            return [int(amount) // common for amount in nearest]
    return None


@lru_cache(maxsize=256)
def _electronegativity(symbol: str) -> float:
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # noble gases have none; they come last
        value = float(Element(symbol).X)
    return value if math.isfinite(value) else 10.0 + chemical_symbols.index(symbol)


def _unparsed(formula: str, why: str) -> InputError:
    return InputError(
        f"composition {str(formula)[:40]!r} does not parse: {why}; expected element symbols and amounts, as in Li6PS5Cl"
    )
