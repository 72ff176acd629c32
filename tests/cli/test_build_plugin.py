"""``mlip-sse build-plugin``: what it prints, and the one line where something is missing."""

import json
from pathlib import Path

import pytest

from mlip_sse.errors import MissingExtraError, RunError
from mlip_sse.potentials.lammps_plugin import build
from mlip_sse.potentials.lammps_plugin.build import BuiltPlugin


@pytest.fixture
def builder(monkeypatch):
    """Put something in the place of the build."""

    def put(found):
        def build_plugin(*, rebuild=False):
            if isinstance(found, Exception):
                raise found
            return found(rebuild)

        monkeypatch.setattr(build, "build_plugin", build_plugin)

    return put


def built(new):
    return BuiltPlugin(Path("/cache/plugin"), "2025.7.22.4.0", "2.13.0+cpu", "g++ 12.2.0", new)


def test_it_says_where_and_for_what(program, builder):
    builder(built)
    outcome = program("build-plugin")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "already there: /cache/plugin",
        "pair styles nequip and allegro for lammps 2025.7.22.4.0 and torch 2.13.0+cpu, by g++ 12.2.0",
    ]
    assert program("build-plugin", "--rebuild").out.startswith("built: /cache/plugin")


def test_json(program, builder):
    builder(built)
    outcome = program("build-plugin", "--json", "--rebuild")
    assert json.loads(outcome.out) == {
        "folder": "/cache/plugin",
        "lammps": "2025.7.22.4.0",
        "torch": "2.13.0+cpu",
        "compiler": "g++ 12.2.0",
        "new": True,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [(RunError("found no C++ compiler"), 1), (MissingExtraError("compiling the pair styles", "nequip"), 2)],
)
def test_what_is_missing_is_one_line(program, builder, error, code):
    builder(error)
    outcome = program("build-plugin")
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err == f"error: {error}\n"
