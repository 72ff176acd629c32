"""The element-mover's distance: how far atoms of one composition must go, along the table of who replaces whom.

Elements stand in a row in which neighbours replace each other in crystals (the modified Pettifor scale). The distance
of two compositions is the least work that turns one distribution over that row into the other; on a line this is the
area between the cumulated fractions, Σ_k |F_k − G_k|, so no transport problem needs solving.

References
----------
C. J. Hargreaves et al., Chem. Mater. 32, 10610 (2020), 10.1021/acs.chemmater.0c03381 (the distance);
H. Glawe et al., New J. Phys. 18, 093011 (2016), 10.1088/1367-2630/18/9/093011 (the scale).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.composition import element_fractions
from mlip_sse.properties.features.elements import MODIFIED_PETTIFOR, element_index

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["ElementMovers", "element_movers_distances", "element_movers_kernel"]

Floats = npt.NDArray[np.float64]


def element_movers_distances(first: Sequence[str], second: Sequence[str] | None = None) -> Floats:
    """Return the distances of compositions, (n_first, n_second), in steps along the modified Pettifor scale.

    Parameters
    ----------
    first, second
        Formulas; without the second the first are compared among themselves.
    """
    left = _cumulated(first)
    right = left if second is None else _cumulated(second)
    distances = np.empty((len(left), len(right)))
    for row, cumulated in enumerate(left):
        distances[row] = np.abs(cumulated - right).sum(axis=1)
    return distances


def element_movers_kernel(first: Sequence[str], second: Sequence[str] | None = None, length: float = 10.0) -> Floats:
    """Return exp(−d/length), (n_first, n_second), a positive definite similarity for Gaussian processes and SVMs.

    The distance is of the L₁ kind, for which the exponential is positive definite at every length.

    Raises
    ------
    InputError
        When the length is not positive.
    """
    if not length > 0:
        raise InputError(f"found a length of {length!r}, expected a positive number of steps")
    return np.asarray(np.exp(-element_movers_distances(first, second) / length))


@dataclass(frozen=True)
class ElementMovers:
    """Distances to some anchor compositions as features.

    Parameters
    ----------
    anchors
        Formulas of well-known electrolytes; not chosen by the data.
    """

    anchors: tuple[str, ...] = (
        "Li6PS5Cl", "Li10GeP2S12", "Li3PS4", "Li7La3Zr2O12", "LiTi2P3O12", "Li3PO4", "Li4SiO4", "Li3YCl6", "Li3OCl",
        "Li3N", "LiCoO2", "Li3La5Ti8O24",
    )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, one an anchor."""
        return tuple(f"movers_distance_{anchor}" for anchor in self.anchors)

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"] = ()) -> Floats:
        """Return the distances, (n_rows, n_anchors)."""
        return element_movers_distances(compositions, self.anchors)


def _cumulated(compositions: Sequence[str]) -> Floats:
    order = [element_index(symbol) for symbol in MODIFIED_PETTIFOR]
    return np.asarray(np.cumsum(element_fractions(compositions)[:, order], axis=1)[:, :-1])
