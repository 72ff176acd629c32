"""A force field that costs milliseconds: ions with screened charges and soft cores, in the place of DFT in tests."""

from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress

COULOMB_EV_A = 14.399645
CUTOFF_A = 5.0
SCREENING_INV_A = 0.35
SOFTNESS_A = 0.342
RADII_A = {"Li": 0.816, "Cl": 1.585}
CHARGES = {"Li": 1.0, "Cl": -1.0}
FACTORS = {("Li", "Li"): 2.0, ("Cl", "Li"): 1.375, ("Cl", "Cl"): 0.75}


class MoltenSalt(Calculator):
    """Lithium chloride of Fumi and Tosi's cores, with charges screened within 5 Å.

    E = Σ [0.211 eV c exp((σᵢ + σⱼ - r)/ρ) + k qᵢqⱼ exp(-κr)/r] s(r), s a quintic switch from 4 to 5 Å.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress", "free_energy"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Sum over pairs."""
        super().calculate(atoms, properties, system_changes)
        first, second, r, vectors = neighbor_list("ijdD", self.atoms, CUTOFF_A)
        symbols = np.array(self.atoms.get_chemical_symbols())
        charge = np.array([CHARGES[s] for s in symbols])
        radius = np.array([RADII_A[s] for s in symbols])
        factor = np.array(
            [FACTORS[tuple(sorted((a, b)))] for a, b in zip(symbols[first], symbols[second], strict=True)]
        )
        core = 0.211 * factor * np.exp((radius[first] + radius[second] - r) / SOFTNESS_A)
        coulomb = COULOMB_EV_A * charge[first] * charge[second] * np.exp(-SCREENING_INV_A * r) / r
        x = np.clip((r - 4.0) / (CUTOFF_A - 4.0), 0.0, 1.0)
        switch = 1 - x**3 * (10 - 15 * x + 6 * x**2)
        slope = -30 * x**2 * (1 - x) ** 2 / (CUTOFF_A - 4.0)
        pair = core + coulomb
        derivative = (-core / SOFTNESS_A - coulomb * (SCREENING_INV_A + 1 / r)) * switch + pair * slope
        pulls = 0.5 * derivative[:, None] * vectors / r[:, None]
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, first, pulls)
        np.add.at(forces, second, -pulls)
        energy = float(0.5 * (pair * switch).sum())
        stress = (pulls[:, :, None] * vectors[:, None, :]).sum(axis=0) / self.atoms.get_volume()
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "stress": full_3x3_to_voigt_6_stress(stress),
        }
