"""Labelled frames whose truth is known: copper under ASE's effective-medium theory, and salts with invented labels."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mlip_sse.dataset import Fingerprint, LabelledFrame

PRINT = Fingerprint(method="calculator", code="emt", code_version="1")
OTHER = Fingerprint(method="calculator", code="emt", code_version="2")


def copper_atoms(seed, strain=0.0, rattle=0.05):
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
    atoms.rattle(rattle, seed=seed)
    return atoms


def copper(seed, group="run", place=0, strain=0.0, fingerprint=PRINT):
    atoms = copper_atoms(seed, strain)
    atoms.calc = EMT()
    atoms.get_stress()
    return LabelledFrame.from_atoms(atoms, fingerprint, group, place)


def salt(seed, symbols="LiLiSCl"):
    """Return a triclinic cell with labels of no meaning, such as a file may hold."""
    rng = np.random.default_rng(seed)
    cell = np.diag([5.0, 5.5, 6.0]) + np.tril(rng.uniform(-0.5, 0.5, (3, 3)), -1)
    fractional = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]) + rng.uniform(0, 0.1, (4, 3))
    atoms = Atoms(symbols, scaled_positions=fractional, cell=cell, pbc=True)
    stress = rng.normal(0, 0.01, 6)
    labels = {"energy": float(rng.normal(-15, 1)), "forces": rng.normal(0, 1, (4, 3)), "stress": stress}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms
