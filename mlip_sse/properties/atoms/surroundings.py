"""What surrounds an atom as numbers, and the electrostatic potential that formal charges make where it stands.

References
----------
Bartók, Kondor and Csányi, Phys. Rev. B 87, 184115 (2013), 10.1103/PhysRevB.87.184115 (SOAP); Himanen et al., Comput.
Phys. Commun. 247, 106949 (2020), 10.1016/j.cpc.2019.106949 (DScribe).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, MissingExtraError
from mlip_sse.properties.storage import storable
from mlip_sse.structures.ewald import ewald_matrix

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Surroundings", "formal_potentials"]

Floats = npt.NDArray[np.float64]

_NEUTRAL = 1e-6


@storable
@dataclass(frozen=True)
class Surroundings:
    """Smooth overlap of atomic positions, contracted over one of its two neighbours' species and radii.

    Parameters
    ----------
    elements
        All that occur.
    cutoff_a
        Reach in Å.
    n_max, l_max
        Radial and angular functions.
    width_a
        Of the Gaussian that stands for each neighbour, in Å.
    """

    elements: tuple[str, ...]
    cutoff_a: float = 6.0
    n_max: int = 6
    l_max: int = 4
    width_a: float = 0.5

    def __post_init__(self) -> None:
        if not self.elements or self.cutoff_a <= 1.0 or self.n_max < 1 or self.l_max < 0 or self.width_a <= 0:
            raise InputError(f"found {self}, expected elements, a cutoff above 1 Å and positive numbers")

    @cached_property
    def _soap(self) -> Any:
        try:
            from dscribe.descriptors import SOAP
        except ImportError as error:
            raise MissingExtraError("descriptors of atoms", "properties") from error
        return SOAP(
            species=list(self.elements),
            periodic=True,
            r_cut=self.cutoff_a,
            n_max=self.n_max,
            l_max=self.l_max,
            sigma=self.width_a,
            compression={"mode": "mu1nu1"},
        )

    def of(self, atoms: "Atoms") -> Floats:
        """Return (n_atoms, n_features).

        Raises
        ------
        InputError
            When an element occurs that is not among those of the descriptor, or the cell is not periodic.
        """
        unknown = sorted(set(atoms.get_chemical_symbols()) - set(self.elements))
        if unknown:
            raise InputError(
                f"found atoms of {', '.join(unknown)}, expected {', '.join(self.elements)} alone: fit a model that "
                f"has seen them"
            )
        if not atoms.pbc.all():
            raise InputError("found a cell that is not periodic in three directions, expected one that is")
        inside = atoms.copy()
        inside.wrap()
        return np.asarray(self._soap.create(inside), dtype=np.float64)


def formal_potentials(atoms: "Atoms", charges: Mapping[str, float], accuracy: float = 1e-5) -> Floats:
    """Return the potential of formal charges at each atom, its own left out, (n_atoms,) V.

    φ_i = Σ_j q_j M_ij of `mlip_sse.structures.ewald.ewald_matrix`.

    Raises
    ------
    InputError
        When an element has no charge, or the cell is not neutral.
    """
    symbols = atoms.get_chemical_symbols()
    missing = sorted(set(symbols) - set(charges))
    if missing:
        raise InputError(f"found no charge of {', '.join(missing)}, expected one of each element, such as Li=1,S=-2")
    q = np.array([charges[symbol] for symbol in symbols], dtype=np.float64)
    if abs(q.sum()) > _NEUTRAL * len(q):
        raise InputError(f"found charges that add up to {q.sum():g} e in the cell, expected 0: look at the charges")
    cell = np.asarray(atoms.cell.array, dtype=np.float64)
    return np.asarray(ewald_matrix(cell, atoms.get_scaled_positions(), accuracy) @ q)
