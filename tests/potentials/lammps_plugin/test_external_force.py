"""An ASE calculator inside of LAMMPS: the same forces, pressure and energies as outside, and no silent failure."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lammps import Prism
from ase.calculators.lj import LennardJones

from mlip_sse.errors import InputError, RunError
from mlip_sse.potentials.lammps_install import open_library
from mlip_sse.potentials.lammps_pair import LammpsPairPotential
from mlip_sse.potentials.lammps_plugin.external_force import attach_external_force, give_to_lammps

pytestmark = [pytest.mark.usefixtures("lammps"), pytest.mark.filterwarnings("ignore:LAMMPS evaluates the potential")]

BAR_PER_EV_A3 = 1.602176634e6


def argon():
    """Return a calculator that ends smoothly, so that no pair sits at the cutoff."""
    return LennardJones(sigma=3.4, epsilon=0.0103, rc=7.0, ro=5.0, smooth=True)


class Failing(Calculator):
    implemented_properties = ("energy", "forces", "stress")
    calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        self.calls += 1
        if self.calls > 3:
            raise ValueError("the basis\nran away")
        n = len(atoms)
        self.results = {"energy": 0.0, "forces": np.zeros((n, 3)), "stress": np.zeros(6)}


def sheared(repeats=(2, 2, 2)):
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(repeats)
    atoms.rattle(0.1, seed=3)
    strain = np.array([[0.02, 0.03, -0.02], [0.01, -0.01, 0.04], [0.0, 0.02, 0.01]])
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    atoms.symbols[1] = "Kr"
    return atoms


@pytest.fixture
def start():
    """Return a function that gives LAMMPS the atoms, with the cell turned as LAMMPS wants it; all are closed later."""
    engines = []

    def begin(atoms, units="metal"):
        engine = open_library()
        engines.append(engine)
        prism = Prism(atoms.cell.array)
        x, y, z, xy, xz, yz = map(float, prism.get_lammps_prism())
        engine.commands_list([f"units {units}", "atom_modify map array sort 0 0", "box tilt large"])
        engine.commands_list(
            [f"region r prism -1 {x - 1!r} 2 {y + 2!r} 0 {z!r} {xy!r} {xz!r} {yz!r}", "create_box 2 r"]
        )
        positions = prism.vector_to_lammps(atoms.positions, wrap=True) + np.array([-1, 2, 0])
        types = [1 if symbol == "Ar" else 2 for symbol in atoms.get_chemical_symbols()]
        engine.create_atoms(len(atoms), list(range(1, len(atoms) + 1)), types, positions.ravel().tolist())
        engine.commands_list(["mass 1 39.95", "mass 2 83.8"])
        return engine, prism

    yield begin
    for engine in engines:
        engine.close()


def test_forces_pressure_and_energies_are_those_of_the_calculator(start):
    from lammps import LMP_STYLE_GLOBAL, LMP_TYPE_SCALAR

    atoms = sheared()
    engine, prism = start(atoms)
    with pytest.warns(UserWarning, match=r"fix external, on one rank .* mlip-sse build-plugin"):
        force = attach_external_force(engine, argon(), ["Ar", "Kr"])
    engine.commands_list(["compute e all pe/atom", "compute s all reduce sum c_e"])
    engine.commands_list(["thermo_style custom step pe pxx pyy pzz pyz pxz pxy c_s", "run 0"])
    force.raise_failure()
    atoms.calc = argon()
    found = np.array(engine.gather_atoms("f", 1, 3)).reshape(-1, 3)
    assert prism.vector_to_ase(found) == pytest.approx(atoms.get_forces(), abs=1e-12)  # the very same sums
    assert engine.get_thermo("pe") == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
    assert engine.extract_compute("s", LMP_STYLE_GLOBAL, LMP_TYPE_SCALAR) == pytest.approx(
        atoms.get_potential_energy(), abs=1e-12
    )
    rotation = prism.vector_to_lammps(np.eye(3))
    stress = rotation.T @ atoms.get_stress(voigt=False) @ rotation
    pressure = -np.array([engine.get_thermo(name) for name in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")])
    wanted = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] * BAR_PER_EV_A3
    assert pressure == pytest.approx(wanted, abs=1e-2)  # bar: LAMMPS' constant of pressure has 7 digits
    assert np.abs(wanted).max() > 100


def test_dynamics_keep_the_energy(start):
    atoms = sheared()
    engine, _ = start(atoms)
    force = attach_external_force(engine, argon(), ["Ar", "Kr"])
    engine.commands_list(["velocity all create 60 5", "fix move all nve", "timestep 0.002"])
    engine.command("thermo_style custom step etotal ke")
    engine.command("run 0")
    before, moving = engine.get_thermo("etotal"), engine.get_thermo("ke")
    engine.command("run 60")
    force.raise_failure()
    assert abs(engine.get_thermo("etotal") - before) < 0.01 * moving  # Verlet at 2 fs and 60 K


def test_a_calculator_that_fails_ends_the_run_and_is_quoted(start):
    engine, _ = start(sheared())
    force = attach_external_force(engine, Failing(), ["Ar", "Kr"])
    engine.commands_list(["fix move all nve", "thermo 1", "run 1000"])
    assert engine.extract_global("ntimestep") < 20  # LAMMPS looks every tenth step whether it shall stop
    assert np.isnan(engine.get_thermo("pe"))
    assert force.calculator.calls < 20
    with pytest.raises(RunError, match="the calculator failed inside of LAMMPS: the basis ran away"):
        force.raise_failure()


def test_what_cannot_work_is_refused(start):
    engine, _ = start(sheared(), units="real")
    with pytest.raises(InputError, match="found LAMMPS units 'real', expected 'metal'"):
        attach_external_force(engine, argon(), ["Ar", "Kr"])
    engine, _ = start(sheared())
    with pytest.raises(InputError, match="found 1 elements for 2 atom types"):
        attach_external_force(engine, argon(), ["Ar"])


def test_more_than_one_rank_is_refused():
    class TwoRanks:
        def extract_setting(self, name):
            return 2

    with pytest.raises(InputError, match="one MPI rank, found 2: compile the pair style"):
        attach_external_force(TwoRanks(), argon(), ["Ar"])


class Allegro:
    """A potential whose pair style LAMMPS does not have, and which cannot even write its file without a compiler."""

    family = "allegro"

    def calculator(self):
        return argon()

    def lammps(self, elements=None):
        raise RunError("found no C++ compiler")


def test_a_potential_whose_pair_style_was_not_compiled_goes_through_fix_external(start, monkeypatch):
    atoms = sheared()
    engine, _ = start(atoms)
    monkeypatch.setattr(engine, "has_style", lambda category, name: False)
    with pytest.warns(UserWarning, match="fix external"):
        force = give_to_lammps(engine, Allegro(), ["Ar", "Kr"])
    engine.command("run 0")
    force.raise_failure()
    assert engine.get_thermo("pe") == pytest.approx(argon().get_potential_energy(atoms), abs=1e-10)


def test_a_potential_whose_pair_style_is_there_gets_it(start, licl):
    atoms = bulk("LiCl", "rocksalt", a=5.2, cubic=True).repeat(2)
    atoms.symbols = ["Ar" if symbol == "Li" else "Kr" for symbol in atoms.get_chemical_symbols()]
    engine, _ = start(atoms)
    born = licl.recipe.model_copy(
        update={"pair_style": "born", "pair_arguments": (8.0,), "charges_e": {}, "kspace": None}
    )
    potential = LammpsPairPotential(born, "uncharged")
    assert give_to_lammps(engine, potential, ["Li", "Cl"]) is None
    engine.command("run 0")
    atoms.symbols = ["Li" if symbol == "Ar" else "Cl" for symbol in atoms.get_chemical_symbols()]
    assert engine.get_thermo("pe") == pytest.approx(potential.calculator().get_potential_energy(atoms), rel=1e-12)
