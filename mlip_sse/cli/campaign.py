"""``mlip-sse campaign``: the main job."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_sse.cli.campaign_answers import answer_text, probe_text

if TYPE_CHECKING:
    from mlip_sse.engine import Progress

__all__ = ["command"]


def command(
    spec: Annotated[str, typer.Argument(help="A spec, or a name in md_protocols/campaigns.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="The campaign's folder.", show_default="the spec's name")
    ] = None,
    engine: Annotated[Path | None, typer.Option("--engine", help="An engine.yaml: where the tasks run.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer for machines.")] = False,
) -> None:
    """Learn a potential for a material and answer its question; the same command again goes on."""
    from mlip_sse.campaign.campaign import Campaign
    from mlip_sse.cli.simulate import terminated_like_interrupted
    from mlip_sse.report import write_report

    folder = out if out is not None else Path(Path(spec).stem)
    with terminated_like_interrupted(), _bar() as say:
        campaign = Campaign(spec, folder, engine=engine, say=say)
        answer = campaign.run(after_round=lambda document: _say(_round_line(document)))
    if as_json:
        import json

        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        typer.echo(answer_text(answer))
    report = write_report(campaign.folder.path)
    if not as_json:
        typer.echo(f"The potential lies in {folder / 'potential'}, the report is {report}")


def _round_line(document: dict[str, Any]) -> str:
    """Return what a round did on one line."""
    labels, errors = document["labels"], document["errors"]["force_ev_a"]
    line = f"round {document['number']:2d}: {labels['n_labelled']:3d} labels, {labels['n_total']:4d} in all"
    line += f"; held-out forces {1000 * errors['rmse']:.0f} meV/Å"
    if document["exploration"]:
        whole = sum(segment["ended"] is None for segment in document["exploration"])
        reached = sum(segment["reached_ps"] for segment in document["exploration"])
        line += f"; {whole} of {len(document['exploration'])} runs came to their end, {reached:.1f} ps"
        line += f", {document['selection']['n_candidates']} candidates"
    if document["probe"] is not None and (found := probe_text(document["probe"])):
        line += f"; {found}"
    if document["decision"] is not None and document["decision"]["end"]:
        verb = "the answer stands" if document["decision"]["stop"] else "learning ends"
        line += f"\n          {verb}: {'; '.join(document['decision']['reasons'])}"
    return line


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _bar() -> Iterator[Callable[[str, "Progress"], None]]:
    """Show the step at work on stderr: a bar on a terminal, a line at the end of each step elsewhere."""
    from rich import progress as rich_progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("{task.completed} of {task.total}"),
        rich_progress.TimeElapsedColumn(),
    )
    if not console.is_terminal:
        yield _lines
        return
    with rich_progress.Progress(*columns, console=console, transient=True) as shown:
        bar = shown.add_task("starting", total=1)
        stages = [""]

        def update(stage: str, progress: "Progress") -> None:
            if stage != stages[-1]:
                shown.reset(bar)
                stages.append(stage)
            shown.update(bar, description=stage, completed=progress.n_ended, total=max(1, progress.n_to_do))

        yield update


def _lines(stage: str, progress: "Progress") -> None:
    """Say a step's end, and every tenth part of a long one."""
    step = max(1, progress.n_to_do // 10)
    if progress.n_ended == progress.n_to_do or progress.n_ended % step == 0:
        _say(f"  {stage}: {progress.n_ended} of {progress.n_to_do}")
