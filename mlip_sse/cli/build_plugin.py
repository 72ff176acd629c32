"""``mlip-sse build-plugin``: compile the pair styles nequip and allegro for LAMMPS."""

import dataclasses
import json
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Compile even where there is a build.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Compile the LAMMPS pair styles nequip and allegro; lmp finds them from then on."""
    from rich.console import Console

    from mlip_sse.potentials.lammps_plugin.build import build_plugin

    console = Console(stderr=True)
    with console.status("compiling"):
        built = build_plugin(rebuild=rebuild)
    if as_json:
        typer.echo(json.dumps({**dataclasses.asdict(built), "folder": str(built.folder)}, indent=2))
        return
    typer.echo(f"{'built' if built.new else 'already there'}: {built.folder}")
    typer.echo(f"pair styles nequip and allegro for lammps {built.lammps} and torch {built.torch}, by {built.compiler}")
