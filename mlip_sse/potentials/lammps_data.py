"""The LAMMPS data file of a structure, as decks read it."""

import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism

from mlip_sse.potentials.contract import LammpsInput

__all__ = ["data_text"]


def data_text(atoms: Atoms, lines: LammpsInput) -> str:
    """Return the LAMMPS data file of the atoms, types in the order of ``lines.elements``."""
    prism = Prism(atoms.cell.array, pbc=atoms.pbc)
    xx, yy, zz, xy, xz, yz = (float(value) for value in prism.get_lammps_prism())
    positions = prism.vector_to_lammps(atoms.get_positions(), wrap=True)
    types = [lines.elements.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
    text = ["# mlip-sse", "", f"{len(atoms)} atoms", f"{len(lines.elements)} atom types", ""]
    text += [f"0 {length!r} {axis}lo {axis}hi" for length, axis in ((xx, "x"), (yy, "y"), (zz, "z"))]
    if np.abs([xy, xz, yz]).max() > 1e-9:
        text.append(f"{xy!r} {xz!r} {yz!r} xy xz yz")
    text += ["", "Masses", "", *(f"{i} {mass!r}" for i, mass in enumerate(lines.masses_amu, start=1))]
    text += ["", f"Atoms # {lines.atom_style}", ""]
    for i, (kind, (x, y, z)) in enumerate(zip(types, positions.tolist(), strict=True), start=1):
        charge = "" if lines.charges_e is None else f"{lines.charges_e[kind - 1]!r} "
        text.append(f"{i} {kind} {charge}{x:.10f} {y:.10f} {z:.10f}")
    return "\n".join(text) + "\n"
