"""The ASE calculator of a POD potential; grade and committee are computed when they are asked for by name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.potentials.contract import LammpsInput
from mlip_sse.potentials.lammps_calculator import LammpsCalculator
from mlip_sse.potentials.pod.descriptors import DescriptorEngine

if TYPE_CHECKING:
    from mlip_sse.potentials.uncertainty.active_set import ActiveSet

__all__ = ["PodCalculator", "grades"]

_EXTRAS = ("extrapolation_grade", "energy_std", "forces_std")


def grades(
    symbols: Sequence[str], atomic: NDArray[np.float64], active_sets: "Mapping[str, ActiveSet]"
) -> NDArray[np.float64]:
    """Return the extrapolation grade of each atom, (n_atoms,); infinite for an element the training data lacked.

    Parameters
    ----------
    symbols
        The element of each atom.
    atomic
        (n_atoms, n_descriptors).
    active_sets
        Of each element.
    """
    from mlip_sse.potentials.uncertainty.active_set import extrapolation_grades

    found = np.full(len(symbols), np.inf)
    for element in sorted(set(symbols) & set(active_sets)):
        chosen = np.array(symbols) == element
        found[chosen] = extrapolation_grades(atomic[chosen], active_sets[element])
    return found


class PodCalculator(LammpsCalculator):
    """Energy, forces and stress as `pair_style pod` gives them, and on request what they may be trusted.

    ``extrapolation_grade`` is (n_atoms,); ``energy_std`` (eV) and ``forces_std`` (n_atoms, 3) (eV/Å) are standard
    deviations over the committee.

    Parameters
    ----------
    lines
        Deck lines with paths that can be read from here.
    engine
        The descriptors.
    active_sets
        Of each element.
    committee
        (n_members, n_columns).
    """

    implemented_properties: ClassVar[list[str]] = [*LammpsCalculator.implemented_properties, *_EXTRAS]

    def __init__(
        self,
        lines: LammpsInput,
        engine: DescriptorEngine,
        active_sets: "Mapping[str, ActiveSet]",
        committee: NDArray[np.float64],
    ) -> None:
        super().__init__(lines)
        self._commands = lines.commands
        self._descriptors = engine
        self._active_sets = active_sets
        self._committee = committee

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate the potential; ASE calls this.

        Raises
        ------
        InputError
            When the potential has no committee and its spread is asked for, and as `LammpsCalculator.calculate` says.
        """
        super().calculate(atoms, properties, system_changes)
        wanted = set(properties) & set(_EXTRAS)
        if not wanted:
            return
        spread = wanted - {"extrapolation_grade"}
        if spread and len(self._committee) < 2:
            raise InputError(
                f"found {len(self._committee)} committee members, expected two for {', '.join(spread)}: refit"
            )
        rows = self._descriptors.rows(self.atoms, forces=bool(spread), virial=False)
        self.results["extrapolation_grade"] = grades(self.atoms.get_chemical_symbols(), rows.atomic, self._active_sets)
        if spread:
            self.results["energy_std"] = float((self._committee @ rows.energy).std(ddof=1))
            self.results["forces_std"] = np.std(rows.forces @ self._committee.T, axis=-1, ddof=1)

    def _build(self, atoms: Atoms) -> None:
        # pair_style pod sizes its scratch memory by the neighbours of the first atom and writes beyond it where those
        # are one or two, so that in a dilute cell the neighbour list is made longer, which changes no result.
        density = len(atoms) / float(atoms.get_volume())
        radius = 1.5 * (3 * (1 + self._descriptors.fewest_neighbours) / (4 * np.pi * density)) ** (1 / 3)
        skin = max(2.0, radius - self._descriptors.cutoff)
        self.lines = replace(self.lines, commands=(f"neighbor {skin:.3f} bin", *self._commands))
        super()._build(atoms)

    def close(self) -> None:
        """End both LAMMPS instances; the next calculation starts new ones."""
        super().close()
        self._descriptors.close()
