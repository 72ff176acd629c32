"""``mlip-sse properties predict``: ask a model about materials, by table or by formula."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlip_sse.properties.fitting import TrainedModel
    from mlip_sse.properties.table import PropertyTable

__all__ = ["command"]


def command(
    model: Annotated[Path, typer.Argument(help="Folder that 'properties fit' wrote.")],
    materials: Annotated[list[str], typer.Argument(help="A table (.csv, .parquet), or formulas.")],
    out: Annotated[Path, typer.Option("--out", help="Table of the predictions.")] = Path("predictions.csv"),
    confidence: Annotated[float | None, typer.Option("--confidence", help="Of the intervals; as fitted.")] = None,
    outside: Annotated[str, typer.Option("--outside", help="Beyond the domain: widen, or refuse.")] = "widen",
) -> None:
    """Predict materials with intervals, their distance to the training table, and whether it holds them already."""
    from mlip_sse.errors import InputError
    from mlip_sse.properties.answers import missing_line, prediction_table
    from mlip_sse.properties.fitting import read_trained
    from mlip_sse.properties.table_files import write_table

    if outside not in ("widen", "refuse"):
        raise InputError(f"--outside: found {outside!r}, expected widen or refuse")
    trained = read_trained(model)
    asked = _asked(trained, materials)
    table = prediction_table(trained, asked, confidence=confidence, refuses_outside=outside == "refuse")
    written = write_table(table, out)
    if lacking := missing_line(table):
        typer.echo(lacking, err=True)
    n_outside = int(table.numbers("is_outside").sum())
    n_known = int(table.numbers("is_in_training").sum())
    typer.echo(
        f"{table.n_rows} materials: {n_outside} outside of the domain, {n_known} of the training table; {written[0]}"
    )


def _asked(trained: "TrainedModel", materials: list[str]) -> "PropertyTable":
    from mlip_sse.errors import InputError
    from mlip_sse.properties.sources import read_for
    from mlip_sse.properties.table import table_of

    if len(materials) == 1 and Path(materials[0]).suffix in (".csv", ".parquet", ".tsv", ".txt"):
        return read_for(trained.recipe, materials[0])
    recipe = trained.recipe
    polymers = () if recipe.polymers is None else tuple(recipe.polymers.model_dump().values())
    temperature = () if recipe.temperature is None else (recipe.temperature,)
    cell = () if recipe.cell is None else recipe.cell.names
    wanted = tuple(dict.fromkeys((*recipe.feature_columns, *cell, *polymers, *temperature)))
    if wanted:
        raise InputError(
            f"found formulas alone, expected also {', '.join(wanted)}: give a table (.csv) with composition, "
            f"{', '.join(wanted)}; a cell may be empty"
        )
    return table_of({}, {"composition": materials})
