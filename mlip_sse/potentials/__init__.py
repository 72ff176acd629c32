"""Interatomic potentials behind one contract: an ASE calculator, LAMMPS pair-style lines and a card."""

from mlip_sse.potentials.contract import Card, LammpsInput, Potential, load_potential

__all__ = ["Card", "LammpsInput", "Potential", "load_potential"]
