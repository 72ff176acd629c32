"""An ASE calculator that evaluates deck lines with LAMMPS in this process."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lammps import Prism

from mlip_sse.errors import InputError, RunError
from mlip_sse.potentials.contract import LammpsInput
from mlip_sse.potentials.lammps_install import open_library

__all__ = ["LammpsCalculator"]

_EV_A3_PER_BAR = 1e5 * 1e-30 / 1.602176634e-19
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_PRESSURE_ORDER = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


class LammpsCalculator(Calculator):  # type: ignore[misc]
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, ASE's sign and Voigt order) from a LAMMPS pair style.

    The LAMMPS instance lives as long as the calculator; only new positions are sent while cell and species stay.

    Parameters
    ----------
    lines
        What `Potential.lammps` returned.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, lines: LammpsInput) -> None:
        super().__init__()
        self.lines = lines
        self._engine: Any = None
        self._prism: Any = None

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
            When the structure is not periodic in three directions, or holds an element the potential does not know.
        RunError
            When LAMMPS stops, with its own words.
        """
        super().calculate(atoms, properties, system_changes)
        self._check(self.atoms)
        try:
            if self._engine is None or set(system_changes) - {"positions"}:
                self._build(self.atoms)
            else:
                self._move(self.atoms)
            self._engine.command("run 0 post no")
        except InputError:
            raise
        except Exception as error:  # the wheel raises bare Exception
            self.close()
            raise RunError(f"LAMMPS stopped: {' '.join(str(error).split())}") from error
        self.results = self._collect(len(self.atoms), float(self.atoms.get_volume()))

    def open_deck(self, atoms: Atoms) -> tuple[Any, Any]:
        """Give LAMMPS the structure and the potential; return the instance, and ASE's rotation into its axes.

        Raises
        ------
        InputError
            As `calculate` says.
        """
        self._check(atoms)
        self._build(atoms)
        return self._engine, self._prism

    def close(self) -> None:
        """End the LAMMPS instance; the next calculation starts a new one."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _check(self, atoms: Atoms) -> None:
        if not all(atoms.pbc):
            raise InputError(f"pbc is {tuple(map(bool, atoms.pbc))}, expected three periodic directions: set atoms.pbc")
        known = self.lines.elements
        if stray := sorted(set(atoms.get_chemical_symbols()) - set(known)):
            raise InputError(f"the potential knows {', '.join(known)}, not {', '.join(stray)}")

    def _build(self, atoms: Atoms) -> None:
        """Give LAMMPS a new box, new atoms and the potential."""
        if self._engine is None:
            self._engine = open_library()
        lines, engine = self.lines, self._engine
        self._prism = Prism(atoms.cell.array, pbc=atoms.pbc)
        box = " ".join(f"0 {length:.17g}" for length in self._prism.get_lammps_prism()[:3])
        tilt = " ".join(f"{value:.17g}" for value in self._prism.get_lammps_prism()[3:])
        types = [lines.elements.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
        engine.command("clear")
        engine.commands_list(
            [
                "units metal",
                "boundary p p p",
                f"atom_style {lines.atom_style}",
                "atom_modify map array sort 0 0",
                "box tilt large",
                f"region cell prism {box} {tilt}",
                f"create_box {len(lines.elements)} cell",
            ]
        )
        positions = self._prism.vector_to_lammps(atoms.get_positions(), wrap=True)
        engine.create_atoms(len(atoms), list(range(1, len(atoms) + 1)), types, positions.ravel().tolist())
        engine.commands_list([f"mass {i} {mass!r}" for i, mass in enumerate(lines.masses_amu, start=1)])
        engine.commands_list([f"set type {i} charge {q!r}" for i, q in enumerate(lines.charges_e or (), start=1)])
        engine.commands_list(list(lines.commands))
        engine.commands_list(["compute virial all pressure NULL virial", "thermo_style custom step pe c_virial[1]"])

    def _move(self, atoms: Atoms) -> None:
        from ctypes import c_double

        positions = self._prism.vector_to_lammps(atoms.get_positions(), wrap=True).ravel()
        self._engine.scatter_atoms("x", 1, 3, (c_double * len(positions))(*positions))

    def _collect(self, n_atoms: int, volume: float) -> dict[str, Any]:
        from lammps import LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR

        engine, prism = self._engine, self._prism
        energy = float(engine.get_thermo("pe"))
        forces = np.array(engine.gather_atoms("f", 1, 3), dtype=np.float64).reshape(n_atoms, 3)
        components = engine.extract_compute("virial", LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR)
        pressure = np.empty((3, 3))
        for component, (row, column) in zip(components[:6], _PRESSURE_ORDER, strict=True):
            pressure[row, column] = pressure[column, row] = component
        stress = prism.tensor2_to_ase(-pressure * _EV_A3_PER_BAR)
        return {
            "energy": energy,
            "free_energy": energy,
            "forces": prism.vector_to_ase(forces),
            "stress": np.array([stress[row, column] for row, column in _VOIGT]),
        }
