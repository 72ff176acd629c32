"""Every reference that is available here, each with structures it can label and how exact its derivatives are."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk

from mlip_sse.references import load_reference
from tests.references.fake_codes import install


@dataclass(frozen=True)
class Case:
    """A reference under contract.

    Its derivatives are checked by central differences of ``step`` (Å, and strain) to the tolerances given; those of
    codes that print few digits, or compute in single precision, are wider.
    """

    source: object
    cell: str
    step: float
    force_tolerance: float
    stress_tolerance: float
    method: str


# EMT's own differences agree to 1e-5; the fakes add the digits that the code prints: 8 (VASP), 8 in Ry and bohr (pw.x).
# GPAW's plane waves change with the cell: its stress differs from the differences, which stay, by 3.4e-4 eV/Å³ at a
# cutoff of 500 eV, by 2.3e-4 at 700 and by 0.8e-4 at 1000; the shears by 3e-6 at all three.
CASES = {
    "emt": Case("ase:ase.calculators.emt:EMT", "Cu", 0.005, 2e-4, 2e-5, "calculator"),
    "vasp": Case({"kind": "vasp", "command": "vasp_std", "time_limit_s": 30}, "Cu", 0.005, 2e-4, 2e-5, "dft"),
    "espresso": Case("espresso", "Cu", 0.005, 2e-4, 2e-5, "dft"),
    "cp2k": Case({"kind": "cp2k", "command": "cp2k_shell", "time_limit_s": 30}, "Cu", 0.005, 2e-4, 2e-5, "dft"),
    "chgnet": Case("chgnet", "LiCl", 0.01, 0.02, 3e-4, "surrogate"),
    "gpaw": Case(
        {"kind": "gpaw", "cutoff_ev": 700, "k_spacing_inv_a": 0.5, "energy_convergence_ev": 1e-8,
         "force_convergence_ev_a": 1e-4},
        "Li2S", 0.01, 5e-3, 3e-4, "dft",
    ),
}  # fmt: skip
SLOW = {"gpaw"}
NEEDS = {"chgnet": "chgnet", "gpaw": "gpaw"}


def structure(case: Case, seed: int, rattle: float = 0.05) -> Atoms:
    """Return a small periodic cell whose forces and shears do not vanish; pw.x takes a general cell."""
    if case.cell == "Cu":
        atoms = bulk("Cu", cubic=True)
    elif case.cell == "LiCl":
        atoms = bulk("LiCl", "rocksalt", a=5.0, cubic=True)
    else:
        atoms = Atoms(
            "SLi2", scaled_positions=[[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]],
            cell=[[0, 2.85, 2.85], [2.85, 0, 2.85], [2.85, 2.85, 0]], pbc=True,
        )  # fmt: skip
    atoms.set_cell(atoms.cell.array @ [[1.0, 0.03, 0.0], [0.0, 0.98, 0.02], [0.01, 0.0, 1.0]], scale_atoms=True)
    atoms.rattle(rattle, seed=seed)
    return atoms


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    """Lay the stand-ins for VASP, pw.x and CP2K on PATH, and the POTCAR library where pymatgen looks for it."""
    from pymatgen.core import SETTINGS

    folder = tmp_path_factory.mktemp("codes")
    programs = install(folder)
    repository = os.fspath(Path(__file__).resolve().parents[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("PMG_VASP_PSP_DIR", str(folder / "potcars"))
        patch.setenv("PYTHONPATH", repository)
        patch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(folder / "potcars"))
        yield folder


@pytest.fixture(scope="module")
def espresso_settings(codes):
    return {
        "kind": "espresso",
        "time_limit_s": 300,
        "pseudo_dir": str(codes / "pseudos"),
        "pseudopotentials": {"Cu": "Cu.upf"},
    }


def marks(name):
    return [pytest.mark.slow] if name in SLOW else []


@pytest.fixture(scope="module", params=[pytest.param(name, marks=marks(name)) for name in CASES])
def case(request, codes):
    if request.param in NEEDS and importlib.util.find_spec(NEEDS[request.param]) is None:
        pytest.skip(f"{NEEDS[request.param]} is not installed")
    return CASES[request.param]


@pytest.fixture(scope="module")
def reference(case, espresso_settings):
    return load_reference(espresso_settings if case.source == "espresso" else case.source)
