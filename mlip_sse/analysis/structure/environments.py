"""What surrounds each atom, as one row of numbers: radial and angular functions of every species within reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.neighbours import neighbour_list
from mlip_sse.analysis.structure.symmetry_functions import (
    AngularTerms,
    angular_functions,
    angular_names,
    radial_functions,
    radial_names,
)
from mlip_sse.errors import InputError

__all__ = ["Environments"]


@dataclass(frozen=True)
class Environments:
    """Settings of the description, with Behler and Parrinello's smooth cutoff.

    Parameters
    ----------
    cutoff
        Å.
    n_radial
        Number of Gaussians for each species, evenly spaced from 1 Å to the cutoff, as wide as they are apart.
    angular_range
        ξ in Å of the angular functions; None for radial ones alone.
    sharpness
        ζ of the angular functions, each with λ = −1 and +1.
    """

    cutoff: float = 5.0
    n_radial: int = 8
    angular_range: float | None = 4.0
    sharpness: tuple[float, ...] = (1.0, 4.0)

    def __post_init__(self) -> None:
        if not self.cutoff > 1.0 or self.n_radial < 2:
            raise InputError(f"found cutoff {self.cutoff} Å and {self.n_radial} radial functions, expected > 1 and ≥ 2")

    @property
    def _radial(self) -> tuple[NDArray[np.float64], float]:
        mu = np.linspace(1.0, self.cutoff, self.n_radial + 1)[:-1]
        return mu, float(mu[1] - mu[0])

    @property
    def _terms(self) -> AngularTerms | None:
        if self.angular_range is None:
            return None
        return AngularTerms.of_all([self.angular_range], [-1.0, 1.0], self.sharpness)

    def names(self, species: Sequence[str]) -> list[str]:
        """Return the names of the columns for species in this order."""
        names = radial_names(species, self._radial[0])
        return names if self._terms is None else names + angular_names(species, self._terms)

    def describe(
        self,
        positions: NDArray[np.floating],
        cell: NDArray[np.floating],
        symbols: NDArray[np.str_],
        species: Sequence[str],
        centres: NDArray[np.integer],
    ) -> NDArray[np.float64]:
        """Return the descriptions of some atoms.

        Parameters
        ----------
        positions : (n_atoms, 3) Å
        cell : (3, 3) Å
        symbols : (n_atoms,) chemical symbols
        species
            Those that count, in the order of `names`; atoms of others are not seen.
        centres : (n_centres,) indices

        Returns
        -------
        (n_centres, n_columns)
        """
        kinds = np.full(len(symbols), -1, dtype=np.int64)
        for kind, symbol in enumerate(species):
            kinds[symbols == symbol] = kind
        seen = np.flatnonzero(kinds >= 0)
        near = neighbour_list(positions, cell, self.cutoff, centres, seen)
        kinds[kinds < 0] = 0  # nobody's neighbour
        mu, width = self._radial
        shared: dict[str, Any] = {"smooth": True, "n_kinds": len(species), "neighbours": near}
        found = radial_functions(positions, cell, kinds, centres, mu, width, self.cutoff, **shared)
        if self._terms is None:
            return found
        angular = angular_functions(positions, cell, kinds, centres, self._terms, self.cutoff, **shared)
        return np.concatenate([found, angular], axis=1)
