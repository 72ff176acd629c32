"""A force field that costs milliseconds: soft ions in a salt that melts at once, in the place of DFT in tests."""

import hashlib
import os
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

COULOMB_EV_A = 14.399645
CUTOFF_A = 5.0
CHARGE = 0.7
CORE_EV = 0.3
SOFTNESS_A = 0.35
CONTACTS_A = np.array([[2.0, 2.5], [2.5, 3.3]])  # Li-Li, Li-Cl, Cl-Cl
IMAGES = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)])


class MoltenSalt(Calculator):
    """Lithium chloride as a toy.

    E = Σ [0.3 eV exp((σᵢⱼ - r)/ρ) + k qᵢqⱼ/r] (1 - r/5 Å)³ over pairs; heights of the cell of more than 5 Å.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress", "free_energy"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Sum over pairs; where ``TOY_CALLS`` names a file, the task and its process get a line there."""
        super().calculate(atoms, properties, system_changes)
        if "TOY_CALLS" in os.environ:
            with open(os.environ["TOY_CALLS"], "a") as stream:
                stream.write(f"{Path.cwd().name} {os.getpid()}\n")
        positions, n = self.atoms.get_positions(wrap=True), len(self.atoms)
        images = (IMAGES @ self.atoms.cell.array)[None, None]
        vectors = ((positions[None] - positions[:, None])[:, :, None] + images).reshape(n, -1, 3)
        squares = (vectors**2).sum(axis=-1)
        first, place = np.nonzero((squares < CUTOFF_A**2) & (squares > 1e-9))
        second, vectors, r = place // len(IMAGES), vectors[first, place], np.sqrt(squares[first, place])
        kinds = np.array([{"Li": 0, "Cl": 1}[symbol] for symbol in self.atoms.get_chemical_symbols()])
        charges = CHARGE * (1 - 2 * kinds)
        core = CORE_EV * np.exp((CONTACTS_A[kinds[first], kinds[second]] - r) / SOFTNESS_A)
        coulomb = COULOMB_EV_A * charges[first] * charges[second] / r
        left = 1 - r / CUTOFF_A
        slopes = (-core / SOFTNESS_A - coulomb / r) * left**3 - 3 / CUTOFF_A * (core + coulomb) * left**2
        pulls = 0.5 * slopes[:, None] * vectors / r[:, None]
        forces = np.zeros((n, 3))
        np.add.at(forces, first, pulls)
        np.add.at(forces, second, -pulls)
        energy = float(0.5 * ((core + coulomb) * left**3).sum())
        stress = (pulls[:, :, None] * vectors[:, None, :]).sum(axis=0) / self.atoms.get_volume()
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "stress": full_3x3_to_voigt_6_stress(stress),
        }


class MoodySalt(MoltenSalt):
    """The same on bad days: of all structures it fails on a fifth, hangs on a twentieth, gives NaN on a twentieth."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Do what the mood says."""
        found = mood(atoms.get_positions())
        if found == "fails":
            raise RuntimeError("the electrons did not converge")
        if found == "hangs":
            time.sleep(3600)
        super().calculate(atoms, properties, system_changes)
        if found == "nan":
            self.results["forces"] = np.full((len(atoms), 3), np.nan)


def mood(positions):
    """Return what the positions do to the moody: one of hangs, nan, fails, well."""
    rounded = np.rint(np.asarray(positions) * 1e6).astype(np.int64)
    share = int.from_bytes(hashlib.sha256(rounded.tobytes()).digest()[:4], "big") / 2**32
    for name, end in (("hangs", 0.05), ("nan", 0.10), ("fails", 0.30)):
        if share < end:
            return name
    return "well"
