"""``mlip-sse properties screen``: enumerate a family, send it through filters and models, list what is left."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlip_sse.properties.screen.funnel import Funnel

__all__ = ["command"]

_MOST_REASONS = 4


def command(
    spec: Annotated[Path, typer.Argument(help="YAML of the screen: family, sites, stages.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for counts, candidates, structures and campaigns.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Screen a structure family: how many pass each stage, why the others fail, and a list for campaigns."""
    from mlip_sse.analysis.results import to_json
    from mlip_sse.properties.screen.funnel import write_funnel
    from mlip_sse.properties.screen.specs import load_screen, run_screen

    screen = load_screen(spec)
    funnel, chosen = run_screen(screen, spec.parent)
    written = write_funnel(funnel, out, chosen, screen.campaign)
    if as_json:
        formulas = [funnel.candidates[row].formula for row in chosen]
        typer.echo(to_json({"stages": funnel.counts, "chosen": formulas, "written": [str(path) for path in written]}))
    else:
        typer.echo("\n".join([*_lines(funnel, chosen), f"written: {out}"]))


def _lines(funnel: "Funnel", chosen: tuple[int, ...]) -> list[str]:
    lines = [f"{len(funnel.candidates)} candidates"]
    for count in funnel.counts:
        lines.append(f"{count.name}: {count.n_passed} of {count.n_in} passed")
        shown = list(count.reasons.items())[:_MOST_REASONS]
        lines += [f"  {number:6d} {reason}" for reason, number in shown]
        if len(count.reasons) > len(shown):
            lines.append(f"  and {len(count.reasons) - len(shown)} more reasons")
    lines.append(f"{len(funnel.passed)} passed all; the first {len(chosen)}:")
    return lines + [f"  {funnel.candidates[row].formula}  ({funnel.candidates[row].name})" for row in chosen]
