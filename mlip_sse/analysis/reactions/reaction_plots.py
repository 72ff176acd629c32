"""Pictures of reactions: the energy along the mixture, against the voltage, and the heat map of a table."""

from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.transport.display.plots import COLOURS, new_figure, styled, write_quality

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlip_sse.analysis.reactions.electrochemistry import PhaseStability
    from mlip_sse.analysis.reactions.interfaces import InterfaceReaction
    from mlip_sse.analysis.reactions.screening import ScreeningTable

__all__ = ["plot_reaction", "plot_screening", "plot_stability"]

_LARGEST_WRITTEN = 14
"""Rows or columns up to which the numbers are written into the map."""


@styled
def plot_reaction(result: "InterfaceReaction") -> "Figure":
    """Draw total and mutual energy against the mixture; the products stand at the strongest reaction."""
    figure, axes = new_figure((5.0, 3.4), 1, 1, {})
    x = [kink.mixing_fraction for kink in result.kinks]
    lines = {
        "total": [1e3 * kink.reaction_energy_ev_atom for kink in result.kinks],
        "mutual": [1e3 * kink.mutual_reaction_energy_ev_atom for kink in result.kinks],
    }
    same = np.allclose(lines["total"], lines["mutual"], atol=0.01)
    axes.plot(x, lines["total"], "o-", color=COLOURS[0], markersize=4, label="total and mutual" if same else "total")
    if not same:
        axes.plot(x, lines["mutual"], "s--", color=COLOURS[4], markersize=3.5, label="mutual")
    axes.axhline(0.0, color="black", linewidth=0.6)
    if result.mixing_fraction is not None and result.reaction_energy_ev_atom.value is not None:
        low = 1e3 * result.reaction_energy_ev_atom.value
        axes.plot([result.mixing_fraction], [low], "*", color=COLOURS[2], markersize=12, zorder=4)
        axes.set_ylim(1.25 * low, -0.12 * low)
        axes.set_xlabel(f"atomic fraction of {result.first.formula}\n{result.equation}")
    else:
        axes.set_ylim(-10.0, 2.0)
        axes.set_xlabel(f"atomic fraction of {result.first.formula}\nno reaction")
    axes.set_ylabel(
        "reaction energy / meV per atom" + (f" without {', '.join(result.open_to)}" if result.open_to else "")
    )
    axes.set_title(f"{result.first.formula} | {result.second.formula}", loc="left")
    axes.set_xlim(-0.02, 1.02)
    axes.legend(loc="lower right" if (result.mixing_fraction or 0.0) < 0.5 else "lower left")
    write_quality(axes, result.verdict)
    return figure


@styled
def plot_stability(result: "PhaseStability") -> "Figure":
    """Draw the decomposition energy against the voltage, the window shaded."""
    figure, axes = new_figure((5.0, 3.2), 1, 1, {})
    finite = [plateau.low_v for plateau in result.profile.plateaus]
    top = max(5.0, max(finite) + 0.3)
    voltages = np.linspace(0.0, top, 1001)
    energies = 1e3 * result.profile.decomposition_energy(voltages)
    axes.plot(voltages, energies, color=COLOURS[0])
    low, high = result.profile.window_v
    axes.axvspan(low, min(high, top), color=COLOURS[1], alpha=0.2, linewidth=0)
    for edge in (low, high):
        if 0.0 < edge < top:
            axes.annotate(f"{edge:.2f} V", (edge, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=8)
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_xlim(0.0, top)
    axes.set_xlabel(f"voltage against {result.ion} / V")
    axes.set_ylabel(f"decomposition energy /\nmeV per atom of {result.formula}")
    axes.set_title(f"{result.formula}: window of {result.window_of}", loc="left")
    write_quality(axes, result.verdict)
    return figure


@styled
def plot_screening(table: "ScreeningTable") -> "Figure":
    """Draw the total reaction energies as a heat map; dark reacts."""
    n_rows, n_columns = table.reaction_energies.shape
    size = (1.8 + max(2.5, 0.42 * n_columns), 1.3 + max(1.2, 0.3 * n_rows))
    figure, axes = new_figure(size, 1, 1, {})
    energies = 1e3 * table.reaction_energies
    deepest = min(-1.0, float(energies.min()))
    image = axes.imshow(energies, cmap="magma", vmin=deepest, vmax=0.0, aspect="auto")
    axes.set_xticks(range(n_columns), table.columns, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n_rows), table.rows)
    axes.tick_params(which="both", length=0)
    axes.minorticks_off()
    if max(n_rows, n_columns) <= _LARGEST_WRITTEN:
        for i in range(n_rows):
            for j in range(n_columns):
                colour = "white" if energies[i, j] < 0.6 * deepest else "black"
                axes.text(j, i, f"{energies[i, j]:.0f}", ha="center", va="center", fontsize=7, color=colour)
    reservoir = ", ".join(f"{element} at Δμ = {mu:g} eV" for element, mu in table.open_to.items())
    figure.colorbar(
        image, ax=axes, label="reaction energy / meV per atom" + (f"\n{reservoir} open" if reservoir else "")
    )
    return figure
