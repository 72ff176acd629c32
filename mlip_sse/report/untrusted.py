"""Values out of files that anybody may have written: what is not what it should be becomes nothing, never an error.

A page is also made of a folder that is damaged, of another version or of a stranger. So nothing is taken as it stands:
numbers are finite or None, texts are short and without control characters, and a list has an end.
"""

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval

__all__ = ["interval", "items", "mapping", "number", "numbers", "text", "texts"]

_LARGEST = 1e60
"""Beyond this nothing is a measurement, and squares would overflow."""

_MOST_ITEMS = 5000
_MOST_NUMBERS = 200_000
_MOST_CHARACTERS = 600


def mapping(thing: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is something else."""
    return thing if isinstance(thing, Mapping) else {}


def items(thing: Any) -> list[Any]:
    """Return a list, an empty one where it is something else, cut where it is endless."""
    return list(thing[:_MOST_ITEMS]) if isinstance(thing, list | tuple) else []


def number(thing: Any) -> float | None:
    """Return a finite number of a size that can be meant, None where it is something else."""
    if isinstance(thing, bool) or not isinstance(thing, int | float):
        return None
    try:
        found = float(thing)
    except OverflowError:
        return None
    return found if abs(found) < _LARGEST else None


def numbers(thing: Any) -> NDArray[np.float64]:
    """Return (n,) numbers; NaN for what is none."""
    found = thing[:_MOST_NUMBERS] if isinstance(thing, list | tuple) else []
    values = (number(one) for one in found)
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def text(thing: Any, most: int = _MOST_CHARACTERS) -> str:
    """Return one line of text; nothing where it is neither a text nor a number."""
    if isinstance(thing, bool):
        return "yes" if thing else "no"
    if isinstance(thing, int | float):
        value = number(thing)
        return "" if value is None else f"{value:.6g}"
    if not isinstance(thing, str):
        return ""
    cut = thing[: 4 * most]
    # C: controls, halves of characters, and what turns the direction of writing.
    plain = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in cut)
    line = " ".join(plain.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def texts(thing: Any) -> list[str]:
    """Return the lines of a list of texts."""
    return [line for line in (text(one) for one in items(thing)) if line]


def interval(thing: Any) -> Interval | None:
    """Return an interval, None where there is none; a limit has no value but an upper bound."""
    found = mapping(thing)
    value, low, high = (number(found.get(key)) for key in ("value", "low", "high"))
    if value is None and high is None:
        return None
    confidence = number(found.get("confidence"))
    return Interval(
        value,
        math.nan if low is None else low,
        math.nan if high is None else high,
        0.95 if confidence is None or not 0 < confidence < 1 else confidence,
        text(found.get("method")),
    )
