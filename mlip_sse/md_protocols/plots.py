"""Figures of what protocols found."""

from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.units import EV_PER_A3_TO_GPA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlip_sse.md_protocols.equation_of_state import EquationOfState

__all__ = ["plot_equation_of_state"]


def plot_equation_of_state(result: "EquationOfState") -> "Figure":
    """Draw energies and pressures over volumes with the fit to the energies, as a matplotlib figure."""
    from matplotlib.figure import Figure

    n_atoms = result.n_atoms
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    volumes = result.volumes / n_atoms
    lowest = result.energies.min() / n_atoms if len(volumes) else 0.0
    left.plot(volumes, (result.energies / n_atoms - lowest) * 1000, "o", label="relaxed")
    right.plot(volumes, result.pressures_gpa, "o", label="from stress")
    if result.fit is not None:
        fine = np.linspace(result.volumes.min(), result.volumes.max(), 200)
        left.plot(fine / n_atoms, (result.fit.energies(fine) / n_atoms - lowest) * 1000, "-", label="fit")
        right.plot(fine / n_atoms, result.fit.pressures(fine) * EV_PER_A3_TO_GPA, "-", label="fit to energies")
    left.set(xlabel="volume (Å³/atom)", ylabel="energy (meV/atom)")
    right.set(xlabel="volume (Å³/atom)", ylabel="pressure (GPa)")
    left.legend()
    right.legend()
    return figure
