"""What is written for VASP, pw.x and CP2K, and what is made of their bad days."""

import re

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.errors import InputError
from mlip_sse.references import load_reference
from mlip_sse.references.cp2k_dft import cp2k_settings
from mlip_sse.references.espresso_dft import espresso_settings as pw_settings
from mlip_sse.references.specs import Cp2kSpec, EspressoSpec, VaspSpec
from mlip_sse.references.vasp_dft import read_vasp_outputs, vasp_order, write_vasp_inputs


@pytest.fixture
def mixed():
    """Return an alloy whose elements alternate, so that VASP's order is another than ours."""
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[[1, 3]] = "Ni"
    atoms.rattle(0.05, seed=4)
    return atoms


def test_vasp_inputs(codes, mixed, tmp_path):
    from ase.io import read

    write_vasp_inputs(VaspSpec(incar={"ALGO": "All", "NCORE": 4}), mixed, tmp_path)
    incar = dict(line.split(" = ", 1) for line in (tmp_path / "INCAR").read_text().splitlines() if " = " in line)
    assert float(incar["ENCUT"]) == 680
    assert float(incar["KSPACING"]) == 0.22
    assert (incar["ALGO"], incar["NCORE"], incar["NSW"], incar["LWAVE"]) == ("All", "4", "0", "False")
    assert not (tmp_path / "KPOINTS").exists()
    poscar = read(tmp_path / "POSCAR", format="vasp")
    assert poscar.get_chemical_symbols() == ["Cu", "Cu", "Ni", "Ni"]
    np.testing.assert_allclose(poscar.positions, mixed.positions[vasp_order(mixed)], rtol=0, atol=1e-9)
    assert (tmp_path / "POTCAR").read_text().count("TITEL") == 2


def test_vasp_labels_come_back_in_our_order(codes, mixed, tmp_path):
    from ase.calculators.emt import EMT

    (frame,) = load_reference({"kind": "vasp", "command": "vasp_std"}).label([mixed], tmp_path)
    mixed.calc = EMT()
    np.testing.assert_allclose(frame.forces, mixed.get_forces(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(frame.stress, mixed.get_stress(), rtol=0, atol=1e-7)
    assert frame.fingerprint.pseudopotentials == {"Cu": "Cu_pv 06Sep2000", "Ni": "Ni_pv 06Sep2000"}


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("unconverged", "electrons of ionic step 1 did not converge"),
        ("crash", r"VASP left with exit code 3, expected 0: see .*vasp\.out"),
    ],
)
def test_vasp_on_a_bad_day(mode, message, codes, mixed, tmp_path):
    (failure,) = load_reference({"kind": "vasp", "command": f"vasp_std {mode}"}).label([mixed], tmp_path).failures
    assert re.search(message, failure.reason)


def test_outcar_steps_in_for_a_damaged_vasprun(codes, mixed, tmp_path):
    (frame,) = load_reference({"kind": "vasp", "command": "vasp_std outcar"}).label([mixed], tmp_path)
    assert frame.fingerprint.code_version == "6.4.3"
    (other,) = load_reference({"kind": "vasp", "command": "vasp_std"}).label([mixed], tmp_path / "other")
    np.testing.assert_allclose(frame.forces, other.forces, rtol=0, atol=1e-5)  # OUTCAR prints five decimals
    assert frame.energy == pytest.approx(other.energy, abs=1e-7)


def test_vasp_output_of_another_structure(codes, mixed, tmp_path):
    load_reference({"kind": "vasp", "command": "vasp_std"}).label([mixed], tmp_path)
    (task,) = tmp_path.iterdir()
    other = mixed.copy()
    other.positions[0, 0] += 0.1
    with pytest.raises(InputError, match="of another structure"):
        read_vasp_outputs(task, other)


def test_potcars_only_by_the_users_own_library(codes, mixed, tmp_path, monkeypatch):
    from pymatgen.core import SETTINGS

    mixed.symbols[0] = "Ag"
    with pytest.raises(InputError, match="found no POTCAR of PBE_64 for Ag") as caught:
        write_vasp_inputs(VaspSpec(), mixed, tmp_path)
    assert "\n" not in str(caught.value)
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR")
    monkeypatch.delenv("PMG_VASP_PSP_DIR")
    with pytest.raises(InputError, match="found no POTCAR library"):
        load_reference({"kind": "vasp", "command": "vasp_std"}).label([mixed], tmp_path)


def test_espresso_input(espresso_settings):
    from ase.units import Ry

    spec = EspressoSpec(**espresso_settings)
    found = espresso_settings_of(spec)
    system = found["input_data"]["system"]
    assert system["ecutwfc"] * Ry == pytest.approx(680)
    assert system["ecutrho"] == pytest.approx(8 * system["ecutwfc"])
    assert found["input_data"]["control"]["tstress"]
    assert found["kpts"] == (6, 6, 6)  # |b| = 2π/3.61 = 1.74 in steps of 0.3
    with pytest.raises(InputError, match="no pseudopotential for Ni"):
        espresso_settings_of(spec, "Ni")


def espresso_settings_of(spec, symbol="Cu"):
    return pw_settings(spec, bulk(symbol, cubic=True, a=3.61))


@pytest.mark.parametrize(
    ("mode", "message"),
    [("unconverged", "did not converge in pw.x"), ("crash", "Error in routine cdiaghg")],
)
def test_espresso_on_a_bad_day(mode, message, espresso_settings, tmp_path):
    reference = load_reference({**espresso_settings, "command": f"pw.x {mode}"})
    (failure,) = reference.label([bulk("Cu", cubic=True)], tmp_path).failures
    assert message in failure.reason


def test_cp2k_input():
    spec = Cp2kSpec(k_spacing_inv_a=0.3)
    lines = cp2k_settings(spec, bulk("Cu", cubic=True, a=3.61))["inp"].splitlines()
    assert "      SCHEME MONKHORST-PACK 6 6 6" in lines
    assert "      EPS_SCF 1.000e-07" in lines
    assert not any("KPOINTS" in line for line in cp2k_settings(Cp2kSpec(), bulk("Cu"))["inp"].splitlines())


def test_cp2k_on_a_bad_day(codes, tmp_path):
    reference = load_reference({"kind": "cp2k", "command": "cp2k_shell unconverged"})
    (failure,) = reference.label([bulk("Cu", cubic=True)], tmp_path).failures
    assert "did not converge in CP2K" in failure.reason
