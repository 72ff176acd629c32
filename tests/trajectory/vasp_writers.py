"""vasprun.xml and OUTCAR in VASP's published layout, for want of VASP itself; ASE and pymatgen must read them."""

from itertools import groupby
from pathlib import Path

import numpy as np
from foreign_writers import SPACING_FS, SYMBOLS, Run

TEMPERATURE_K = 600.0
_MASSES = {"Li": 6.941, "P": 30.974, "S": 32.066}


def _vectors(name: str, rows: np.ndarray, indent: int) -> str:
    pad = " " * indent
    lines = [f'{pad}<varray name="{name}" >']
    lines += [f"{pad} <v>" + "".join(f"{number:17.8f}" for number in row) + " </v>" for row in rows]
    return "\n".join([*lines, f"{pad}</varray>"])


def _structure(cell: np.ndarray, fractional: np.ndarray, name: str = "") -> str:
    attribute = f' name="{name}" ' if name else ""
    return "\n".join(
        [
            f" <structure{attribute}>",
            "  <crystal>",
            _vectors("basis", cell, 3),
            f'   <i name="volume">{abs(np.linalg.det(cell)):17.8f} </i>',
            _vectors("rec_basis", np.linalg.inv(cell).T, 3),
            "  </crystal>",
            _vectors("positions", fractional, 2),
            " </structure>",
        ]
    )


def _atom_info() -> str:
    types = [(symbol, len(list(group))) for symbol, group in groupby(SYMBOLS)]
    numbers = {symbol: number for number, (symbol, _) in enumerate(types, start=1)}
    atoms = [f"    <rc><c>{symbol:2s}</c><c>{numbers[symbol]:4d}</c></rc>" for symbol in SYMBOLS]
    kinds = [
        f"    <rc><c>{count:4d}</c><c>{symbol:2s}</c><c>{_MASSES[symbol]:16.8f}</c><c>{1.0:16.8f}</c>"
        f"<c>  PAW_PBE {symbol} 17Jan2003                    </c></rc>"
        for symbol, count in types
    ]
    return "\n".join(
        [
            " <atominfo>",
            f"  <atoms>{len(SYMBOLS):8d} </atoms>",
            f"  <types>{len(types):8d} </types>",
            '  <array name="atoms" >',
            '   <dimension dim="1">ion</dimension>',
            '   <field type="string">element</field>',
            '   <field type="int">atomtype</field>',
            "   <set>",
            *atoms,
            "   </set>",
            "  </array>",
            '  <array name="atomtypes" >',
            '   <dimension dim="1">type</dimension>',
            '   <field type="int">atomspertype</field>',
            '   <field type="string">element</field>',
            "   <field>mass</field>",
            "   <field>valence</field>",
            '   <field type="string">pseudopotential</field>',
            "   <set>",
            *kinds,
            "   </set>",
            "  </array>",
            " </atominfo>",
        ]
    )


def write_vasprun(path: Path, run: Run, **tags: object) -> Path:
    """Write a vasprun.xml of an MD run; ``tags`` replaces or adds INCAR tags."""
    values = {
        "IBRION": 0, "POTIM": SPACING_FS, "TEBEG": TEMPERATURE_K, "TEEND": TEMPERATURE_K, "SMASS": 0.0, "MDALGO": 2,
        "NBLOCK": 1, **tags,
    }  # fmt: skip
    rows = []
    for name, value in values.items():
        kind = ' type="int"' if isinstance(value, int) else ' type="string"' if isinstance(value, str) else ""
        shown = f"{value:16.8f}" if isinstance(value, float) else f"{value:>6}"
        rows.append(f'  <i{kind} name="{name}">{shown}</i>')
    fractional = run.wrapped @ np.linalg.inv(run.cells)
    head = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
        "<modeling>",
        ' <generator>\n  <i name="program" type="string">vasp </i>',
        '  <i name="version" type="string">6.4.3  </i>\n </generator>',
        " <incar>", *rows, " </incar>",
        ' <kpoints>\n  <generation param="Gamma">\n   <v type="int" name="divisions">       1        1        1 </v>\n'
        '   <v name="usershift">      0.0      0.0      0.0 </v>\n   <v name="shift">      0.0      0.0      0.0 </v>\n'
        '  </generation>\n  <varray name="kpointlist" >\n   <v>       0.0       0.0       0.0 </v>\n  </varray>\n'
        '  <varray name="weights" >\n   <v>       1.0 </v>\n  </varray>\n </kpoints>',
        ' <parameters>\n  <separator name="ionic" >', *rows, '   <i type="int" name="NELM">    60</i>',
        "  </separator>\n </parameters>",
        _atom_info(),
        _structure(run.cells[0], fractional[0], "initialpos"),
    ]  # fmt: skip
    energies = [f'   <i name="{name}">    -20.0 </i>' for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")]
    energy = "\n".join(["  <energy>", *energies, "  </energy>"])
    steps = [
        "\n".join(
            [
                " <calculation>",
                f"  <scstep>\n{energy}\n  </scstep>",
                _structure(cell, positions),
                _vectors("forces", np.zeros((len(SYMBOLS), 3)), 2),
                _vectors("stress", np.zeros((3, 3)), 2),
                energy,
                '  <time name="totalsc">    0.11    0.12</time>',
                " </calculation>",
            ]
        )
        for cell, positions in zip(run.cells, fractional, strict=True)
    ]
    tail = [_structure(run.cells[-1], fractional[-1], "finalpos"), "</modeling>"]
    path.write_text("\n".join([*head, *steps, *tail]) + "\n")
    return path


def _lattice(cell: np.ndarray) -> list[str]:
    reciprocal = np.linalg.inv(cell).T
    rows = ["      direct lattice vectors                 reciprocal lattice vectors"]
    return rows + [
        "   " + "".join(f"{number:13.9f}" for number in [*direct, *dual])
        for direct, dual in zip(cell, reciprocal, strict=True)
    ]


def write_outcar(path: Path, run: Run, thermostat: bool = True) -> Path:
    """Write an OUTCAR of an MD run."""
    types = [(symbol, len(list(group))) for symbol, group in groupby(SYMBOLS)]
    lines = [" vasp.6.4.3 18Mar24 (build Mar 20 2024) complex", " executed on LinuxIFC date 2024.05.01  12:00:00"]
    lines += 2 * [f" POTCAR:    PAW_PBE {symbol} 17Jan2003" for symbol, _ in types]
    for symbol, _ in types:
        lines += [f"   VRHFIN ={symbol}: s2p4", f"   TITEL  = PAW_PBE {symbol} 17Jan2003"]
        lines += [f"   POMASS = {_MASSES[symbol]:8.3f}; ZVAL   =    1.000    mass and valenz"]
    lines += [
        f"   number of dos      NEDOS =    301   number of ions     NIONS = {len(SYMBOLS):6d}",
        "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     10",
        "   ions per type =          " + "".join(f"{count:4d}" for _, count in types),
        "   ISPIN  =      1    spin polarized calculation?",
        "   NBLOCK =      1;   KBLOCK =      1    inner block; outer block",
        "   IBRION =      0    ionic relax: 0-MD 1-quasi-New 2-CG",
        f"   POTIM  = {SPACING_FS:6.4f}    time-step for ionic-motion",
        f"   TEBEG  = {TEMPERATURE_K:6.1f};   TEEND  = {TEMPERATURE_K:5.1f} temperature during run",
        f"   SMASS  = {0.0 if thermostat else -3.0:6.2f}    Nose mass-parameter (am)",
        *_lattice(run.cells[0]),
        "",
        " k-points in reciprocal lattice and weights: Gamma",
        "   0.00000000  0.00000000  0.00000000       1.000",
        "",
    ]
    for step, (cell, positions) in enumerate(zip(run.cells, run.wrapped, strict=True), start=1):
        lines.append(
            f"----------------------------------- Iteration {step:6d}(   1)  -----------------------------------"
        )
        lines += [" VOLUME and BASIS-vectors are now :", " -----", *_lattice(cell), ""]
        lines += [" POSITION                                       TOTAL-FORCE (eV/Angst)", " " + "-" * 83]
        lines += [
            "".join(f"{number:13.5f}" for number in row) + "   " + "".join(f"{0:14.6f}" for _ in "xyz")
            for row in positions
        ]
        lines += [
            " " + "-" * 83,
            "    total drift:                                0.000000      0.000000      0.000000",
        ]
        lines += [
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
            "  free  energy   TOTEN  =       -20.00000000 eV",
            "",
            "  energy  without entropy=      -20.00000000  energy(sigma->0) =      -20.00000000",
            "",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path
