"""Balanced equations in small whole numbers, where there are some."""

from collections.abc import Mapping

__all__ = ["balanced_equation", "whole_numbers"]

_LARGEST = 2000
"""Whole numbers beyond it help nobody; decimals are written instead."""

_TOLERANCE = 1e-7


def whole_numbers(amounts: Mapping[str, float]) -> dict[str, float]:
    """Scale amounts to the smallest whole numbers, or to a largest of 1 where those are beyond 2000."""
    largest = max(amounts.values())
    parts = [amount / largest for amount in amounts.values()]
    for scale in range(1, _LARGEST + 1):
        tolerance = _TOLERANCE * scale
        if all(abs(part * scale - round(part * scale)) < tolerance and part * scale > 0.5 for part in parts):
            return {name: float(round(part * scale)) for name, part in zip(amounts, parts, strict=True)}
    return dict(zip(amounts, parts, strict=True))


def balanced_equation(reactants: Mapping[str, float], products: Mapping[str, float]) -> str:
    """Write ``2 A + B → 3 C``; ``reactants`` and ``products`` are formula units in one common measure."""
    left = {f"<{name}": amount for name, amount in reactants.items()}
    right = {f">{name}": amount for name, amount in products.items()}
    numbers = whole_numbers(left | right)
    return f"{_side({k[1:]: numbers[k] for k in left})} → {_side({k[1:]: numbers[k] for k in right})}"


def _side(amounts: Mapping[str, float]) -> str:
    return " + ".join(name if number == 1.0 else f"{number:.6g} {name}" for name, number in amounts.items())
