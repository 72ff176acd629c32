"""``mlip-sse analyze``: trajectories in, transport with intervals out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.analysis.analyze import Progress

__all__ = ["command"]


def command(
    recipe: Annotated[str, typer.Argument(help="transport, arrhenius, or the path of a recipe.")],
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Trajectories; for arrhenius also .json of earlier runs or .csv of D(T)."
        ),
    ],
    mobile: Annotated[
        list[str] | None, typer.Option("--mobile", help="Mobile species, such as Li; repeat it, or Li,Cl, for several.")
    ] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option("--temperature", help="Temperature in K, once for each trajectory, in their order."),
    ] = None,
    frame_spacing_fs: Annotated[
        float | None, typer.Option("--frame-spacing-fs", help="Time between frames in fs, where the files do not say.")
    ] = None,
    species: Annotated[
        str | None,
        typer.Option("--species", help="For files without elements: 1=Li,2=Cl, or a structure file of the same atoms."),
    ] = None,
    charges: Annotated[
        str | None, typer.Option("--charges", help="Charges in e, Li=1,S=-2; oxidation states if not given.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Held at rest: framework, barycentric, none or species:P,S.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for JSON, CSV, plots and an interactive page.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Measure ionic transport in trajectories: diffusion, conductivity, Haven ratio, activation energy."""
    from mlip_sse.analysis.analyze import analyze

    with _bar(quiet=as_json) as progress:
        report = analyze(
            recipe,
            files,
            mobile=None if mobile is None else [name for part in mobile for name in part.split(",")],
            temperatures_k=temperature,
            frame_spacing_fs=frame_spacing_fs,
            charges=None if charges is None else _charges(charges),
            reference=reference,
            progress=progress,
            **_naming(species),
        )
    written = [] if out is None else report.save(out)
    if as_json:
        typer.echo(report.to_json())
        return
    from rich.console import Console

    from mlip_sse.analysis.transport.tables import report_renderables

    console = Console(highlight=False, soft_wrap=False)
    for part in report_renderables(report, console.width):
        console.print(part)
    for path in written:
        typer.echo(f"wrote {path}")


def _pairs(option: str, text: str, example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not (name and sign and value) or name in pairs:
            raise InputError(f"--{option}: found {text!r}, expected pairs such as {example}, each name once")
        pairs[name] = value
    return pairs


def _charges(text: str) -> dict[str, float]:
    charges = {}
    for symbol, value in _pairs("charges", text, "Li=1,S=-2").items():
        try:
            charges[symbol] = float(value)
        except ValueError as error:
            raise InputError(f"--charges: {symbol} has {value!r}, expected a number of elementary charges") from error
    return charges


def _naming(text: str | None) -> dict[str, Any]:
    """Return which options of `analyze` the text of ``--species`` stands for."""
    if text is None:
        return {}
    if Path(text).is_file():
        return {"topology": text}
    if "=" not in text:
        raise InputError(f"--species: found {text!r}, expected 1=Li,2=Cl or the path of a structure file")
    pairs = _pairs("species", text, "1=Li,2=Cl")
    return {"species": {int(name) if name.isdecimal() else name: symbol for name, symbol in pairs.items()}}


@contextmanager
def _bar(quiet: bool) -> Iterator["Callable[[Progress], None] | None"]:
    """Show a bar over the files on stderr, where that is a terminal."""
    if quiet:
        yield None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:  # without a terminal it would write empty lines
        yield None
        return
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
    )
    with rich_progress.Progress(*columns, console=console, transient=True, redirect_stdout=False) as shown:
        task = shown.add_task("analysing", total=None)

        def update(state: "Progress") -> None:
            shown.update(task, completed=state.done, total=state.total, description=f"analysing {state.doing}")

        yield update
