"""The ASE calculator of a network, compiled or not, and of its committee."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.potentials.equivariant.compiled import transforms

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NetworkCalculator"]

_SPREADS = ("energy_std", "forces_std")
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_SMALLEST_COMPILED = 2
"""Fewest atoms and neighbours that a compiled network takes."""


class NetworkCalculator(Calculator):  # type: ignore[misc]
    """Energy (eV), energies (eV), forces (eV/Å) and stress (eV/Å³, ASE's sign and Voigt order) from a network.

    With a committee, or a proxy for one, also ``energy_std`` (eV) and ``forces_std`` (n_atoms, 3) eV/Å, which are
    evaluated only when they are asked for.

    Parameters
    ----------
    elements, cutoff
        Of the network.
    members
        The networks of the committee, made when first needed; the first one answers.
    compiled
        The first network as compiled on this machine, if it was.
    proxy
        A calculator that gives the spreads instead, such as that of a POD committee on the same data.
    device
        ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        elements: Sequence[str],
        cutoff: float,
        members: Sequence[Callable[[], Any]],
        compiled: Any = None,
        proxy: Calculator | None = None,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        offered = list(_SPREADS) if len(members) > 1 else []
        if proxy is not None:
            offered = [n for n in (*_SPREADS, "extrapolation_grade") if n in proxy.implemented_properties]
        self.implemented_properties = ["energy", "free_energy", "energies", "forces", "stress", *offered]
        self.elements = tuple(elements)
        self.is_compiled = compiled is not None
        self._makers, self._built = tuple(members), {}  # type: ignore[var-annotated]
        self._compiled, self._proxy, self._device = compiled, proxy, device
        self._transforms = transforms(elements, cutoff)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate the network; ASE calls this.

        Raises
        ------
        InputError
            When the structure is not periodic in three directions, or holds an element the network does not know.
        """
        super().calculate(atoms, properties, system_changes)
        self._check(self.atoms)
        data = self._data(self.atoms)
        small = min(len(self.atoms), data["edge_index"].shape[1]) < _SMALLEST_COMPILED
        model = self._member(0) if self._compiled is None or small else self._compiled
        first = self._evaluate(model, data)
        results = {**first, "free_energy": first["energy"]}
        asked = set(properties) & {"energy_std", "forces_std", "extrapolation_grade"}
        if asked and self._proxy is not None:
            results |= {name: self._proxy.get_property(name, self.atoms) for name in asked}
        elif asked:
            results |= self._spread(first, data)
        self.results = results

    def _check(self, atoms: Atoms) -> None:
        if not all(atoms.pbc):
            raise InputError(f"pbc is {tuple(map(bool, atoms.pbc))}, expected three periodic directions: set atoms.pbc")
        if stray := sorted(set(atoms.get_chemical_symbols()) - set(self.elements)):
            raise InputError(f"the potential knows {', '.join(self.elements)}, not {', '.join(stray)}: choose another")

    def _data(self, atoms: Atoms) -> Any:
        import torch
        from nequip.data import AtomicDataDict, from_ase

        bare = Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=True)
        data = from_ase(bare)
        for transform in self._transforms:
            data = transform(data)
        return AtomicDataDict.to_(data, torch.device(self._device))

    def _member(self, number: int) -> Any:
        if number not in self._built:
            self._built[number] = self._makers[number]().to(self._device)
        return self._built[number]

    def _evaluate(self, model: Any, data: "Mapping[str, Any]") -> dict[str, Any]:
        found = model(dict(data))
        numbers = {
            key: found[key].detach().cpu().numpy().astype(np.float64)
            for key in ("total_energy", "atomic_energy", "forces", "stress")
        }
        stress = numbers["stress"].reshape(3, 3)
        return {
            "energy": float(numbers["total_energy"].sum()),
            "energies": numbers["atomic_energy"].reshape(-1),
            "forces": numbers["forces"],
            "stress": np.array([stress[row, column] for row, column in _VOIGT]),
        }

    def _spread(self, first: dict[str, Any], data: "Mapping[str, Any]") -> dict[str, Any]:
        """Return the sample standard deviation over the committee, s² = Σ (x_k − x̄)²/(K − 1)."""
        others = [self._evaluate(self._member(number), data) for number in range(1, len(self._makers))]
        energies = np.array([member["energy"] for member in (first, *others)])
        forces: NDArray[np.float64] = np.array([member["forces"] for member in (first, *others)])
        return {"energy_std": float(energies.std(ddof=1)), "forces_std": forces.std(axis=0, ddof=1)}
