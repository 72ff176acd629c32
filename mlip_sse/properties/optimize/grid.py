"""All mixtures of some components in equal steps: the points of a simplex that satisfy what a laboratory can make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, did_you_mean
from mlip_sse.properties.composition import parse_composition, reduced_composition

__all__ = ["CompositionGrid"]

Floats = npt.NDArray[np.float64]

_MAX_POINTS = 200_000
_ROUNDING = 1e-9
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class CompositionGrid:
    """Mixtures Σ xₖ Cₖ with xₖ = iₖ/n and Σ xₖ = 1.

    Parameters
    ----------
    components
        Their formulas, such as ``("Li2S", "P2S5", "LiCl")``, or names where a component is no compound.
    n_steps
        n; neighbours differ by 1/n.
    bounds
        Least and greatest fraction of some components.

    Raises
    ------
    InputError
        When no point is left by the bounds, or there are more points than could be looked at.
    """

    components: tuple[str, ...]
    n_steps: int = 20
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.components) < 2 or len(set(self.components)) < len(self.components):
            raise InputError(f"found the components {', '.join(self.components)}, expected at least two, each once")
        n_points = comb(self.n_steps + len(self.components) - 1, len(self.components) - 1) if self.n_steps > 0 else 0
        if not 0 < n_points <= _MAX_POINTS:
            raise InputError(
                f"found {self.n_steps} steps of {len(self.components)} components, {n_points} points, expected between "
                f"1 and {_MAX_POINTS} points: take other steps"
            )
        for name, (low, high) in self.bounds.items():
            if name not in self.components:
                known = ", ".join(self.components)
                raise InputError(f"bounds of {name!r}, expected one of {known}{did_you_mean(name, self.components)}")
            if not 0 <= low <= high <= 1:
                raise InputError(f"bounds of {name}: found {low:g} to {high:g}, expected 0 ≤ low ≤ high ≤ 1")
        if not len(self.points):
            shown = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in self.bounds.items())
            raise InputError(
                f"no point of the {n_points} in steps of 1/{self.n_steps} is within the bounds ({shown}), expected at "
                f"least one: widen them or take finer steps"
            )

    @cached_property
    def points(self) -> Floats:
        """(n_points, n_components) fractions, in lexical order."""
        n, k = self.n_steps, len(self.components)
        # Stars and bars: k − 1 bars among n + k − 1 places part n stars.
        bars = np.array(list(combinations(range(n + k - 1), k - 1)), dtype=np.intp).reshape(-1, k - 1)
        ends = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), n + k - 1)])
        fractions = (np.diff(ends, axis=1) - 1) / n
        return fractions[self.allows(fractions)]

    def __len__(self) -> int:
        return len(self.points)

    def allows(self, fractions: Floats) -> npt.NDArray[np.bool_]:
        """Return which rows of fractions (n_rows, n_components) are within the bounds."""
        low = np.array([self.bounds.get(name, (0.0, 1.0))[0] for name in self.components])
        high = np.array([self.bounds.get(name, (0.0, 1.0))[1] for name in self.components])
        inside = (fractions >= low - _ROUNDING) & (fractions <= high + _ROUNDING)
        return np.asarray(inside.all(axis=1))

    def place(self, fractions: Sequence[float]) -> int | None:
        """Return the index of a mixture in `points`; None where it lies between them or outside of the bounds."""
        apart = np.abs(self.points - np.asarray(fractions, dtype=np.float64)).max(axis=1)
        nearest = int(apart.argmin())
        return nearest if apart[nearest] < _SUM_TOLERANCE / self.n_steps else None

    def normalised(self, fractions: Sequence[float]) -> Floats:
        """Return a mixture as fractions of sum 1.

        Raises
        ------
        InputError
            When there are not as many as components, one is negative, or they do not add up to 1.
        """
        found = np.asarray(fractions, dtype=np.float64)
        if found.shape != (len(self.components),) or not np.isfinite(found).all() or (found < 0).any():
            raise InputError(
                f"found the mixture {np.round(found, 4).tolist()}, expected {len(self.components)} fractions of "
                f"{', '.join(self.components)}, none negative"
            )
        if abs(found.sum() - 1) > _SUM_TOLERANCE:
            raise InputError(f"found fractions that add up to {found.sum():.4g}, expected 1: divide by their sum")
        return np.asarray(found / found.sum())

    def formula(self, fractions: Sequence[float]) -> str:
        """Return the reduced formula of a mixture.

        Raises
        ------
        InputError
            When a component is no formula.
        """
        amounts: dict[str, float] = {}
        for name, fraction in zip(self.components, fractions, strict=True):
            for symbol, number in parse_composition(name).items():
                amounts[symbol] = amounts.get(symbol, 0.0) + fraction * number
        return reduced_composition("".join(f"{symbol}{n:.6f}" for symbol, n in amounts.items() if n > _ROUNDING))
