"""``mlip-sse properties explain``: what drives the model of a recipe, with intervals and nulls."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mlip_sse.properties.explain.resampling import Score

__all__ = ["command"]

_METHODS = ("permutation", "shap", "vip", "elimination")


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe of analysis/properties, or the path of one.")],
    table: Annotated[Path, typer.Option("--table", help="The table: .csv or .parquet.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for numbers and pictures.")],
    methods: Annotated[
        list[str] | None, typer.Option("--method", help="permutation, shap, vip, elimination; each may be given.")
    ] = None,
    nulls: Annotated[int, typer.Option("--nulls", help="Models of dealt targets.")] = 10,
    alike: Annotated[
        float, typer.Option("--alike", help="Correlation from which features are permuted together.")
    ] = 0.9,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say what drives a model: permutation importance, Shapley values, VIP, recursive feature elimination."""
    from mlip_sse.analysis.results import to_json, to_plain
    from mlip_sse.dataset.whole_files import write_json_whole
    from mlip_sse.errors import InputError, did_you_mean
    from mlip_sse.properties.explain.explanation import explain_recipe
    from mlip_sse.properties.recipes import load_recipe
    from mlip_sse.properties.sources import read_for

    chosen = tuple(methods or ("permutation", "shap"))
    for method in chosen:
        if method not in _METHODS:
            raise InputError(
                f"--method: found {method!r}, expected {', '.join(_METHODS)}{did_you_mean(method, _METHODS)}"
            )
    asked = load_recipe(recipe)
    out.mkdir(parents=True, exist_ok=True)
    found = explain_recipe(asked, read_for(asked, table), chosen, n_nulls=nulls, alike=alike, pictures=out)
    plain: dict[str, Any] = to_plain(found)
    write_json_whole(out / "explanation.json", plain)
    typer.echo(to_json(plain) if as_json else "\n".join([*_lines(found), f"written: {out / 'explanation.json'}"]))


def _lines(found: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for method in ("permutation", "shap", "vip"):
        if method in found:
            lines += [f"{method}:", *_rows(found[method][:10])]
    if "elimination" in found:
        made = found["elimination"]
        lines += ["elimination, error by size:", *_rows([*made.errors, made.chosen])]
        lines.append("sizes chosen: " + ", ".join(f"{size} ({n})" for size, n in made.chosen_sizes.items()))
        lines.append(
            f"among the last {made.kept_of}: " + ", ".join(f"{k} {v:.0%}" for k, v in list(made.kept.items())[:8])
        )
    return lines


def _rows(scores: Sequence["Score"]) -> list[str]:
    rows = [f"  {'':44} {'value':>8}  {'95 % interval':>19}  {'null':>8}  {'p':>5}"]
    for each in scores:
        null = "" if each.null is None else f"{each.null:8.3g}"
        p_value = "" if each.p_value is None else f"{each.p_value:5.2f}"
        interval = f"{each.low:.3g} … {each.high:.3g}"
        rows.append(f"  {each.name[:44]:44} {each.value:8.3g}  {interval:>19}  {null:>8}  {p_value:>5}")
    return rows
