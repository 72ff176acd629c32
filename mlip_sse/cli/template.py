"""``mlip-sse template``: a commented spec to fill in."""

from typing import Annotated

import typer

__all__ = ["command"]


def command(
    kind: Annotated[str, typer.Argument(help="analysis, md_protocol, campaign, potential, reference or engine.")],
    variant: Annotated[
        str | None, typer.Argument(help="The recipe, protocol, family or kind of reference; the first by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Print a commented spec to fill in."""
    from mlip_sse.spec_templates import spec_template

    text = spec_template(kind, variant)
    if as_json:
        import json

        text = json.dumps({"kind": kind, "template": text}, indent=2, ensure_ascii=False) + "\n"
    typer.echo(text, nl=False)
