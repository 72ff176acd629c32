"""Features of a composition alone: statistics of the elements, fractions, and what the anions and the mobile ion are.

All are sums over the (row, element) pairs that are filled, so that 10⁵ compositions cost seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from ase.data import atomic_numbers, chemical_symbols

from mlip_sse.errors import InputError
from mlip_sse.properties.composition import element_fractions, parse_composition
from mlip_sse.properties.features.elements import (
    ANIONS,
    MAGPIE,
    element_index,
    element_values,
    formal_charges,
    magpie_table,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["Fractions", "IonicChemistry", "Magpie"]

Floats = npt.NDArray[np.float64]

_STATISTICS = ("minimum", "maximum", "range", "mean", "mean_deviation", "mode")


@dataclass(frozen=True)
class Magpie:
    """Minimum, maximum, range, mean, mean deviation and mode of 22 properties of the elements, weighted by fraction.

    The same numbers as matminer's ``ElementProperty.from_preset("magpie")``, from one pass over all compositions.

    References
    ----------
    L. Ward et al., npj Comput. Mater. 2, 16028 (2016), 10.1038/npjcompumats.2016.28.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the 132 features."""
        return tuple(
            f"{statistic}_{name}" + (f"_{unit}" if unit else "")
            for name, unit in MAGPIE.values()
            for statistic in _STATISTICS
        )

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"] = ()) -> Floats:
        """Return the features, (n_rows, 132)."""
        table = magpie_table()
        fractions = element_fractions(compositions)
        rows, columns = np.nonzero(fractions)
        starts = np.searchsorted(rows, np.arange(len(fractions)))
        weights, values = fractions[rows, columns][:, None], table[columns]
        lowest = np.minimum.reduceat(values, starts, axis=0)
        highest = np.maximum.reduceat(values, starts, axis=0)
        mean = np.add.reduceat(weights * values, starts, axis=0)
        deviation = np.add.reduceat(weights * np.abs(values - mean[rows]), starts, axis=0)
        largest = fractions.max(axis=1)
        foremost = np.isclose(weights, largest[rows, None])  # of equally frequent elements the smallest value counts
        mode = np.minimum.reduceat(np.where(foremost, values, np.inf), starts, axis=0)
        stacked = np.stack([lowest, highest, highest - lowest, mean, deviation, mode], axis=2)
        return np.asarray(stacked.reshape(len(fractions), -1))


@dataclass(frozen=True)
class Fractions:
    """Atomic fractions of some elements, or of all 103."""

    elements: tuple[str, ...] = tuple(chemical_symbols[1:104])

    def __post_init__(self) -> None:
        for symbol in self.elements:
            if atomic_numbers.get(symbol, 0) not in range(1, 104):
                raise InputError(f"found {symbol!r} among the elements, expected symbols from H to Lr")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, one an element."""
        return tuple(f"fraction_{symbol}" for symbol in self.elements)

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"] = ()) -> Floats:
        """Return the fractions, (n_rows, n_elements)."""
        return element_fractions(compositions)[:, [element_index(symbol) for symbol in self.elements]]


@dataclass(frozen=True)
class IonicChemistry:
    """What carries over from one family of crystals to another: how much of the mobile ion, among which ions.

    Parameters
    ----------
    mobile
        The mobile element.
    """

    mobile: str = "Li"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return (
            "mobile_fraction", "mobile_per_anion", "anion_fraction", "mobile_share_of_positive_charge",
            "anion_charge_mean_e", "anion_electronegativity", "anion_radius_a", "anion_entropy_kb",
            "cation_electronegativity", "cation_electronegativity_spread", "cation_charge_mean_e",
            "cation_charge_maximum_e", "cation_entropy_kb", "cation_radius_a", "electronegativity_difference",
            "distance_from_whole_numbers", "n_elements", "aliovalence_e",
        )  # fmt: skip

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"] = ()) -> Floats:
        """Return the features, (n_rows, n_features); nan where a composition has no anions or no framework cations."""
        features = np.full((len(compositions), len(self.names)), np.nan)
        seen: dict[str, Floats] = {}
        for row, formula in enumerate(compositions):
            text = str(formula)
            if text not in seen:
                seen[text] = self._features(text)
            features[row] = seen[text]
        return features

    def _features(self, formula: str) -> Floats:
        amounts = parse_composition(formula)
        total = sum(amounts.values())
        fractions = {symbol: amount / total for symbol, amount in amounts.items()}
        charges = formal_charges(fractions)
        anions = {symbol: f for symbol, f in fractions.items() if charges[symbol] < 0}
        cations = {symbol: f for symbol, f in fractions.items() if charges[symbol] > 0 and symbol != self.mobile}
        mobile = fractions.get(self.mobile, 0.0)
        negative = -sum(f * charges[symbol] for symbol, f in anions.items())
        n_anions = sum(anions.values())
        electronegativity = element_values("X")
        of_anions = _mean(anions, electronegativity)
        of_cations = _mean(cations, electronegativity)
        mean_charge = _mean_of(cations, charges)
        return np.array(
            [
                mobile, mobile / n_anions if n_anions else np.nan, n_anions,
                mobile * charges.get(self.mobile, 0.0) / negative if negative else np.nan,
                _mean_of(anions, charges), of_anions, _mean(anions, _anion_radii()), _entropy(anions),
                of_cations, _spread(cations, electronegativity), mean_charge,
                max((charges[symbol] for symbol in cations), default=np.nan), _entropy(cations),
                _mean(cations, element_values("atomic_radius")), of_anions - of_cations,
                _off_whole(formula), len(amounts),
                np.sqrt(_mean_of(cations, {s: (charges[s] - mean_charge) ** 2 for s in cations})),
            ]
        )  # fmt: skip


def _mean(fractions: dict[str, float], values: Floats) -> float:
    return _mean_of(fractions, {symbol: float(values[element_index(symbol)]) for symbol in fractions})


def _mean_of(fractions: dict[str, float], values: dict[str, float]) -> float:
    total = sum(fractions.values())
    return sum(f * values[symbol] for symbol, f in fractions.items()) / total if total else float("nan")


def _spread(fractions: dict[str, float], values: Floats) -> float:
    mean = _mean(fractions, values)
    return float(
        np.sqrt(
            _mean_of(fractions, {symbol: (float(values[element_index(symbol)]) - mean) ** 2 for symbol in fractions})
        )
    )


def _entropy(fractions: dict[str, float]) -> float:
    """Return −Σ x ln x over the shares of some elements."""
    total = sum(fractions.values())
    return abs(sum(f / total * np.log(f / total) for f in fractions.values())) if total else float("nan")


def _off_whole(formula: str) -> float:
    """Return how far the amounts are from (half) multiples of the smallest: 0 for most line compounds, up to ½."""
    amounts = np.array(list(parse_composition(formula).values()))
    return min(
        float(np.abs(scaled - np.rint(scaled)).max()) for n in (1, 2) for scaled in [amounts / amounts.min() * n]
    )


def _anion_radii() -> Floats:
    """Return Shannon's radii of the usual anions in sixfold coordination, (103,) Å, nan for all others."""
    from mlip_sse.structures.ionic_properties import shannon_radius

    radii = np.full(103, np.nan)
    for symbol, charge in ANIONS.items():
        radius = shannon_radius(symbol, charge)
        radii[element_index(symbol)] = np.nan if radius is None else radius
    return radii
