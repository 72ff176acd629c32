"""Programs that read the input and write the output of VASP, pw.x and CP2K's shell, with copper's EMT as their physics.

They stand in for codes that cannot be installed here: what is tested is the input we write, the output we read, units,
signs and the order of the atoms.
"""

import os
import stat
import sys
from pathlib import Path

PREAMBLE = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {os.fspath(Path(__file__).resolve().parents[2])!r})\n"

VASP = """
from pathlib import Path
import numpy as np
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from tests.dataset.vasp_files import write_outcar, write_vasprun
atoms = read("POSCAR", format="vasp")
assert Path("POTCAR").read_text().count("TITEL") == len(dict.fromkeys(atoms.get_chemical_symbols()))
incar = dict(line.split(" = ", 1) for line in Path("INCAR").read_text().splitlines() if " = " in line)
atoms.calc = EMT()
labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
atoms.calc = SinglePointCalculator(atoms, **labels)
limit = int(incar["NELM"])
mode = sys.argv[1] if len(sys.argv) > 1 else ""
if mode == "crash":
    print("VERY BAD NEWS! internal error")
    sys.exit(3)
if mode == "outcar":
    write_outcar(Path("OUTCAR"), [atoms])
    Path("vasprun.xml").write_text("<?xml version='1.0'?><modeling><generator>")
else:
    n_scf = limit if mode == "unconverged" else 5
    tags = {name: float(incar[name]) for name in ("ENCUT", "KSPACING")}
    write_vasprun(Path("vasprun.xml"), [atoms], n_scf, limit, **tags)
"""

PW = """
import numpy as np
from ase.calculators.emt import EMT
from ase.io import read
from ase.io.espresso import read_fortran_namelist
from ase.units import Bohr, Ry
name = sys.argv[sys.argv.index("-in") + 1]
atoms = read(name, format="espresso-in")
with open(name) as stream:
    data, cards = read_fortran_namelist(stream)
if "crash" in sys.argv:
    print(" " + "%" * 80 + "\\n     Error in routine cdiaghg (1):\\n     problems computing cholesky\\n " + "%" * 80)
    sys.exit(1)
atoms.calc = EMT()
alat = np.linalg.norm(atoms.cell[0])
print("     Program PWSCF v.7.2 starts on 22Nov2026 at 12:00:00")
print("     bravais-lattice index     =            0")
print(f"     lattice parameter (alat)  = {alat / Bohr:14.8f}  a.u.")
print(f"     unit-cell volume          = {atoms.get_volume() / Bohr**3:14.8f} (a.u.)^3")
print(f"     number of atoms/cell      = {len(atoms):12d}")
print("     number of atomic types    =            1")
print(f"     kinetic-energy cutoff     = {data['system']['ecutwfc']:.4f}  Ry")
print("     celldm(1)=  %.6f  celldm(2)=   0.000000  celldm(3)=   0.000000" % (alat / Bohr))
print("     celldm(4)=   0.000000  celldm(5)=   0.000000  celldm(6)=   0.000000\\n")
print("     crystal axes: (cart. coord. in units of alat)")
for i, row in enumerate(atoms.cell.array / alat, 1):
    print(f"               a({i}) = ( {row[0]:14.10f} {row[1]:14.10f} {row[2]:14.10f} )")
print("\\n   Cartesian axes\\n\\n     site n.     atom                  positions (alat units)")
for i, (s, row) in enumerate(zip(atoms.get_chemical_symbols(), atoms.positions / alat), 1):
    print(f"         {i}           {s:2s}  tau( {i:3d}) = ( {row[0]:14.10f} {row[1]:14.10f} {row[2]:14.10f}  )")
print("\\n     number of k points=     1\\n                       cart. coord. in units 2pi/alat")
print("        k(    1) = (   0.0000000   0.0000000   0.0000000), wk =   2.0000000\\n")
if "unconverged" in sys.argv:
    print("     convergence NOT achieved after 200 iterations: stopping\\n")
print("     End of self-consistent calculation\\n")
print("          k = 0.0000 0.0000 0.0000 (   113 PWs)   bands (ev):\\n\\n    -5.6039   4.6467   5.9568   5.9568\\n")
print("     the Fermi energy is     6.2572 ev\\n")
print(f"!    total energy              = {atoms.get_potential_energy() / Ry:17.8f} Ry\\n")
if "unconverged" not in sys.argv:
    print("     convergence has been achieved in   9 iterations\\n")
print("     Forces acting on atoms (cartesian axes, Ry/au):\\n")
for i, row in enumerate(atoms.get_forces() / Ry * Bohr, 1):
    print(f"     atom {i:4d} type  1   force = {row[0]:13.8f} {row[1]:13.8f} {row[2]:13.8f}")
tensor = -atoms.get_stress(voigt=False) / Ry * Bohr**3
print("\\n     Total force =     0.000000     Total SCF correction =     0.000000\\n")
print("     Computing stress (Cartesian axis) and pressure\\n")
print("          total   stress  (Ry/bohr**3)                   (kbar)     P=        0.00")
for row in tensor:
    print("".join(f"{x:14.8f}" for x in row) + "".join(f"{x * 147105.08:12.2f}" for x in row))
print("\\n     PWSCF        :      0.10s CPU      0.12s WALL\\n\\n   JOB DONE.")
"""

CP2K = """
import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
unconverged = "unconverged" in sys.argv
files, state = {}, {}
def read():
    return (sys.stdin.readline() or sys.exit(1)).strip()
def say(*lines):
    for line in lines:
        print(line, flush=True)
say("* READY")
while True:
    word, *rest = read().split() or [""]
    if word == "VERSION":
        say("CP2K Shell Version: 7.0", "* READY")
    elif word in ("HARSH", "UNITS_EV_A", "DESTROY"):
        say("* READY")
    elif word == "WRITE_FILE":
        name = read()
        lines = [sys.stdin.readline() for _ in range(int(read()))]
        assert read() == "*END"
        open(name, "w").writelines(lines)
        say("* READY")
    elif word == "LOAD":
        text = open(rest[0]).read()
        body = text.split("&COORD")[1].split("&END")[0].split("\\n")
        symbols = [line.split()[0] for line in body if line.strip()]
        state["atoms"] = Atoms(symbols, positions=np.zeros((len(symbols), 3)), cell=np.eye(3), pbc=True)
        state["out"] = rest[1]
        say("1", "* READY")
    elif word == "SET_CELL":
        state["atoms"].cell[:] = [[float(x) for x in read().split()] for _ in range(3)]
        say("* READY")
    elif word == "SET_POS":
        n = int(read())
        state["atoms"].positions[:] = [[float(x) for x in read().split()] for _ in range(n // 3)]
        assert read() == "*END"
        say("1.0", "* READY")
    elif word == "EVAL_EF":
        state["atoms"].calc = EMT()
        state["atoms"].get_forces()
        said = "*** WARNING SCF run NOT converged ***" if unconverged else "*** SCF run converged in    12 steps ***"
        open(state["out"], "w").write(f" CP2K| version string:        CP2K version 2024.1\\n {said}\\n")
        say("* READY")
    elif word == "GET_E":
        say(repr(float(state["atoms"].get_potential_energy())), "* READY")
    elif word == "GET_F":
        forces = state["atoms"].get_forces()
        say(str(forces.size), *(" ".join(map(repr, row)) for row in forces.tolist()), "* END", "* READY")
    elif word == "GET_STRESS":
        tensor = -state["atoms"].get_stress(voigt=False)
        say(" ".join(map(repr, (0.5 * (tensor + tensor.T)).ravel().tolist())), "* READY")
    elif word == "EXIT":
        sys.exit(0)
"""


def install(folder: Path) -> Path:
    """Write the three programs and a POTCAR library; return the folder of the programs."""
    programs = folder / "programs"
    programs.mkdir(parents=True)
    for name, body in (("vasp_std", VASP), ("pw.x", PW), ("cp2k_shell", CP2K)):
        path = programs / name
        path.write_text(PREAMBLE + body)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    library = folder / "potcars" / "POT_PAW_PBE_64"
    library.mkdir(parents=True)
    for symbol, name in (("Cu", "Cu_pv"), ("Ni", "Ni_pv")):
        (library / f"POTCAR.{name}").write_text(potcar(symbol, name))
    (folder / "pseudos").mkdir()
    (folder / "pseudos" / "Cu.upf").write_text("<UPF/>")
    return programs


def potcar(symbol: str, name: str) -> str:
    return (
        f"  PAW_PBE {name} 06Sep2000\n 17.0\n parameters from PSCTR are:\n   VRHFIN ={symbol}: d10 p1\n"
        f"   LEXCH  = PE\n   EATOM  =  1390.0 eV,  102.1 Ry\n   TITEL  = PAW_PBE {name} 06Sep2000\n"
        "   POMASS =   63.546; ZVAL   =   17.000    mass and valenz\n"
        "   ENMAX  =  368.648; ENMIN  =  276.486 eV\n   END of PSCTR-controll parameters\n local part\n"
        "  1.0 2.0\n End of Dataset\n"
    )
