"""What a gate says."""

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["GateResult"]


@dataclass(frozen=True)
class GateResult:
    """The outcome of one gate.

    Parameters
    ----------
    name
        Of the gate.
    passed
        Whether the potential may go out.
    found, limit
        What was measured and what it is held against; ``found`` is None where the potential did not run at
        all, or gave no number.
    unit
        Of both.
    reason
        In words: what was done, and where it was worst.
    """

    name: str
    passed: bool
    found: float | None
    limit: float
    unit: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "passed", bool(self.passed))
        found = None if self.found is None or not math.isfinite(self.found) else float(self.found)
        object.__setattr__(self, "found", found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the card."""
        return vars(self).copy()

    def describe(self) -> str:
        """Return one line for a reader."""
        shown = "did not run" if self.found is None else f"{self.found:.3g} {self.unit} (limit {self.limit:.3g})"
        return f"{self.name}: {'passed' if self.passed else 'FAILED'}, {shown}; {self.reason}"
