"""``mlip-sse properties``: tables of what was measured, models of it, and what they say of other materials.

Each step is a module ``cli/properties_STEP.py`` (``fit-atoms`` is ``properties_fit_atoms.py``) with a function
``command``; only that of the step asked for is imported.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from mlip_sse.errors import InputError, did_you_mean

__all__ = ["CONTEXT_SETTINGS", "STEPS", "command"]

CONTEXT_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
"""What stands behind the step belongs to the step."""

STEPS = ("collect", "fit", "predict", "explain", "screen", "optimize", "fit-atoms", "spectrum")
"""The steps in the order of work; those whose module is there can be asked for."""


def command(
    step: Annotated[str, typer.Argument(help=f"{', '.join(STEPS)}; STEP --help says what each does.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the step is given.")] = None,
) -> None:
    """Learn properties from tables; predict other materials, mixtures, and atoms along a trajectory."""
    known = [name for name in STEPS if find_spec(_module_of(name)) is not None]
    if step not in known:
        raise InputError(
            f"no step {step!r} of properties, expected one of {', '.join(known)}{did_you_mean(step, known)}"
        )
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(import_module(_module_of(step)).command)
    code = typer.main.get_command(app)(
        list(arguments or []), prog_name=f"mlip-sse properties {step}", standalone_mode=False
    )
    if isinstance(code, int) and code:
        raise typer.Exit(code)


def _module_of(step: str) -> str:
    return f"mlip_sse.cli.properties_{step.replace('-', '_')}"
