"""The ``mlip-sse`` program: finds the verb, runs it, and turns every error into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 bad usage or input, 130 interrupted. Only the module of the verb that was asked for is
imported, so that ``mlip-sse --help`` costs nothing of what the analyses need.
"""

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, TextIO

import typer

from mlip_sse.errors import InputError, MlipSseError

__all__ = ["VERBS", "main", "run"]

VERBS = {
    "campaign": "Learn a potential for a material and answer its question; the same command again goes on.",
    "analyze": "Measure transport, sites and jumps, concerted motion, structure or softness in trajectories.",
    "label": "Label structures with a reference; the same command again labels only what is missing.",
    "fit": "Fit a potential to labelled frames; the same command again repeats nothing that was done.",
    "combine": "Join experts into one potential, without their frames.",
    "export": "Hand a potential to LAMMPS: files and a deck that runs, after all gates have passed.",
    "simulate": (
        "Run a protocol: dynamics, barriers, glasses, interfaces and more; the same command again runs what is missing."
    ),
    "react": "Say what two phases in contact react to; of one phase, at which voltages it is stable.",
    "properties": "Learn properties from tables; predict other materials, mixtures, and atoms along a trajectory.",
    "report": "Write one self-contained HTML page of a campaign, or serve it while the campaign runs.",
    "build-plugin": "Compile the LAMMPS pair styles nequip and allegro; lmp finds them from then on.",
    "catalogue": "List what the catalogue holds, or print one entry.",
    "template": "Print a commented spec to fill in.",
    "schema": "Print the JSON schema of a kind of spec.",
    "doctor": "Say whether this machine has what mlip-sse needs.",
}
"""Every verb and its line in the help; a verb ``two-words`` is the function ``command`` of ``cli/two_words.py``."""

_BROKEN_PIPE_EXIT_CODE = 141
_INTERRUPTED_EXIT_CODE = 130


def run() -> None:
    """Run the program on ``sys.argv`` and leave with its exit code."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run the program on a list of arguments and return its exit code.

    Parameters
    ----------
    arguments
        Everything after ``mlip-sse``. ``--debug`` may stand anywhere before a lone ``--``.
    """
    arguments, debug = _without_debug(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _warn_in_one_line
        try:
            code = _program(arguments)(arguments, prog_name="mlip-sse", standalone_mode=False)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is left in the buffer has no reader; without this Python complains about it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _BROKEN_PIPE_EXIT_CODE
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            return _report(error, debug)
    if code == _INTERRUPTED_EXIT_CODE:
        _say("interrupted")
    return code if isinstance(code, int) else 0


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return [*options, *arguments[end:]], len(options) < end


def _program(arguments: Sequence[str]) -> Callable[..., Any]:
    verb = next((argument for argument in arguments if not argument.startswith("-")), None)
    app = typer.Typer(
        name="mlip-sse",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(_root)
    for name, summary in VERBS.items():
        if name == verb:
            module = import_module(f"mlip_sse.cli.{name.replace('-', '_')}")
            app.command(name, context_settings=getattr(module, "CONTEXT_SETTINGS", None))(module.command)
        else:
            app.command(name, help=summary)(_not_asked_for)
    return typer.main.get_command(app)


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may follow a verb.")] = False,
) -> None:
    """Ionic transport in solid electrolytes, with intervals that can be trusted."""
    if version:
        from mlip_sse.provenance import package_version

        typer.echo(f"mlip-sse {package_version()}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _not_asked_for() -> None:
    raise AssertionError("only the verb that was asked for can run")


def _report(error: BaseException, debug: bool) -> int:
    """Print an error on stderr and return the exit code."""
    if debug and not isinstance(error, SystemExit):
        traceback.print_exception(error)
    code, line = _code_and_line(error)
    if line:
        _say(line)
    return code


def _code_and_line(error: BaseException) -> tuple[int, str]:
    failed, bad_input = MlipSseError.exit_code, InputError.exit_code
    match error:
        case SystemExit(code=None):
            return 0, ""
        case SystemExit(code=int(code)):
            return code, ""
        case SystemExit():
            return failed, f"error: {error.code}"
        case KeyboardInterrupt():
            return _INTERRUPTED_EXIT_CODE, "interrupted"
        case MlipSseError():
            return error.exit_code, f"error: {error}"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return failed, f"error: {error.strerror}: free some space, then the same command again"
        case OSError() if error.filename is not None:
            return bad_input, f"error: {error.filename}: {error.strerror}"
        case MemoryError():
            return failed, "error: not enough memory"
        case typer.Abort():
            return failed, "aborted"
    usage = getattr(error, "format_message", None)
    if usage is not None:  # typer's own errors: an unknown verb or option, a missing argument
        program = getattr(getattr(error, "ctx", None), "command_path", "mlip-sse")
        return bad_input, f"error: {usage().rstrip('.')} (see {program} --help)"
    return failed, f"error: {type(error).__name__}: {error} (this is a bug; --debug shows where)"


def _warn_in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"warning: {message}")


def _say(message: str) -> None:
    print(" ".join(message.split()), file=sys.stderr)
