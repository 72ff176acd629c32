"""Elements by rank: how much there is of the foremost three, what they are, and how uneven the fractions are.

A mean over a composition does not say which element has which share; ranks do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from ase.data import covalent_radii

from mlip_sse.properties.composition import N_ELEMENTS, element_fractions
from mlip_sse.properties.features.elements import MAGPIE, MODIFIED_PETTIFOR, element_index, element_values, magpie_table

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["RankedElements"]

Floats = npt.NDArray[np.float64]

_N_RANKS = 3
_NORMS = (2, 3, 5, 10)
_VALUES = ("electronegativity", "covalent_radius_a", "volume_a3", "place", "bulk_modulus_gpa", "boiling_temperature_k")


@dataclass(frozen=True)
class RankedElements:
    """Fraction and six numbers of the three most frequent elements, and norms of the fractions, ‖x‖ₚ.

    Of equally frequent elements the more electronegative comes first. Where there are fewer elements than ranks, the
    fraction is zero and the numbers are those of the first.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        ranks = range(1, _N_RANKS + 1)
        return (
            *(f"ranked_{rank}_fraction" for rank in ranks),
            *(f"ranked_{rank}_{value}" for value in _VALUES for rank in ranks),
            *(f"fractions_norm_{norm}" for norm in _NORMS),
        )

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"] = ()) -> Floats:
        """Return the features, (n_rows, 25)."""
        fractions = element_fractions(compositions)
        values = _values()
        order = np.argsort(-np.round(fractions, 9) - 1e-12 * values[:, 0], axis=1, kind="stable")[:, :_N_RANKS]
        shares = np.take_along_axis(fractions, order, axis=1)
        order = np.where(shares > 0, order, order[:, :1])
        norms = [(fractions**norm).sum(axis=1) ** (1.0 / norm) for norm in _NORMS]
        return np.column_stack([shares, *(column[order] for column in values.T), *norms])


def _values() -> Floats:
    """Return the numbers of `_VALUES`, (103, 6), the median of all where one is unknown."""
    place = np.zeros(N_ELEMENTS)
    for at, symbol in enumerate(MODIFIED_PETTIFOR):
        place[element_index(symbol)] = at
    found = np.column_stack(
        [
            element_values("X"),
            covalent_radii[1 : N_ELEMENTS + 1],
            magpie_table()[:, list(MAGPIE).index("GSvolume_pa")],
            place,
            element_values("bulk_modulus"),
            element_values("boiling_point"),
        ]
    )
    filled: Floats = np.where(np.isfinite(found), found, np.nanmedian(found, axis=0))
    return filled
