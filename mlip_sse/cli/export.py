"""``mlip-sse export``: LAMMPS files and a deck that runs, after all gates have passed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mlip_sse.cli.fit import share_bar

__all__ = ["command"]


def command(
    potential: Annotated[str, typer.Argument(help="A name in potentials/, or the folder of a potential.")],
    out: Annotated[Path, typer.Option("--out", help="The folder that is made.")],
    structure: Annotated[
        Path | None, typer.Option("--structure", help="A file for gates and deck; else training frames, or a crystal.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", help="A gate to leave out; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Hand a potential to LAMMPS: files and a deck that runs, after all gates have passed."""
    from mlip_sse.potentials import load_potential
    from mlip_sse.potentials.export import DECK_FILE, export

    structures = None
    if structure is not None:
        from mlip_sse.structures import read_structure

        structures = [read_structure(structure)]
    with share_bar("gates") as progress:
        done = export(load_potential(potential), out, structures=structures, skip=skip or (), progress=progress)
    if as_json:
        gates = {name: result.to_dict() for name, result in done.gates.items()}
        plain = {"folder": str(done.folder), "gates": gates, "skipped": list(done.skipped)}
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    lines = [f"gate {result.describe()}" for result in done.gates.values()]
    lines += [f"gate {name}: skipped" for name in done.skipped]
    typer.echo("\n".join([*lines, f"run it: cd {done.folder} && lmp -in {DECK_FILE}"]))
