"""vasprun.xml and OUTCAR of single points in VASP's published layout, for want of VASP itself."""

from itertools import groupby

import numpy as np

KBAR_PER_EV_A3 = 1602.176634
DATES = {
    "Li": "Li_sv 10Sep2004",
    "S": "S 06Sep2000",
    "Cl": "Cl 06Sep2000",
    "Cu": "Cu_pv 06Sep2000",
    "Ni": "Ni_pv 06Sep2000",
}


def vectors(name, rows):
    lines = [f'  <varray name="{name}" >', *("   <v>" + "".join(f"{x:17.8f}" for x in row) + " </v>" for row in rows)]
    return "\n".join([*lines, "  </varray>"])


def structure(atoms, name=""):
    attribute = f' name="{name}" ' if name else ""
    cell = atoms.cell.array
    return "\n".join(
        [
            f" <structure{attribute}>\n  <crystal>",
            vectors("basis", cell),
            f'   <i name="volume">{atoms.get_volume():17.8f} </i>',
            vectors("rec_basis", np.linalg.inv(cell).T),
            "  </crystal>",
            vectors("positions", atoms.get_scaled_positions(wrap=False)),
            " </structure>",
        ]
    )


def energy_block(energy):
    names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    values = (energy, energy + 0.02, energy + 0.01)  # smearing makes the three differ
    lines = [f'   <i name="{name}">{value:18.8f} </i>' for name, value in zip(names, values, strict=True)]
    return "\n".join(["  <energy>", *lines, "  </energy>"])


def write_vasprun(path, images, n_scf=4, nelm=60, version="6.4.3", **incar):
    """Write images (atoms with energy, forces, stress in a calculator) as the ionic steps of one run."""
    symbols = images[0].get_chemical_symbols()
    types = [(symbol, len(list(run))) for symbol, run in groupby(symbols)]
    tags = {"ENCUT": 520.0, "GGA": "PE", "KSPACING": 0.22, "ISPIN": 1, "SIGMA": 0.05, **incar}
    kinds = {int: ' type="int"', str: ' type="string"', float: ""}
    rows = "\n".join(f'  <i{kinds[type(value)]} name="{name}">{value}</i>' for name, value in tags.items())
    numbers = {symbol: number for number, (symbol, _) in enumerate(types, 1)}
    atoms_rows = "\n".join(f"    <rc><c>{s:2s}</c><c>{numbers[s]:4d}</c></rc>" for s in symbols)
    type_rows = "\n".join(
        f"    <rc><c>{n:4d}</c><c>{s:2s}</c><c>  6.0</c><c>  1.0</c><c>  PAW_PBE {DATES[s]}  </c></rc>"
        for s, n in types
    )
    steps = []
    for atoms in images:
        labels = atoms.calc.results
        tensor = atoms.get_stress(voigt=False) * -KBAR_PER_EV_A3
        scf = "\n".join(f"  <scstep>\n{energy_block(labels['energy'] + 0.1**k)}\n  </scstep>" for k in range(1, n_scf))
        steps.append(
            f" <calculation>\n{scf}\n  <scstep>\n{energy_block(labels['energy'])}\n  </scstep>\n{structure(atoms)}\n"
            f"{vectors('forces', labels['forces'])}\n{vectors('stress', tensor)}\n{energy_block(labels['energy'])}\n"
            " </calculation>"
        )
    path.write_text(
        f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator>
  <i name="program" type="string">vasp </i>
  <i name="version" type="string">{version}  </i>
 </generator>
 <incar>
{rows}
 </incar>
 <kpoints>
  <generation param="Gamma">
   <v type="int" name="divisions">       2        2        2 </v>
   <v name="usershift">      0.0      0.0      0.0 </v>
   <v name="shift">      0.0      0.0      0.0 </v>
  </generation>
  <varray name="kpointlist" >
   <v>       0.0       0.0       0.0 </v>
  </varray>
  <varray name="weights" >
   <v>       1.0 </v>
  </varray>
 </kpoints>
 <parameters>
  <separator name="electronic" >
{rows}
   <i type="int" name="NELM">{nelm}</i>
   <i name="ENMAX">520.0</i>
   <i name="AEXX">0.0</i>
   <i type="logical" name="LHFCALC"> F  </i>
   <i type="logical" name="LDAU"> F  </i>
   <i type="logical" name="LUSE_VDW"> F  </i>
   <i name="HFSCREEN">0.0</i>
  </separator>
 </parameters>
 <atominfo>
  <atoms>{len(symbols)}</atoms>
  <types>{len(types)}</types>
  <array name="atoms" >
   <dimension dim="1">ion</dimension>
   <field type="string">element</field>
   <field type="int">atomtype</field>
   <set>
{atoms_rows}
   </set>
  </array>
  <array name="atomtypes" >
   <dimension dim="1">type</dimension>
   <field type="int">atomspertype</field>
   <field type="string">element</field>
   <field>mass</field>
   <field>valence</field>
   <field type="string">pseudopotential</field>
   <set>
{type_rows}
   </set>
  </array>
 </atominfo>
{structure(images[0], "initialpos")}
{chr(10).join(steps)}
{structure(images[-1], "finalpos")}
</modeling>
"""
    )
    return path


def write_outcar(path, images, converged=True):
    """Write the same images as an OUTCAR."""
    symbols = images[0].get_chemical_symbols()
    types = [(symbol, len(list(run))) for symbol, run in groupby(symbols)]
    lines = [" vasp.6.4.3 18Mar24 (build Mar 20 2024) complex", " executed on LinuxIFC date 2024.05.01  12:00:00"]
    lines += 2 * [f" POTCAR:    PAW_PBE {DATES[symbol]}" for symbol, _ in types]
    for symbol, _ in types:
        lines += [
            f"   VRHFIN ={symbol}: s1",
            f"   TITEL  = PAW_PBE {DATES[symbol]}",
            "   POMASS =    6.000; ZVAL = 1.0",
        ]
    lines += [
        "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     10",
        f"   number of dos      NEDOS =    301   number of ions     NIONS = {len(symbols):6d}",
        "   ions per type =          " + "".join(f"{count:4d}" for _, count in types),
        " k-points in reciprocal lattice and weights: Gamma",
        "   0.00000000  0.00000000  0.00000000       1.000",
        "",
        "   ENCUT  =  520.0 eV  38.22 Ry    6.18 a.u.",
        "   ISPIN  =      1    spin polarized calculation?",
        "   GGA     =    PE    GGA type",
    ]
    for step, atoms in enumerate(images, start=1):
        cell, labels = atoms.cell.array, atoms.calc.results
        tensor = atoms.get_stress(voigt=False) * -KBAR_PER_EV_A3
        kbar = tensor[[0, 1, 2, 0, 1, 0], [0, 1, 2, 1, 2, 2]]
        reached = "aborting loop because EDIFF is reached" if converged else "aborting loop EDIFF was not reached"
        lines += [
            f"----------------------------------- Iteration {step:6d}(   9)  -----------------------------------",
            "  Free energy of the ion-electron system (eV)",
            f"------------------------ {reached} ----------------------------------------",
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  Direction    XX          YY          ZZ          XY          YZ          ZX",
            "  in kB  " + "".join(f"{value:14.5f}" for value in kbar),
            "  external pressure =        0.00 kB  Pullay stress =        0.00 kB",
            "  VOLUME and BASIS-vectors are now :",
            "      direct lattice vectors                 reciprocal lattice vectors",
        ]
        dual = np.linalg.inv(cell).T
        lines += ["   " + "".join(f"{x:13.9f}" for x in [*a, *b]) for a, b in zip(cell, dual, strict=True)]
        lines += ["", " POSITION                                       TOTAL-FORCE (eV/Angst)", " " + 83 * "-"]
        rows = zip(atoms.positions, labels["forces"], strict=True)
        lines += ["".join(f"{x:13.5f}" for x in [*r, *f]) for r, f in rows]
        lines += [" " + 83 * "-", "    total drift:       0.000000      0.000000      0.000000"]
        lines += [
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
            f"  free  energy   TOTEN  =  {labels['energy']:18.8f} eV",
            "",
            f"  energy  without entropy= {labels['energy'] + 0.02:18.8f}  energy(sigma->0) ={labels['energy']:18.8f}",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path
