"""The program: lazy verbs, exit codes, and one line for every error."""

import json
import os
import subprocess
import sys
import types
import warnings
from importlib import import_module

import pytest
import typer

from mlip_sse.cli import main as main_module
from mlip_sse.cli.main import VERBS
from mlip_sse.errors import InputError, RunError
from mlip_sse.provenance import package_version

HEAVY = ("numpy", "scipy", "numba", "ase", "matplotlib", "pymatgen", "MDAnalysis", "plotly", "h5py")


@pytest.fixture
def verb(monkeypatch):
    """Return a function that installs a verb ``probe`` which does what the test asks for."""

    def install(action):
        def command(argument: str = typer.Argument("x")) -> None:
            """Probe."""
            action()

        module = types.ModuleType("mlip_sse.cli.probe")
        module.command = command
        monkeypatch.setitem(sys.modules, "mlip_sse.cli.probe", module)
        monkeypatch.setitem(main_module.VERBS, "probe", "Probe.")

    return install


def raising(error):
    def action():
        raise error

    return action


# Start-up


def in_new_process(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], *[[verb, "--help"] for verb in VERBS]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import json, sys\n"
        "from mlip_sse.cli.main import main\n"
        f"code = main({arguments!r})\n"
        f"print('\\n' + json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))\n"
    )
    assert json.loads(in_new_process(code).stdout.splitlines()[-1]) == [0, []]


def test_help_answers_in_half_a_second_of_cpu():
    """The best of three, since the first one may have to write byte code."""
    code = (
        "import os, resource\n"
        "from mlip_sse.cli.main import main\n"
        "main(['--help'])\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(usage.ru_utime + usage.ru_stime)\n"
    )
    # Coverage and its tracer are not what a user starts.
    seconds = [float(in_new_process(code, COVERAGE_PROCESS_START="").stdout.splitlines()[-1]) for _ in range(3)]
    assert min(seconds) < 0.5


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_says_in_its_docstring_what_the_table_says(verb):
    command = import_module(f"mlip_sse.cli.{verb.replace('-', '_')}").command
    assert command.__doc__.splitlines()[0] == VERBS[verb]


def test_help_lists_every_verb(program):
    outcome = program("--help")
    assert outcome.code == 0
    assert [verb for verb in VERBS if verb not in outcome.out] == []
    assert program().out == outcome.out


def test_version(program):
    outcome = program("--version")
    assert (outcome.code, outcome.out) == (0, f"mlip-sse {package_version()}\n")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_and_at_most_six_options(program, verb):
    outcome = program(verb, "--help")
    assert outcome.code == 0
    assert VERBS[verb] in " ".join(outcome.out.split())
    options = {word for word in outcome.out.split() if word.startswith("--")} - {"--help"}
    assert len(options) <= 6


def test_python_dash_m(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mlip_sse", "--version"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.startswith("mlip-sse ")


# Errors


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("found 3,\n   expected 4"), 2, "error: found 3, expected 4\n"),
        (RunError("LAMMPS stopped"), 1, "error: LAMMPS stopped\n"),
        (FileNotFoundError(2, "No such file or directory", "a.dump"), 2, "error: a.dump: No such file or directory\n"),
        (OSError(28, "No space left"), 1, "error: No space left: free some space, then the same command again\n"),
        (ZeroDivisionError("oh"), 1, "error: ZeroDivisionError: oh (this is a bug; --debug shows where)\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (typer.Exit(1), 1, ""),
        (typer.Abort(), 1, "aborted\n"),
        (SystemExit(3), 3, ""),
        (SystemExit(), 0, ""),
        (SystemExit("no"), 1, "error: no\n"),
        (MemoryError(), 1, "error: not enough memory\n"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(program, verb, error, code, line):
    verb(raising(error))
    outcome = program("probe")
    assert (outcome.code, outcome.err, outcome.out) == (code, line, "")


@pytest.mark.parametrize("arguments", [("--debug", "probe"), ("probe", "--debug"), ("probe", "x", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(program, verb, arguments):
    verb(raising(InputError("found 3")))
    outcome = program(*arguments)
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    assert "raise error" in outcome.err
    assert outcome.err.endswith("error: found 3\n")


def test_debug_behind_a_double_dash_is_an_argument(program, verb):
    verb(raising(InputError("found 3")))
    assert "Traceback" not in program("probe", "--", "--debug").err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["catalog"], "error: No such command 'catalog'. Did you mean 'catalogue'? (see mlip-sse --help)\n"),
        (["--verbose"], "error: No such option: --verbose"),
        (["template"], "error: Missing argument 'kind' (see mlip-sse template --help)\n"),
        (["doctor", "now"], "error: Got unexpected extra argument(s) (now) (see mlip-sse doctor --help)\n"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(program, arguments, line):
    outcome = program(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(line)
    assert outcome.err.count("\n") == 1


def test_a_warning_is_one_line_on_stderr(program, verb):
    verb(lambda: warnings.warn("the last frame is\ntruncated", UserWarning, stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        outcome = program("probe")
    assert (outcome.code, outcome.err) == (0, "warning: the last frame is truncated\n")


@pytest.mark.parametrize("verb", ["catalogue", "--help"])
def test_a_reader_that_goes_away_is_no_error(verb):
    """The pipe is closed before anything is written, as ``mlip-sse … | head -0`` does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlip_sse", verb],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) in (1, 141)
    assert said == b""
