"""``mlip-sse properties optimize``: ask which mixture to make next, tell what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlip_sse.properties.optimize.study import Study

__all__ = ["command"]


def command(
    state: Annotated[Path, typer.Argument(help="The study: a JSON file, made where there is none.")],
    spec: Annotated[Path | None, typer.Option("--spec", help="YAML of a new study.")] = None,
    tell: Annotated[
        Path | None, typer.Option("--tell", help="Table of measurements: fractions and objectives, a row a mixture.")
    ] = None,
    ask: Annotated[int, typer.Option("--ask", help="How many mixtures to ask for.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Search mixtures for several properties: ask, measure, tell, ask again; the state is one JSON file."""
    from mlip_sse.analysis.results import to_json
    from mlip_sse.errors import InputError
    from mlip_sse.properties.optimize.specs import measured_of, start_study
    from mlip_sse.properties.optimize.study import read_study, write_study
    from mlip_sse.properties.table_files import read_table

    if state.is_file() and spec is not None:
        raise InputError(f"{state}: this study is under way, expected no --spec: leave it out, or name another state")
    if not state.is_file() and spec is None:
        raise InputError(f"{state}: found no study there, expected --spec FILE to begin one")
    study = start_study(spec) if spec is not None else read_study(state)
    remarks: list[str] = []
    if tell is not None:
        for row in measured_of(study, read_table(tell)):
            named = dict(zip((each.name for each in study.objectives), row.values, strict=True))
            study, remark = study.tell(row.fractions, named)
            remarks += [] if remark is None else [remark]
    points: tuple[tuple[float, ...], ...] = ()
    if ask:
        study, points = study.ask(ask)
    write_study(study, state)
    for remark in remarks:
        typer.echo(f"note: {remark}", err=True)
    if as_json:
        front = study.front() if study.told else None
        typer.echo(to_json({"asked": points, "components": study.grid.components, "remarks": remarks, "front": front}))
    else:
        typer.echo("\n".join(_lines(study, points)))


def _lines(study: "Study", points: tuple[tuple[float, ...], ...]) -> list[str]:
    names = study.grid.components
    lines = [f"{len(study.told)} measured, {len(study.asked)} asked for, {len(study.grid)} mixtures in all"]
    if study.told:
        front = study.front()
        lines.append(f"front of {len(front.rows)}, hypervolume {front.hypervolume:.4g}:")
        for row in front.rows:
            measured = study.told[row]
            values = ", ".join(
                f"{each.name} {value:.4g}{' ' + each.unit if each.unit else ''}"
                for each, value in zip(study.objectives, measured.values, strict=True)
            )
            lines.append(f"  {_mixture(names, measured.fractions)}: {values}")
    if points:
        lines.append("measure next:")
        lines += [f"  {_mixture(names, point)}" for point in points]
    return lines


def _mixture(names: tuple[str, ...], fractions: tuple[float, ...]) -> str:
    return ", ".join(f"{name} {fraction:.4g}" for name, fraction in zip(names, fractions, strict=True))
