"""``mlip-sse react``: what two phases in contact react to, how stable one phase is, tables of many."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_sse.cli.reaction_output import reaction_text, write_reaction
from mlip_sse.cli.reaction_sources import ENTRIES_HELP, hull_of

if TYPE_CHECKING:
    from mlip_sse.analysis.reactions import ConvexHull
    from mlip_sse.provenance import InputFile

__all__ = ["command"]


def command(
    first: Annotated[str, typer.Argument(help="The electrolyte, such as Li6PS5Cl; several by commas make a table.")],
    second: Annotated[
        str | None, typer.Argument(help="What touches it; left out: the phase alone and its voltage window.")
    ] = None,
    coatings: Annotated[
        str | None, typer.Argument(help="Layers to try between the two, by commas; 'any': all stable compounds.")
    ] = None,
    entries: Annotated[
        list[str] | None,
        typer.Option("--entries", help=ENTRIES_HELP),
    ] = None,
    open_to: Annotated[
        str | None, typer.Option("--open", help="An element that a reservoir gives and takes, such as Li.")
    ] = None,
    voltage_v: Annotated[float, typer.Option("--voltage", help="Voltage in V against the open metal.")] = 0.0,
    corrections: Annotated[
        str, typer.Option("--corrections", help="as-stored, none, MP2020, legacy or MIT, for all energies.")
    ] = "as-stored",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for JSON, table, pictures and entries used.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say what two phases in contact react to; of one phase, at which voltages it is stable."""
    from mlip_sse.analysis.results import to_json
    from mlip_sse.provenance import InputFile

    rows, columns, layers = (_names(each) for each in (first, second, coatings))
    _require_sense(columns, open_to, voltage_v, rows)
    formulas = [*rows, *columns, *([] if layers == ["any"] else layers)]
    hull = hull_of(entries or [], corrections, formulas, open_to or (None if columns else "Li"))
    result = _answer(hull, rows, columns, layers, open_to, voltage_v)
    files = tuple(InputFile.of(source) for source in entries or [] if Path(source).is_file())
    result = _with_inputs(result, files)
    written = [] if out is None else write_reaction(out, result, hull)
    typer.echo(to_json(result) if as_json else "\n".join([reaction_text(result), *(f"written: {p}" for p in written)]))


def _with_inputs(result: Any, files: "tuple[InputFile, ...]") -> Any:
    if hasattr(result, "bare"):
        return replace(result, bare=_with_inputs(result.bare, files))
    return replace(result, provenance=replace(result.provenance, inputs=files))


def _names(argument: str | None) -> list[str]:
    return [name.strip() for name in (argument or "").split(",") if name.strip()]


def _require_sense(columns: list[str], open_to: str | None, voltage_v: float, rows: list[str]) -> None:
    from mlip_sse.errors import InputError

    if voltage_v != 0.0 and open_to is None:
        raise InputError(f"found a voltage of {voltage_v:g} V without an open element, expected --open Li beside it")
    if not columns and voltage_v != 0.0:
        raise InputError("found --voltage with one phase alone, whose whole profile is shown; leave it out")
    if not columns and len(rows) != 1:
        raise InputError(f"found {len(rows)} phases and nothing that touches them, expected one, or two sides")


def _answer(
    hull: "ConvexHull", rows: list[str], columns: list[str], layers: list[str], open_to: str | None, voltage_v: float
) -> Any:
    from mlip_sse.analysis.reactions import phase_stability, react, reservoir_of, screen, screen_coatings

    reservoirs = reservoir_of(open_to, voltage_v) if open_to else None
    if not columns:
        return phase_stability(hull, rows[0], open_to or "Li")
    if layers:
        return screen_coatings(hull, rows, columns, None if layers == ["any"] else layers, reservoirs)
    if len(rows) > 1 or len(columns) > 1:
        return screen(hull, rows, columns, reservoirs)
    return react(hull, rows[0], columns[0], reservoirs)
