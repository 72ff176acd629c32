"""Run the program in this process, and see what it prints and how it leaves."""

from dataclasses import dataclass

import pytest

from mlip_sse.cli.main import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def program(capfd):
    """Return a function that runs ``mlip-sse`` with some arguments."""

    def run(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run
