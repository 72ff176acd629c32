"""What ``mlip-sse react`` prints and writes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.analysis.reactions import (
        CoatingScreen,
        ConvexHull,
        InterfaceReaction,
        PhaseStability,
        ScreeningTable,
    )
    from mlip_sse.analysis.results import Interval, Verdict

__all__ = ["reaction_text", "write_reaction"]

_SHOWN_COATINGS = 5


def reaction_text(result: Any) -> str:
    """Return a result of any of the four kinds for people."""
    from mlip_sse.analysis.reactions import CoatingScreen, InterfaceReaction, PhaseStability

    if isinstance(result, InterfaceReaction):
        lines = [*_reaction_lines(result), "", *_state_lines(result.corrections, result.sources, result.verdict)]
    elif isinstance(result, PhaseStability):
        lines = [*_stability_lines(result), "", *_state_lines(result.corrections, result.sources, result.verdict)]
    elif isinstance(result, CoatingScreen):
        lines = [*_coating_lines(result), "", *_state_lines(result.bare.corrections, (), result.verdict)]
    else:
        lines = [*_table_lines(result), "", *_state_lines(result.corrections, (), result.verdict)]
    return "\n".join(lines)


def write_reaction(folder: Path, result: Any, hull: "ConvexHull") -> list[Path]:
    """Write the JSON, the entries that were used, a picture, and of tables a CSV."""
    from mlip_sse.analysis.reactions import CoatingScreen, InterfaceReaction, PhaseStability, write_entries
    from mlip_sse.analysis.reactions.reaction_plots import plot_reaction, plot_screening, plot_stability
    from mlip_sse.analysis.report_files import made_folder, put_in_place, write_figure, write_text
    from mlip_sse.analysis.results import to_json

    folder = made_folder(folder)
    written = [write_text(folder / "reaction.json", to_json(result) + "\n")]
    written.append(put_in_place(folder / "entries.json", lambda path: write_entries(path, hull.phase_set)))
    if isinstance(result, InterfaceReaction):
        return [*written, *write_figure(folder / "reaction", plot_reaction(result))]
    if isinstance(result, PhaseStability):
        return [*written, *write_figure(folder / "stability", plot_stability(result))]
    table = result.bare if isinstance(result, CoatingScreen) else result
    written.append(write_text(folder / "table.csv", table.to_csv()))
    return [*written, *write_figure(folder / "table", plot_screening(table))]


def _reaction_lines(result: "InterfaceReaction") -> list[str]:
    mixing = (
        "" if result.mixing_fraction is None else f" at {result.mixing_fraction:.3f} {result.first.formula} by atoms"
    )
    return [
        f"{result.first.formula} | {result.second.formula}, energies {result.normalisation}",
        *(
            f"  {each.formula}: {each.entry or 'no entry, its decomposition stands for it'}, "
            f"{1e3 * each.energy_above_hull_ev_atom:.1f} meV/atom above the hull"
            for each in (result.first, result.second)
        ),
        *(f"  {element} open: Δμ = {mu:g} eV" for element, mu in result.open_to.items()),
        f"reaction energy: {_number(result.reaction_energy_ev_atom)} eV/atom{mixing}",
        f"mutual part:     {_number(result.mutual_reaction_energy_ev_atom)} eV/atom",
        result.equation,
        "",
        "    x    total   mutual  reaction (energies in eV/atom)",
        *(
            f"{kink.mixing_fraction:.3f} {kink.reaction_energy_ev_atom:8.4f} "
            f"{kink.mutual_reaction_energy_ev_atom:8.4f}  {kink.equation}"
            for kink in result.kinks
        ),
    ]


def _stability_lines(result: "PhaseStability") -> list[str]:
    above = _number(result.energy_above_hull_ev_atom)
    lines = [
        f"{result.formula}: {result.entry or 'no entry'}, {above} eV/atom above the hull",
        f"decomposition: {result.decomposition}",
        f"voltage window of {result.window_of}: {_number(result.reduction_limit_v)} to "
        f"{_number(result.oxidation_limit_v)} V against {result.ion}",
        "",
        "  voltage / V    energy  reaction (energy at the lower voltage, eV per atom of the phase)",
    ]
    for each in result.profile.plateaus:
        energy = round(float(result.profile.decomposition_energy(each.low_v)[0]), 9)
        lines.append(f"{each.low_v:5.3f} - {each.high_v:5.3f} {energy + 0.0:9.4f}  {each.equation}")
    return lines


def _table_lines(table: "ScreeningTable") -> list[str]:
    width = max(len(name) for name in table.rows)
    widths = [max(len(name), 6) for name in table.columns]
    lines = [f"total reaction energies, meV {table.normalisation}"]
    lines += [f"  {element} open: Δμ = {mu:g} eV" for element, mu in table.open_to.items()]
    lines.append(" ".join([" " * width, *(f"{n:>{w}}" for n, w in zip(table.columns, widths, strict=True))]))
    for name, energies in zip(table.rows, table.reaction_energies, strict=True):
        cells = (f"{1e3 * energy:{w}.0f}" for energy, w in zip(energies, widths, strict=True))
        lines.append(" ".join([f"{name:<{width}}", *cells]))
    return lines


def _coating_lines(result: "CoatingScreen") -> list[str]:
    lines = _table_lines(result.bare)
    for (row, column), buffers in result.buffers.items():
        lines += ["", f"{row} | coating | {column}: {len(buffers)} are better than the bare interface"]
        lines += [
            f"  {each.formula:<14} {1e3 * each.toward_first_ev_atom:6.0f} toward {row}, "
            f"{1e3 * each.toward_second_ev_atom:.0f} toward {column}"
            for each in buffers[:_SHOWN_COATINGS]
        ]
    return lines


def _number(interval: "Interval") -> str:
    value = float("nan") if interval.value is None else interval.value
    bounds = " (no interval)" if interval.low != interval.low else f" [{interval.low:.4f}, {interval.high:.4f}]"
    return f"{value:.4f}{bounds}"


def _state_lines(corrections: str, sources: tuple[str, ...], verdict: "Verdict") -> list[str]:
    return [
        f"energies: corrections {corrections}" + "".join(f"; {source}" for source in sources),
        f"quality: {verdict.quality}",
        *(f"  {reason}" for reason in verdict.reasons),
    ]
