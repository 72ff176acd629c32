"""``mlip-sse combine``: join experts into one potential without their frames."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mlip_sse.cli.fit import card_lines

__all__ = ["command"]


def command(
    potentials: Annotated[list[str], typer.Argument(help="Names in potentials/ or folders, two or more.")],
    out: Annotated[Path, typer.Option("--out", help="The folder of the combined potential.")],
    validation: Annotated[
        list[Path] | None,
        typer.Option("--validation", help="A dataset that no expert was trained on, for errors and uncertainty."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card for machines.")] = False,
) -> None:
    """Join experts into one potential, without their frames."""
    from mlip_sse.dataset import Dataset
    from mlip_sse.potentials import load_potential
    from mlip_sse.potentials.combining import combine

    frames = [frame for path in validation or () for frame in Dataset(path)]
    joined = combine([load_potential(each) for each in potentials], out, validation=frames)
    if as_json:
        plain = {"potential": str(out), "card": joined.card.to_dict()}
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    typer.echo("\n".join([*card_lines(joined.card), f"potential: {out}"]))
