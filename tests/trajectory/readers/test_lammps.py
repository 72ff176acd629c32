"""LAMMPS dumps, text and binary: files that LAMMPS wrote, and what must be refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import Coordinates, TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.readers.lammps_binary import open_lammps_binary

SPECIES = {1: "Li", 2: "Cl"}

_RUN = """
units metal
atom_style atomic
lattice fcc 5.4
region box {box}
create_box 2 box
create_atoms 1 box
set group all type/fraction 2 0.3 123
mass 1 6.94
mass 2 35.45
pair_style lj/cut 6.5
pair_coeff * * 0.0104 3.4
velocity all create 200 4928
timestep 0.002
fix 1 all npt temp 200 200 0.2 {barostat}
dump full all custom 10 {name}_full.dump vx ix id xu vy type iy yu vz mass element x iz zu y z
dump_modify full element Li Cl time yes units yes format float %.12g
dump x all custom 10 {name}_x.dump id type x y z
dump_modify x format float %.12g
dump flags all custom 10 {name}_flags.dump id type x y z ix iy iz
dump_modify flags format float %.12g
dump xu all custom 10 {name}_xu.dump id type xu yu zu
dump_modify xu format float %.12g
dump xs all custom 10 {name}_xs.dump id type xs ys zs
dump_modify xs format float %.12g
dump xsu all custom 10 {name}_xsu.dump zsu id ysu type xsu
dump_modify xsu format float %.12g
dump atom all atom 10 {name}_atom.dump
dump bin all custom 10 {name}.bin id type x y z ix iy iz vx vy vz
dump_modify bin time yes units yes
dump raw all custom 10 {name}_raw.bin id type xu yu zu
dump abin all atom 10 {name}_atom.bin
run 400
"""

_GENERAL = """
units metal
atom_style atomic
lattice custom 5.4 a1 0.0 0.5 0.5 a2 0.5 0.0 0.5 a3 0.5 0.5 0.0 basis 0 0 0 triclinic/general
create_box 1 NULL 0 4 0 4 0 4
create_atoms 1 box
mass 1 39.95
pair_style lj/cut 6
pair_coeff * * 0.0104 3.4
velocity all create 200 4928
timestep 0.002
fix 1 all nve
dump general all custom 10 general.dump id type x y z
dump_modify general triclinic/general yes sort id format float %.12g
dump bin all custom 10 general.bin id type x y z
dump_modify bin triclinic/general yes
dump restricted all custom 10 restricted.dump id type x y z
dump_modify restricted sort id format float %.12g
run 200
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `lmp` at constant pressure: orthogonal, triclinic, and one in a general triclinic box."""
    folder = tmp_path_factory.mktemp("lammps")
    scripts = [
        _RUN.format(name="ortho", box="block 0 3 0 3 0 3", barostat="aniso 0 0 2"),
        _RUN.format(name="tri", box="prism 0 3 0 3 0 3 0.8 0.3 -0.4", barostat="tri 0 0 2"),
        _GENERAL,
    ]
    for script in scripts:
        subprocess.run(
            [Path(sys.executable).with_name("lmp"), "-log", "none", "-screen", "none"],
            input=script,
            text=True,
            cwd=folder,
            check=True,
            timeout=120,
        )
    return folder


def displacements(trajectory: Trajectory) -> np.ndarray:
    return np.asarray(trajectory.positions, dtype=np.float64) - trajectory.positions[0]


def lammps_twin(path: Path) -> np.ndarray:
    """Unwrap the full dump plainly: image flags, fractional increments, cell of the frame; atoms by id."""
    lines = path.read_text().splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("ITEM: TIMESTEP")]
    fractions, cells = [], []
    for start in starts:
        n_atoms = int(lines[start + 3])
        rows = np.array([line.split() for line in lines[start + 5 : start + 8]], dtype=float)
        tilt = rows[:, 2] if rows.shape[1] == 3 else np.zeros(3)
        low = rows[:, 0] - [min(0, tilt[0], tilt[1], tilt[0] + tilt[1]), min(0, tilt[2]), 0]
        high = rows[:, 1] - [max(0, tilt[0], tilt[1], tilt[0] + tilt[1]), max(0, tilt[2]), 0]
        cell = np.diag(high - low)
        cell[1, 0], cell[2, 0], cell[2, 1] = tilt
        names = lines[start + 8].split()[2:]
        table = [dict(zip(names, line.split(), strict=True)) for line in lines[start + 9 : start + 9 + n_atoms]]
        table.sort(key=lambda row: int(row["id"]))
        own = np.array([[float(row[key]) for key in "xyz"] for row in table]) - low
        flags = np.array([[int(row[key]) for key in ("ix", "iy", "iz")] for row in table])
        fractions.append(own @ np.linalg.inv(cell) + flags)
        cells.append(cell)
    steps = np.diff(np.array(fractions), axis=0)
    return np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps @ np.array(cells[1:]), axis=0)])


@pytest.mark.parametrize("name", ["ortho", "tri"])
def test_every_way_to_dump_gives_the_same_displacements(folder: Path, name: str) -> None:
    expected = lammps_twin(folder / f"{name}_full.dump")
    kinds = ["full.dump", "x.dump", "flags.dump", "xu.dump", "xs.dump", "xsu.dump", "atom.dump"]
    files = [f"{name}_{kind}" for kind in kinds] + [f"{name}.bin", f"{name}_raw.bin", f"{name}_atom.bin"]
    for file in files:
        trajectory = Trajectory.read(folder / file, species=SPECIES, frame_spacing_fs=20.0, dtype=np.float64)
        # twelve digits, or six in `dump atom`, which prints fractions of 22 Å with %g
        tolerance = 1e-3 if file.endswith("atom.dump") else 1e-8
        np.testing.assert_allclose(displacements(trajectory), expected, atol=tolerance, err_msg=file)
        assert trajectory.n_frames == 41
        assert trajectory.species.tolist().count("Li") + trajectory.species.tolist().count("Cl") == 108
    assert np.abs(expected).max() > 2.0
    assert np.abs(np.diff(np.linalg.det(trajectory.cells))).max() > 1.0


def test_elements_masses_velocities_times_and_units_come_from_the_file(folder: Path) -> None:
    text = Trajectory.read(folder / "tri_full.dump", dtype=np.float64)
    binary = Trajectory.read(folder / "tri.bin", species=["Li", "Cl"], dtype=np.float64)
    assert text.frame_spacing_fs == binary.frame_spacing_fs == pytest.approx(20.0)
    assert {(symbol, mass) for symbol, mass in zip(text.species, text.masses, strict=True)} == {
        ("Li", 6.94),
        ("Cl", 35.45),
    }
    assert (text.species == binary.species).all()
    np.testing.assert_allclose(text.velocities, binary.velocities, atol=1e-10)
    # finite differences over 20 fs against the mean of the velocities at both ends: second order in the spacing
    moved = np.diff(displacements(text), axis=0) / 20.0
    mean = 0.5 * (text.velocities[1:] + text.velocities[:-1])
    assert np.sqrt(np.mean((moved - mean) ** 2)) < 0.05 * np.sqrt(np.mean(mean**2))
    assert "metal" not in " ".join(text.provenance.operations)


def test_species_can_be_told_from_masses(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "tri_full.dump").read_text().replace("mass element", "mass label")
    path = tmp_path / "masses.dump"
    path.write_text(lines)
    assert set(Trajectory.read(path).species) == {"Li", "Cl"}


def test_a_general_triclinic_box(folder: Path) -> None:
    options = {"species": ["Ar"], "timestep_fs": 2.0, "dtype": np.float64}
    general = Trajectory.read(folder / "general.dump", **options)
    restricted = Trajectory.read(folder / "restricted.dump", **options)
    binary = Trajectory.read(folder / "general.bin", **options)
    # LAMMPS itself runs in the restricted box, which is rotated: lengths agree, components do not
    np.testing.assert_allclose(
        np.linalg.norm(displacements(general), axis=2), np.linalg.norm(displacements(restricted), axis=2), atol=1e-8
    )
    np.testing.assert_allclose(displacements(binary), displacements(general), atol=1e-8)
    assert np.abs(displacements(general) - displacements(restricted)).max() > 0.1
    np.testing.assert_allclose(np.linalg.det(general.cells), np.linalg.det(restricted.cells))


def test_the_source_says_what_the_coordinates_are(folder: Path) -> None:
    expected = {
        "x": Coordinates.CARTESIAN_WRAPPED,
        "xu": Coordinates.CARTESIAN_UNWRAPPED,
        "xs": Coordinates.FRACTIONAL_WRAPPED,
        "xsu": Coordinates.FRACTIONAL_UNWRAPPED,
    }
    for name, kind in expected.items():
        assert open_source(folder / f"tri_{name}.dump", species=SPECIES).coordinates is kind


def test_the_old_binary_format_needs_the_names_of_its_columns(folder: Path, tmp_path: Path) -> None:
    raw = (folder / "ortho_raw.bin").read_bytes()
    new = open_lammps_binary(folder / "ortho_raw.bin", species=SPECIES)
    # what LAMMPS wrote before 2021: no magic word, byte order and revision, no units, time and names
    header, names = raw[:26], b"id type xu yu zu"
    old = raw.replace(header, b"").replace(b"\0\0\0\0" + b"\0" + len(names).to_bytes(4, "little") + names, b"")
    path = tmp_path / "old.bin"
    path.write_bytes(old)
    with pytest.raises(InputError, match=r"5 columns from before 2021.*columns="):
        open_lammps_binary(path, species=SPECIES)
    with pytest.raises(InputError, match="2 column names for 5 columns"):
        open_lammps_binary(path, species=SPECIES, columns="id type")
    source = open_lammps_binary(path, species=SPECIES, columns=names.decode())
    for found, expected in zip(source.chunks, new.chunks, strict=True):
        np.testing.assert_array_equal(found.coordinates, expected.coordinates)
        np.testing.assert_array_equal(found.steps, expected.steps)


def test_a_binary_dump_that_is_cut_off(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes((folder / "ortho.bin").read_bytes()[:-1])
    with pytest.warns(TrajectoryWarning, match="last frame, 40, is dropped"):
        assert Trajectory.read(path, species=SPECIES).n_frames == 40
    path.write_bytes((folder / "ortho.bin").read_bytes()[:200])
    with pytest.raises(FormatError, match="no complete frame"):
        Trajectory.read(path, species=SPECIES)
    raw = bytearray((folder / "ortho.bin").read_bytes())
    second = raw.index(b"DUMPCUSTOM", 100)
    raw[second + 18 + 8 + 6] = 1  # the number of atoms of frame 1 becomes astronomic
    path.write_bytes(raw)
    with pytest.raises(FormatError, match="frame 1: found 281474976710764 atoms"):
        Trajectory.read(path, species=SPECIES)


HEADER = (
    "ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n3\nITEM: BOX BOUNDS pp pp pp\n0 10\n0 10\n0 10\n"
    "ITEM: ATOMS id type x y z\n"
)


def frame(step: int, rows: str = "1 1 1 1 1\n2 1 5 5 5\n3 2 9 9 9\n", header: str = HEADER) -> str:
    return header.format(step=step) + rows


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("1 1 1 1 1\n2 1 5 5 5\n4 2 9 9 9\n", r"frame 2, atom id 4: this id is not in the first frame"),
        ("1 1 1 1 1\n2 1 5 5 5\n2 1 5 5 5\n", r"frame 2, atom id 2: this id is there twice"),
        ("1 1 1 1 1\n2 2 5 5 5\n3 2 9 9 9\n", r"frame 2, atom id 2: the atom's type or element is another"),
        ("1 1 1 1 1\n2 1 nan 5 5\n3 2 9 9 9\n", r"frame 2, atom id 2: column 3 is not finite"),
        ("1 1 1 1 1\n2 1 5 5.1.2 5\n3 2 9 9 9\n", r"frame 2, atom id 2: column 4 is not a number in '2 1 5 5.1.2 5'"),
        ("1 1 1 1 1\n2 1 5 5\n3 2 9 9 9\n", r"frame 2, atom id 2: found 4 columns, expected 5"),
        ("1 1 1 1 1\n2 1 5 5 5 5\n3 2 9 9 9\n", r"frame 2, atom id 2: found 6 columns, expected 5"),
        ("1 1 1 1 1\n2 1 5 5 5\n", r"frame 2: ends after 2 of 3 atoms"),
        ("1 1 1 1 1\n2 1 5 5 5\n3 2 9 9 9\n4 1 2 2 2\n", r"frame 3: expected a frame that begins with ITEM: TIMESTEP"),
        ("1 1 1 1 1\n2 1 9.5 5 5\n3 2 9 9 9\n", r"frame 2, atom 1 .*moved by more than 0.4"),
    ],
)
def test_a_damaged_frame_is_named(tmp_path: Path, bad: str, message: str) -> None:
    path = tmp_path / "bad.dump"
    path.write_text(frame(0) + frame(10) + frame(20, bad) + frame(30) + frame(40))
    with pytest.raises(FormatError, match=message) as error:
        Trajectory.read(path, species=SPECIES, timestep_fs=1.0)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace("\n3\n", "\n4\n"), "frame 1 has 4 atoms, the first had 3"),
        (HEADER.replace("x y z", "y x z"), "frame 1 has columns 'id type y x z', the first had 'id type x y z'"),
        (HEADER.replace("0 10\nITEM", "0 nan\nITEM"), "frame 1: box bounds: not finite"),
        (HEADER.replace("0 10\nITEM", "0 0\nITEM"), "frame 1: the box has no volume"),
        (HEADER.replace("0 10\nITEM", "0 10 1\nITEM"), "frame 1: orthogonal box bounds need 2 numbers a line"),
        (HEADER.replace("pp pp pp", "pp pp sm"), "frame 1: the box is shrink-wrapped along z"),
        (HEADER.replace("NUMBER", "NOMBER"), "frame 1: expected a frame that begins with ITEM: TIMESTEP"),
    ],
)
def test_a_damaged_header_is_named(tmp_path: Path, header: str, message: str) -> None:
    path = tmp_path / "bad.dump"
    path.write_text(frame(0) + frame(10, header=header) + "".join(frame(10 * t) for t in range(2, 600)))
    with pytest.raises(FormatError, match=message):
        Trajectory.read(path, species=SPECIES, timestep_fs=1.0)


def test_every_place_where_a_file_may_be_cut_off(tmp_path: Path) -> None:
    whole = frame(0) + frame(10) + frame(20)
    begin = len(frame(0) + frame(10))
    path = tmp_path / "cut.dump"
    for end in range(begin + 1, len(whole)):
        path.write_text(whole[:end])
        with pytest.warns(TrajectoryWarning, match="cut off at its end.*frame 2.*dropped, 2 are kept"):
            trajectory = Trajectory.read(path, species=SPECIES, timestep_fs=1.0)
        assert trajectory.n_frames == 2
        assert any("cut off" in operation for operation in trajectory.provenance.operations)
    for end in (begin, len(whole)):
        path.write_text(whole[:end])
        assert Trajectory.read(path, species=SPECIES, timestep_fs=1.0).n_frames == (2 if end == begin else 3)


def test_a_first_frame_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.dump"
    for end in range(20, len(frame(0))):
        path.write_text(frame(0)[:end])
        with pytest.raises(FormatError, match="no complete frame"):
            Trajectory.read(path, species=SPECIES, timestep_fs=1.0)


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.dump"
    path.write_text(frame(0) + frame(10))
    with pytest.raises(InputError, match=r'atom types but no elements or masses; pass species=\{1: "…", 2: "…"\}'):
        Trajectory.read(path, timestep_fs=1.0)
    with pytest.raises(InputError, match="species names no symbol for atom type 2"):
        Trajectory.read(path, timestep_fs=1.0, species={1: "Li"})
    with pytest.raises(InputError, match="pass timestep_fs=, or frame_spacing_fs="):
        Trajectory.read(path, species=SPECIES)
    with pytest.raises(InputError, match="units 'lj' are not read, only metal and real"):
        Trajectory.read(path, species=SPECIES, timestep_fs=1.0, units="lj")
    path.write_text(frame(0, "1 1\n2 1\n3 2\n", HEADER.replace(" x y z", "")))
    with pytest.raises(FormatError, match="columns id type hold no coordinates"):
        Trajectory.read(path, species=SPECIES, timestep_fs=1.0)


def test_units_of_the_file_and_of_the_caller_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "run.dump"
    body = "ITEM: TIME\n{time}\n"
    path.write_text("ITEM: UNITS\nreal\n" + body.format(time=0) + frame(0) + body.format(time=50) + frame(10))
    assert Trajectory.read(path, species=SPECIES).frame_spacing_fs == 50.0
    with pytest.raises(InputError, match="the file says units real, units='metal' was asked for"):
        Trajectory.read(path, species=SPECIES, units="metal")


def test_atoms_without_ids_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "run.dump"
    header = HEADER.replace("id type", "type")
    rows = "1 1 1 1\n1 5 5 5\n2 9 9 9\n"
    path.write_text(frame(0, rows, header) + frame(10, rows, header))
    trajectory = Trajectory.read(path, species=SPECIES, timestep_fs=1.0)
    assert any("no id column" in operation for operation in trajectory.provenance.operations)
    path.write_text(frame(0, rows, header) + frame(10, "1 1 1 1\n2 9 9 9\n1 5 5 5\n", header))
    with pytest.raises(FormatError, match=r"frame 1, atom 1 .counted from 0.: the atom's type or element is another"):
        Trajectory.read(path, species=SPECIES, timestep_fs=1.0)


def test_windows_of_any_size_read_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlip_sse.trajectory.readers import text_frames

    whole = Trajectory.read(folder / "tri_full.dump")
    for size in (100, 5000, 70_001):
        monkeypatch.setattr(text_frames, "_WINDOW_BYTES", size)
        np.testing.assert_array_equal(Trajectory.read(folder / "tri_full.dump").positions, whole.positions)


def test_image_flags_must_be_whole_and_agree_with_the_coordinates(tmp_path: Path) -> None:
    path = tmp_path / "run.dump"
    header = HEADER.replace("x y z", "x y z ix iy iz")
    good = "1 1 1 1 1 0 0 0\n2 1 5 5 5 0 0 0\n3 2 {x} 9 9 {ix} 0 0\n"
    path.write_text(frame(0, good.format(x=9, ix=0), header) + frame(10, good.format(x=1, ix=1), header))
    trajectory = Trajectory.read(path, species=SPECIES, timestep_fs=1.0)
    np.testing.assert_allclose(displacements(trajectory)[1], [[0, 0, 0], [0, 0, 0], [2, 0, 0]], atol=1e-6)
    for x, ix, message in (
        (1, 0.5, r"frame 1, atom 2 .*image flags are \[0.5, 0.0, 0.0\], expected whole numbers"),
        (1, 0, r"frame 1, atom 2 .*image flags contradict the coordinates: they change by \[0, 0, 0\]"),
        (9, 1, r"frame 1, atom 2 .*image flags contradict the coordinates: they change by \[1, 0, 0\]"),
    ):
        path.write_text(frame(0, good.format(x=9, ix=0), header) + frame(10, good.format(x=x, ix=ix), header))
        with pytest.raises(FormatError, match=message):
            Trajectory.read(path, species=SPECIES, timestep_fs=1.0)
