"""``mlip-sse properties fit``: evaluate a recipe on a table, fit it to all rows, write model and numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlip_sse.properties.evaluation import Evaluation
    from mlip_sse.properties.fit_report import FitReport
    from mlip_sse.properties.recipes import PropertyRecipe

__all__ = ["command"]


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe of analysis/properties, or the path of one.")],
    table: Annotated[Path, typer.Option("--table", help="The table: .csv or .parquet.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the model and of its evaluation.")],
    test: Annotated[
        Path | None, typer.Option("--test", help="A second table to be asked, in place of the recipe's split.")
    ] = None,
    leaves_out_shared: Annotated[
        bool, typer.Option("--leave-out-shared", help="Leave test materials out that --table holds; else refused.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Evaluate a model on materials it has not seen, then fit it to all; every number with interval and null."""
    from mlip_sse.analysis.results import to_json
    from mlip_sse.dataset.whole_files import write_json_whole
    from mlip_sse.properties.fitting import fit_property
    from mlip_sse.properties.recipes import load_recipe
    from mlip_sse.properties.sources import read_for
    from mlip_sse.report.model_page import write_model_page

    chosen = load_recipe(recipe)
    if test is not None:
        _ask_second_table(chosen, table, test, out, leaves_out_shared, as_json)
        return
    trained, report = fit_property(chosen, read_for(chosen, table), say=lambda line: typer.echo(line, err=True))
    written = trained.write(out)
    write_json_whole(out / "evaluation.json", report.to_dict())
    page = write_model_page(out, trained, report)
    typer.echo(to_json(report.to_dict()) if as_json else _text(report, chosen))
    if not as_json:
        typer.echo("\n".join(f"written: {path}" for path in (*written, out / "evaluation.json", page)))


def _ask_second_table(
    chosen: "PropertyRecipe", table: Path, test: Path, out: Path, leaves_out_shared: bool, as_json: bool
) -> None:
    """Fit to one table, ask another, write model and numbers."""
    from mlip_sse.analysis.results import to_json
    from mlip_sse.dataset.whole_files import write_json_whole
    from mlip_sse.properties.fixed_split import fit_fixed_split
    from mlip_sse.properties.sources import read_for
    from mlip_sse.report.model_page import write_model_page

    trained, found = fit_fixed_split(
        chosen, read_for(chosen, table), read_for(chosen, test), leaves_out_shared=leaves_out_shared
    )
    written = trained.write(out)
    write_json_whole(out / "evaluation.json", found.to_dict())
    page = write_model_page(out, trained, found.as_fit_report(trained.about["feature_names"]))
    head = f"{found.n_train} rows to train on, {found.n_test} asked, {found.n_shared} left out as known to both"
    typer.echo(
        to_json(found.to_dict()) if as_json else "\n".join([head, *_metric_lines(found.evaluation, chosen.n_nulls)])
    )
    if not as_json:
        typer.echo("\n".join(f"written: {path}" for path in (*written, out / "evaluation.json", page)))


def _text(report: "FitReport", chosen: "PropertyRecipe") -> str:
    target, n_nulls = chosen.target, chosen.n_nulls
    learnt = f"log10 of {target.column}" if target.transform == "log10" else target.column
    lines = [
        f"{report.n_rows} rows ({report.n_limits} limits) of {report.n_materials} materials; "
        f"rows without a target: {report.left_out}",
        *([] if report.sample.classifies else [f"errors are of {learnt} ({target.unit or 'no unit'})"]),
        *_metric_lines(report.evaluation, n_nulls),
    ]
    if report.noise:
        lines.append(
            f"repeated measurements of {report.noise['n_materials']:.0f} materials: no model can be better than about "
            f"MAE {report.noise['best_mae']:.2g} ({report.noise['best_mae_low']:.2g} … "
            f"{report.noise['best_mae_high']:.2g}), R² {report.noise['best_r2']:.2g}"
        )
    if report.known is not None:
        lines.append(str(report.known))
    if report.useless:
        lines.append(f"features that say nothing here: {report.useless}")
    return "\n".join(lines)


def _metric_lines(evaluation: "Evaluation", n_nulls: int) -> list[str]:
    lines = [f"{'metric':16} {'value':>8}  {'95 % interval':>17}  {'null':>8}  {'p':>6}  {'baseline':>8}"]
    for name, metric in evaluation.metrics.items():
        null = "" if metric.null is None else f"{metric.null:8.3g}"
        p_value = "" if metric.p_value is None else f"{metric.p_value:6.3f}"
        base = evaluation.baseline.get(name)
        shown = "" if base is None or base != base else f"{base:8.3g}"
        interval = metric.interval(" … ")
        lines.append(f"{name:16} {metric.value:8.3g}  {interval:>17}  {null:>8}  {p_value:>6}  {shown:>8}")
    if n_nulls:
        lines.append(f"with {n_nulls} null{'s' if n_nulls > 1 else ''} p is at least {1 / (1 + n_nulls):.2g}")
    if evaluation.chosen:
        lines.append("chosen: " + ", ".join(f"{name} {count}" for name, count in evaluation.chosen.items()))
    return lines
