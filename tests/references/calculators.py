"""Calculators that do what a code does on a bad day; which one, the structure's elements say."""

import os
import signal
import time

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class Moody(EMT):
    """EMT for copper; fails with Ag, hangs with Au, gives NaN with Pt, crashes with Pd, explodes with Ni."""

    def __init__(self, started="", **settings):
        super().__init__(**settings)
        self.started = started

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        symbols = set(atoms.get_chemical_symbols())
        if self.started:
            with open(self.started, "a") as stream:
                stream.write(f"{atoms.get_chemical_formula()}\n")
        if "Ag" in symbols:
            raise RuntimeError("the silver\nbullet")
        if "Au" in symbols:
            time.sleep(600)
        if "Pd" in symbols:
            os.kill(os.getpid(), signal.SIGSEGV)
        super().calculate(atoms, properties, system_changes)
        print("computed", atoms.get_chemical_formula())
        if "Pt" in symbols:
            self.results["forces"] = np.full((len(atoms), 3), np.nan)
        if "Ni" in symbols:
            self.results["forces"] = self.results["forces"] + 1000.0
        if "Al" in symbols:
            self.results["stress"] = np.array([-2.0, -2.0, -2.0, 0, 0, 0])


class Stressless(Calculator):
    """Energy and forces only."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 1.0, "forces": np.zeros((len(atoms), 3))}


class NotACalculator:
    """Something else that can be imported."""
