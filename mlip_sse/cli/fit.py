"""``mlip-sse fit``: fit a potential, measure it, and put it into a folder with its card."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mlip_sse.potentials.contract import Card

__all__ = ["card_lines", "command", "share_bar"]


def command(
    recipe: Annotated[str, typer.Argument(help="A name in potentials/, or the path of a recipe.")],
    datasets: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Datasets, or labelled files such as vasprun.xml and extxyz; none: the recipe says what to label."
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", help="How the labels in files were made, as in 'PBE, 520 eV'.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Output folder; the recipe's name where it is not given.")
    ] = None,
    gates: Annotated[
        str, typer.Option("--gates", help="cheap, all (with molecular dynamics), none, or names joined by commas.")
    ] = "cheap",
    as_json: Annotated[bool, typer.Option("--json", help="Print the card for machines.")] = False,
) -> None:
    """Fit a potential to labelled frames; the same command again repeats nothing that was done."""
    from mlip_sse.potentials.fitting import POTENTIAL_FOLDER, fit
    from mlip_sse.potentials.gates import CHEAP_GATES, GATES

    named = {"cheap": CHEAP_GATES, "all": tuple(GATES), "none": ()}
    wanted = named.get(gates) or tuple(name.strip() for name in gates.split(",") if gates != "none")
    folder = out if out is not None else Path(_name(recipe))
    with share_bar("fitting") as progress:
        potential = fit(
            recipe, list(datasets) if datasets else None, folder, labels=labels, gates=wanted, progress=progress
        )
    if as_json:
        plain = {"potential": str(folder / POTENTIAL_FOLDER), "card": potential.card.to_dict()}
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    typer.echo("\n".join([*card_lines(potential.card), f"potential: {folder / POTENTIAL_FOLDER}"]))


def _name(recipe: str) -> str:
    path = Path(recipe)
    return path.resolve().parent.name if path.name == "potential.yaml" else path.stem


def card_lines(card: "Card") -> list[str]:
    """Return what a card says of errors, uncertainty and gates, for a reader."""
    from mlip_sse.potentials.gates import GateResult

    lines = [f"{card.name} ({card.family}): {', '.join(card.elements)}"]
    if card.errors:
        lines.append(f"{'':>10} {'frames':>6} {'E MAE':>9} {'F MAE':>7} {'F RMSE':>7} {'stress MAE':>10}")
        lines.append(f"{'':>10} {'':>6} {'meV/atom':>9} {'meV/Å':>7} {'meV/Å':>7} {'GPa':>10}")
    for name, errors in card.errors.items():
        energy, force, stress = errors["energy_ev_atom"], errors["force_ev_a"], errors["stress_gpa"]
        shown = "" if stress is None else f"{stress['mae']:.3f}"
        lines.append(
            f"{name:>10} {errors['n_frames']:6d} {1e3 * energy['mae']:9.2f} {1e3 * force['mae']:7.1f} "
            f"{1e3 * force['rmse']:7.1f} {shown:>10}"
        )
    lines += _uncertainty_lines(card.uncertainty)
    lines += [f"gate {GateResult(**plain).describe()}" for plain in card.gates.values()]
    return lines


def _uncertainty_lines(uncertainty: Any) -> list[str]:
    if "conformal" not in uncertainty:
        return [f"uncertainty: {uncertainty['notes']}"] if "notes" in uncertainty else []
    wanted = 100 * uncertainty["conformal"]["coverage"]
    lines = [f"uncertainty: {note}" for note in uncertainty["conformal"]["notes"]]
    if "coverage_on_test" in uncertainty:
        share = uncertainty["coverage_on_test"]["overall"]
        lines.insert(
            0,
            f"uncertainty: the {wanted:g} % bound on force errors covers {100 * share['share']:.1f} % "
            f"({100 * share['low']:.1f} to {100 * share['high']:.1f}) of the test atoms",
        )
    return lines


@contextmanager
def share_bar(title: str) -> Iterator[Callable[[float, str], None]]:
    """Show a bar on stderr that takes a share in [0, 1] and a line."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=1.0)
        yield lambda share, line: shown.update(task, completed=share, description=line)
