"""Features of a unit cell that a table prints: lengths, angles, formulas in the cell and number of the space group.

A crystal structure says more, but most tables have a cell for each row and a structure for few. With a composition the
cell gives the volume that an atom has,

    v = abc √(1 − cos²α − cos²β − cos²γ + 2 cosα cosβ cosγ)/(Z n),   n atoms a formula,

how dense the mobile ion is, and with the space group the crystal system.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.composition import parse_composition

__all__ = ["CRYSTAL_SYSTEMS", "CellFeatures"]

Floats = npt.NDArray[np.float64]

CRYSTAL_SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic")
"""In the order of their space groups."""

_FIRST_GROUPS = (3, 16, 75, 143, 168, 195)


@dataclass(frozen=True)
class CellFeatures:
    """Features of a printed cell.

    Parameters
    ----------
    mobile
        The mobile element.
    """

    mobile: str = "Li"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        sizes = ("log10 volume per atom (Å³)", f"{self.mobile} per Å³", "log10 volume (Å³)", "a/c", "b/c", "atoms")
        return tuple(f"cell {name}" for name in (*sizes, *(f"is {system}" for system in CRYSTAL_SYSTEMS)))

    def featurize(
        self, compositions: Sequence[str], lengths: Floats, angles: Floats, n_formulas: Floats, space_group: Floats
    ) -> Floats:
        """Return the features, (n_rows, 13), nan where there is nothing to compute one from.

        Parameters
        ----------
        compositions
            (n_rows,) formulas, of which the cell holds `n_formulas`.
        lengths, angles
            (n_rows, 3) a, b, c in Å, and α, β, γ in degrees; nan where missing.
        n_formulas, space_group
            (n_rows,) Z, and numbers from 1 to 230; nan where missing.

        Raises
        ------
        InputError
            When a length, Z or the number of a space group is impossible.
        """
        _refuse(lengths.min(axis=1) <= 0, lengths, "cell lengths", "positive lengths in Å")
        _refuse(n_formulas <= 0, n_formulas, "formulas in the cell (Z)", "a positive number")
        _refuse((space_group < 1) | (space_group > 230), space_group, "space group", "a number from 1 to 230")
        amounts = [parse_composition(formula) for formula in compositions]
        n_atoms = n_formulas * np.array([sum(each.values()) for each in amounts])
        n_mobile = n_formulas * np.array([each.get(self.mobile, 0.0) for each in amounts])
        cosines = np.cos(np.radians(angles))
        squared = 1.0 - (cosines**2).sum(axis=1) + 2.0 * cosines.prod(axis=1)
        volume = lengths.prod(axis=1) * np.sqrt(np.where(squared > 0, squared, np.nan))
        system = np.digitize(space_group, _FIRST_GROUPS)
        systems = (system[:, None] == np.arange(len(CRYSTAL_SYSTEMS))).astype(np.float64)
        systems[~np.isfinite(space_group)] = np.nan
        sizes = (
            np.log10(volume / n_atoms),
            n_mobile / volume,
            np.log10(volume),
            lengths[:, 0] / lengths[:, 2],
            lengths[:, 1] / lengths[:, 2],
            n_atoms,
        )
        return np.column_stack([*sizes, systems])


def _refuse(bad: npt.NDArray[np.bool_], values: Floats, what: str, expected: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        found = ", ".join(f"{each:g}" for each in np.atleast_1d(values[rows[0]]))
        raise InputError(f"row {rows[0]} (counted from 0): found {what} {found}, expected {expected}; or an empty cell")
