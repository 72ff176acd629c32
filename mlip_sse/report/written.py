"""Intervals as people write them: powers of ten with a raised exponent."""

import re

from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.transport.display.tables import interval_text

__all__ = ["bounds_text", "value_text", "written"]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER = re.compile(r"e([+-]\d+)")


def written(interval: Interval | None) -> str:
    """Return value and bounds, ``8.90×10⁻⁸ (5.24–15.1)``: the power of ten holds for all three."""
    return _powers(interval_text(interval))


def value_text(interval: Interval | None) -> str:
    """Return the value alone."""
    return _powers(interval_text(interval, "\n").partition("\n")[0])


def bounds_text(interval: Interval) -> str:
    """Return the bounds alone, ``5.24–15.1 ×10⁻⁸``; nothing where there are none."""
    value, _, bounds = interval_text(interval, "\n").partition("\n")
    power = _POWER.search(value)
    return _powers(bounds.strip("()") + ("" if power is None or not bounds else f" {power.group()}"))


def _powers(text: str) -> str:
    return _POWER.sub(lambda found: "×10" + str(int(found.group(1))).translate(_RAISED), text)
