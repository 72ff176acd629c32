"""``mlip-sse schema``: the JSON schema of a kind of spec, for editors and other programs."""

import json
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    kind: Annotated[str, typer.Argument(help="analysis, md_protocol, potential, reference or engine.")],
) -> None:
    """Print the JSON schema of a kind of spec."""
    from mlip_sse.specs import spec_kind

    typer.echo(json.dumps(spec_kind(kind).json_schema(), indent=2, ensure_ascii=False))
