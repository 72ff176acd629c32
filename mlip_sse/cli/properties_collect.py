"""``mlip-sse properties collect``: one table of campaigns, analyses and what others measured."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]

_MOST_LINES = 20


def command(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders of campaigns, analyses, simulations and reactions; FORMULA=FOLDER where none says it."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The table: .csv or .parquet.")] = Path("properties.csv"),
    experiments: Annotated[
        Path | None, typer.Option("--experiments", help="A table of experiments: joined by composition and structure.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="Recipe that says what that table's columns mean.")
    ] = None,
    window_ps: Annotated[
        float | None,
        typer.Option(
            "--window-ps",
            help="A row a trajectory that the folders name: what its first picoseconds say, and D of what follows.",
        ),
    ] = None,
) -> None:
    """Collect results into one table, with units, intervals and where each number came from."""
    from mlip_sse.errors import InputError
    from mlip_sse.properties.collect import collect
    from mlip_sse.properties.recipes import load_recipe
    from mlip_sse.properties.sources import joined, read_for
    from mlip_sse.properties.table_files import read_table, write_table
    from mlip_sse.properties.window_rows import extrapolation_error, window_table

    pairs = [each.split("=", 1) if "=" in each else ["", each] for each in folders or []]
    foreign = None
    if experiments is not None:
        foreign = read_table(experiments) if recipe is None else read_for(load_recipe(recipe), experiments)
    if pairs:
        left_out: list[str] = []
        named = {folder: formula for formula, folder in pairs if formula}
        paths = [folder for _, folder in pairs]
        if window_ps is None:
            table = collect(paths, named, say=left_out.append)
        else:
            table = window_table(paths, window_ps, named, say=left_out.append)
        for line in [*left_out[:_MOST_LINES], f"and {len(left_out) - _MOST_LINES} more"][: len(left_out)]:
            typer.echo(f"left out: {line}", err=True)
        table = table if foreign is None else joined(table, foreign)
    elif foreign is not None and window_ps is None:
        table = foreign
    else:
        raise InputError("found neither folders nor --experiments, expected something to collect")
    written = write_table(table, out)
    typer.echo(f"{table.n_rows} rows, {len(table.columns)} columns: {', '.join(map(str, written))}")
    plain = None if window_ps is None else extrapolation_error(table)
    if plain is not None:
        ends = f" ({plain.low:.3f} to {plain.high:.3f})" if plain.n_materials > 1 else ""
        runs = "1 run" if plain.n_runs == 1 else f"{plain.n_runs} runs"
        materials = "1 material" if plain.n_materials == 1 else f"{plain.n_materials} materials"
        typer.echo(
            f"the extrapolation alone errs by {plain.error:.3f} decades{ends} on {runs} of {materials}: what a model "
            f"has to beat"
        )
