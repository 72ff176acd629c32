"""``mlip-sse doctor``: is this machine ready."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    engine: Annotated[Path | None, typer.Option("--engine", help="An engine.yaml whose lanes are tried.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say whether this machine has what mlip-sse needs."""
    from mlip_sse.readiness import check_machine

    checks = check_machine(engine)
    ready = all(check.ok for check in checks if check.required)
    if as_json:
        found = [dataclasses.asdict(check) for check in checks]
        typer.echo(json.dumps({"ready": ready, "checks": found}, indent=2, ensure_ascii=False))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            state = "ok" if check.ok else "MISSING" if check.required else "absent"
            advice = f"; {check.advice}" if check.advice and not check.ok else ""
            typer.echo(f"{check.name:{width}}  {state:7}  {check.found}{advice}")
        typer.echo("ready" if ready else "not ready: something required is missing")
    if not ready:
        raise typer.Exit(1)
