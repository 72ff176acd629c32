"""Balanced equations in small whole numbers, where there are some."""

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm

__all__ = ["balanced_equation", "whole_numbers"]

_LARGEST = 2000
"""Whole numbers beyond it help nobody; decimals are written instead."""


def whole_numbers(amounts: Mapping[str, float]) -> dict[str, float]:
    """Scale amounts to the smallest whole numbers, or to a largest reactant of 1 where those are large."""
    largest = max(amounts.values())
    parts = {name: Fraction(amount / largest).limit_denominator(_LARGEST) for name, amount in amounts.items()}
    exact = all(abs(float(part) - amounts[name] / largest) < 1e-6 for name, part in parts.items())
    scale = lcm(*(part.denominator for part in parts.values()))
    numbers = {name: int(part * scale) for name, part in parts.items()}
    divisor = gcd(*numbers.values()) or 1
    if not exact or max(numbers.values()) // divisor > _LARGEST or 0 in numbers.values():
        return {name: amount / largest for name, amount in amounts.items()}
    return {name: float(number // divisor) for name, number in numbers.items()}


def balanced_equation(reactants: Mapping[str, float], products: Mapping[str, float]) -> str:
    """Write ``2 A + B → 3 C``; ``reactants`` and ``products`` are formula units in one common measure."""
    left = {f"<{name}": amount for name, amount in reactants.items()}
    right = {f">{name}": amount for name, amount in products.items()}
    numbers = whole_numbers(left | right)
    return f"{_side({k[1:]: numbers[k] for k in left})} → {_side({k[1:]: numbers[k] for k in right})}"


def _side(amounts: Mapping[str, float]) -> str:
    return " + ".join(name if number == 1.0 else f"{number:.6g} {name}" for name, number in amounts.items())
