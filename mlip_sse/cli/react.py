"""``mlip-sse react``: what two phases in contact react to, how stable one phase is, tables of many."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mlip_sse.analysis.reactions import ConvexHull, InterfaceReaction, PhaseStability
    from mlip_sse.analysis.results import Interval

__all__ = ["command"]


def command(
    first: Annotated[str, typer.Argument(help="The electrolyte: a formula such as Li6PS5Cl.")],
    second: Annotated[
        str | None, typer.Argument(help="What touches it; left out: the phase alone and its voltage window.")
    ] = None,
    entries: Annotated[
        list[str] | None,
        typer.Option("--entries", help="JSON of entries, or a folder of vasprun.xml; may be given again."),
    ] = None,
    open_to: Annotated[
        str | None, typer.Option("--open", help="An element that a reservoir gives and takes, such as Li.")
    ] = None,
    voltage_v: Annotated[float, typer.Option("--voltage", help="Voltage in V against the metal of --open.")] = 0.0,
    corrections: Annotated[
        str, typer.Option("--corrections", help="as-stored, none, MP2020, legacy or MIT, for all energies.")
    ] = "as-stored",
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say what two phases in contact react to; of one phase, at which voltages it is stable."""
    from mlip_sse.analysis.reactions import phase_stability, react, reservoir_of
    from mlip_sse.analysis.results import to_json
    from mlip_sse.errors import InputError
    from mlip_sse.provenance import InputFile, Provenance

    if voltage_v != 0.0 and open_to is None:
        raise InputError(f"found a voltage of {voltage_v:g} V without an open element, expected --open Li beside it")
    if second is None and voltage_v != 0.0:
        raise InputError("found --voltage with one phase alone, whose whole profile is shown; leave it out")
    hull = _hull(entries or [], corrections, [first, *([second] if second else [])], open_to)
    result: Any
    if second is None:
        result = phase_stability(hull, first, open_to or "Li")
    else:
        result = react(hull, first, second, reservoir_of(open_to, voltage_v) if open_to else None)
    files = tuple(InputFile.of(source) for source in entries or [] if Path(source).is_file())
    result = replace(result, provenance=Provenance(inputs=files, settings={"corrections": corrections}))
    if as_json:
        typer.echo(to_json(result))
    else:
        typer.echo(_stability_text(result) if second is None else _reaction_text(result))


def _hull(sources: list[str], corrections: str, formulas: list[str], open_to: str | None) -> "ConvexHull":
    """Read all sources and keep what the elements of the question can make."""
    from mlip_sse.analysis.reactions import ConvexHull, read_formula, read_phases
    from mlip_sse.errors import InputError

    if not sources:
        raise InputError("found no --entries, expected a JSON of entries or a folder of vasprun.xml files")
    phases = read_phases(sources[0], corrections)
    for source in sources[1:]:
        phases = phases.joined(read_phases(source, corrections))
    elements = {element for formula in formulas for element in read_formula(formula)}
    elements |= {open_to or "Li"} if open_to or len(formulas) == 1 else set()
    return ConvexHull(phases.within(elements))


def _reaction_text(result: "InterfaceReaction") -> str:
    mixing = (
        "" if result.mixing_fraction is None else f" at {result.mixing_fraction:.3f} {result.first.formula} by atoms"
    )
    lines = [
        f"{result.first.formula} | {result.second.formula}, energies {result.normalisation}",
        *(
            f"  {each.formula}: {each.entry or 'no entry, its decomposition stands for it'}, "
            f"{1e3 * each.energy_above_hull_ev_atom:.1f} meV/atom above the hull"
            for each in (result.first, result.second)
        ),
        *(f"  {element} open: Δμ = {mu:g} eV" for element, mu in result.open_to.items()),
        f"reaction energy: {_number(result.reaction_energy_ev_atom)} eV/atom{mixing}",
        f"mutual part:     {_number(result.mutual_reaction_energy_ev_atom)} eV/atom",
        f"{result.equation}",
        "",
        "x        total   mutual  reaction (energies in eV/atom)",
        *(
            f"{kink.mixing_fraction:.3f} {kink.reaction_energy_ev_atom:8.4f} "
            f"{kink.mutual_reaction_energy_ev_atom:8.4f}  {kink.equation}"
            for kink in result.kinks
        ),
        "",
    ]
    return "\n".join([*lines, *_state_lines(result)])


def _stability_text(result: "PhaseStability") -> str:
    lines = [
        f"{result.formula}: {result.entry or 'no entry'}, "
        f"{_number(result.energy_above_hull_ev_atom)} eV/atom above the hull",
        f"decomposition: {result.decomposition}",
        f"voltage window of {result.window_of}: {_number(result.reduction_limit_v)} to "
        f"{_number(result.oxidation_limit_v)} V against {result.ion}",
        "",
        "voltage / V    energy     reaction (energy at the lower voltage, eV per atom of the phase)",
    ]
    for each in result.profile.plateaus:
        energy = float(result.profile.decomposition_energy(each.low_v)[0])
        lines.append(f"{each.low_v:.3f} - {each.high_v:5.3f} {energy + 0.0:9.4f}   {each.equation}")
    return "\n".join([*lines, "", *_state_lines(result)])


def _number(interval: "Interval") -> str:
    value = float("nan") if interval.value is None else interval.value
    bounds = " (no interval)" if interval.low != interval.low else f" [{interval.low:.4f}, {interval.high:.4f}]"
    return f"{value:.4f}{bounds}"


def _state_lines(result: "InterfaceReaction | PhaseStability") -> list[str]:
    return [
        f"energies: {result.corrections} corrections; {', '.join(result.sources)}",
        f"quality: {result.verdict.quality}",
        *(f"  {reason}" for reason in result.verdict.reasons),
    ]
