"""A log tells how far a run is, what it measured, and why it stopped."""

import pytest

from mlip_sse.errors import FormatError
from mlip_sse.md_protocols.log import LogFollower, failure_reason, lammps_version, read_thermo

HEAD = "LAMMPS (22 Jul 2025 - Update 4)\nunits metal\nrun 200\n"
TABLE = "   Step          Temp          PotEng         TotEng         Press         Density    \n"
MARK = 'print           "mlip-sse: production"\nmlip-sse: production\n'


def row(step, temperature=1000.0, energy=-8.0, pressure=1500.0, density=1.45):
    return f"{step:10d}   {temperature}    {energy - 1}   {energy}   {pressure}   {density}\n"


def test_steps_are_followed_through_both_stages(tmp_path):
    path = tmp_path / "log.lammps"
    follower = LogFollower(path, preparation_steps=200)
    assert follower.steps() == 0
    pieces = [
        (HEAD + TABLE + row(0) + row(100), 100),
        (row(200)[:15], 100),  # half a line
        (row(200)[15:] + "Loop time of 1 on 1 procs\n", 200),
        (MARK[:-8], 200),  # half of the mark
        (MARK[-8:] + TABLE + row(0), 200),
        (row(50), 250),
        ("Loop time of 1 on 1 procs for 2 steps with 64 atoms\n", 250),
    ]
    written = ""
    for piece, wanted in pieces:
        written += piece
        path.write_text(written)
        assert follower.steps() == wanted
    assert LogFollower(path, 200).steps() == 250  # all of it at once


def test_thermo_is_that_of_production_alone():
    log = HEAD + TABLE + row(0, 5000.0) + MARK + TABLE + row(0, 990.0) + row(50, 1010.0, -8.1, 2500.0) + "Loop time\n"
    thermo = read_thermo(log)
    assert thermo.steps.tolist() == [0, 50]
    assert thermo.temperatures_k.tolist() == [990.0, 1010.0]
    assert thermo.total_energies.tolist() == [-8.0, -8.1]
    assert thermo.pressures_gpa.tolist() == pytest.approx([0.15, 0.25])
    assert thermo.densities_g_cm3.tolist() == [1.45, 1.45]


@pytest.mark.parametrize("log", ["", HEAD + TABLE + row(0) + row(100), HEAD + MARK + TABLE + row(0)])
def test_a_log_without_production_is_refused(log):
    with pytest.raises(FormatError, match="expected two or more"):
        read_thermo(log)


@pytest.mark.parametrize(
    ("log", "screen", "wanted"),
    [
        (
            "ERROR: first\nERROR: Lost atoms: original 64 current 63 (src/thermo.cpp:1)\nLast input line: run 10\n",
            "",
            "ERROR: Lost atoms: original 64 current 63 (src/thermo.cpp:1) (Last input line: run 10)",
        ),
        ("fine\n", "ERROR on proc 0:  Out of   range\n", "ERROR on proc 0: Out of range"),
        ("fine\n", "Segmentation fault\n", "no ERROR line; it last said 'Segmentation fault'"),
        ("", "", "it said nothing"),
    ],
)
def test_the_reason_is_the_last_error(log, screen, wanted):
    assert failure_reason(log, screen) == wanted


def test_the_version_is_the_first_line():
    assert lammps_version(HEAD) == "22 Jul 2025 - Update 4"
    assert lammps_version("nothing") == "unknown"
