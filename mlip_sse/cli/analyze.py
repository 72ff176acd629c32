"""``mlip-sse analyze``: trajectories in, numbers with intervals out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mlip_sse.analysis.analysis_report import AnalysisReport
    from mlip_sse.analysis.analyze import Progress
    from mlip_sse.analysis.finding_report import FindingReport

__all__ = ["command"]


def command(
    recipe: Annotated[str, typer.Argument(help="A name that `catalogue analysis` lists, or the path of a recipe.")],
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
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for JSON, CSV, plots and an interactive page.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other key of the recipe: reference=barycentric, charges=Li=1,S=-2, species=1=Li,2=S (types).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Measure transport, sites and jumps, concerted motion, structure or softness in trajectories."""
    from mlip_sse.analysis.analyze import analyze
    from mlip_sse.analysis.recipes import load_recipe

    named = None if mobile is None else [name.strip() for part in mobile for name in part.split(",")]
    chosen = load_recipe(recipe, **{**_settings(settings or []), **({} if named is None else {"mobile": named})})
    with _bar(quiet=as_json) as progress:
        report = analyze(
            chosen, files, temperatures_k=temperature, frame_spacing_fs=frame_spacing_fs, progress=progress
        )
    written = [] if out is None else report.save(out)
    if as_json:
        typer.echo(report.to_json())
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    for part in _renderables(report, console.width):
        console.print(part)
    for path in written:
        typer.echo(f"wrote {path}")


def _renderables(report: "AnalysisReport | FindingReport", width: int) -> "list[RenderableType]":
    from mlip_sse.analysis.finding_report import FindingReport

    if isinstance(report, FindingReport):
        from mlip_sse.analysis.finding_display import finding_renderables

        return finding_renderables(report)
    from mlip_sse.analysis.transport.display.tables import report_renderables

    return report_renderables(report, width)


def _settings(given: list[str]) -> dict[str, Any]:
    """Return keys of a recipe from ``key=value`` texts; ``a=1,b=2`` is a mapping, anything else YAML."""
    import yaml

    settings: dict[str, Any] = {}
    for text in given:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not (key and sign and value):
            raise InputError(f"--set: found {text!r}, expected KEY=VALUE such as reference=barycentric")
        if key in settings:
            raise InputError(f"--set: the key {key!r} is given twice")
        try:
            settings[key] = _pairs(text, value) if "=" in value else yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set: found {text!r}, whose value is not YAML") from error
    return settings


def _pairs(text: str, value: str) -> dict[Any, Any]:
    import yaml

    pairs: dict[Any, Any] = {}
    for part in value.split(","):
        name, sign, item = (piece.strip() for piece in part.partition("="))
        if not (name and sign and item) or name in pairs:
            raise InputError(f"--set: found {text!r}, expected pairs such as charges=Li=1,S=-2, each name once")
        pairs[int(name) if name.isdecimal() else name] = yaml.safe_load(item)
    return pairs


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
