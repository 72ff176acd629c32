"""``mlip-sse catalogue``: list the entries, or print one."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mlip_sse.catalogue import FOLDERS, Entry, entries, resolve

__all__ = ["command"]


def command(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(FOLDERS)}; all where it is not given.")] = None,
    name: Annotated[str | None, typer.Argument(help="Print the spec of this entry.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """List what the catalogue holds, or print one entry."""
    if kind is not None and name is not None:
        _show(kind, resolve(kind, name), as_json)
        return
    found = {folder: entries(folder) for folder in ([kind] if kind is not None else FOLDERS)}
    if as_json:
        listed = {folder: [_facts(entry) for entry in group] for folder, group in found.items()}
        typer.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    for folder, group in found.items():
        typer.echo(f"{folder}/" if group else f"{folder}/  (nothing yet)")
        width = max((len(entry.name) for entry in group), default=0)
        for entry in group:
            typer.echo(f"  {entry.name:{width}}  {_facts(entry)['description']}")


def _show(kind: str, path: Path, as_json: bool) -> None:
    if not as_json:
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    from mlip_sse.specs import load_spec

    spec = load_spec(path, kind).model_dump(mode="json")
    typer.echo(json.dumps({"kind": kind, "path": str(path), "spec": spec}, indent=2, ensure_ascii=False))


def _facts(entry: Entry) -> dict[str, str]:
    from mlip_sse.specs import read_yaml

    spec = read_yaml(entry.path)
    description = spec.get("description", "") if isinstance(spec, dict) else ""
    return {"name": entry.name, "description": str(description), "path": str(entry.path)}
