"""The family lammps_pair: deck lines, card, saving and loading."""

import json

import pytest

from mlip_sse.catalogue import entries
from mlip_sse.errors import CatalogueError, InputError, SpecError
from mlip_sse.potentials import Potential, load_potential
from mlip_sse.specs import read_yaml


def test_the_lines_of_licl(licl):
    lines = licl.lammps()
    assert lines.atom_style == "charge"
    assert lines.elements == ("Li", "Cl")
    assert lines.masses_amu == (6.94, 35.45)
    assert lines.charges_e == (1.0, -1.0)
    assert lines.files == ()
    assert [line.split()[:3] for line in lines.commands] == [
        ["pair_style", "born/coul/long", "8.0"],
        ["pair_coeff", "1", "1"],
        ["pair_coeff", "1", "2"],
        ["pair_coeff", "2", "2"],
        ["kspace_style", "ewald", "0.0001"],
    ]


def test_the_order_of_types_is_the_callers(licl):
    turned = licl.lammps(["Cl", "Li"])
    assert turned.masses_amu == (35.45, 6.94)
    assert turned.charges_e == (-1.0, 1.0)
    forward = {tuple(line.split()[1:3]): line.split()[3:] for line in licl.lammps().commands[1:4]}
    backward = {tuple(line.split()[1:3]): line.split()[3:] for line in turned.commands[1:4]}
    assert backward == {("1", "1"): forward["2", "2"], ("1", "2"): forward["1", "2"], ("2", "2"): forward["1", "1"]}


def test_one_element_alone_needs_only_its_own_line(licl):
    assert [line.split()[0] for line in licl.lammps(["Cl"]).commands] == ["pair_style", "pair_coeff", "kspace_style"]


def test_an_uncharged_potential_asks_for_no_charges(argon):
    assert argon.lammps().charges_e is None
    assert argon.lammps().atom_style == "atomic"


def test_an_element_it_does_not_know_is_refused(licl):
    with pytest.raises(InputError, match="knows Li, Cl, not Na"):
        licl.lammps(["Li", "Na"])


SHIPPED = [entry for entry in entries("potentials") if (entry.path.parent / "card.json").is_file()]


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_the_card_beside_each_shipped_recipe_is_its_own(entry):
    potential = load_potential(entry.name)
    assert isinstance(potential, Potential)
    assert json.loads((entry.path.parent / "card.json").read_text(encoding="utf-8")) == potential.card.to_dict()
    assert all("doi:10." in reference for reference in potential.card.references)


def test_saved_and_loaded_is_the_same(licl, tmp_path):
    folder = licl.save(tmp_path / "licl_born_mayer")
    again = load_potential(folder)
    assert again.lammps() == licl.lammps()
    assert again.card == licl.card
    assert load_potential(folder / "potential.yaml").card == licl.card
    assert json.loads((folder / "card.json").read_text(encoding="utf-8")) == licl.card.to_dict()


def test_a_file_with_a_name_of_its_own_names_the_potential(licl, tmp_path):
    path = licl.save(tmp_path / "folder") / "potential.yaml"
    own = path.rename(tmp_path / "mine.yaml")
    assert load_potential(own).card.name == "mine"


def test_a_changed_number_changes_the_card(licl, tmp_path):
    path = licl.save(tmp_path / "licl_born_mayer") / "potential.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("0.342", "0.3425", 1), encoding="utf-8")
    assert read_yaml(path) != {}
    assert load_potential(path).card.sha256 != licl.card.sha256


def test_a_name_that_is_not_there_lists_those_that_are():
    with pytest.raises(CatalogueError, match=r"argon_lennard_jones.*did you mean 'licl_born_mayer'"):
        load_potential("licl_born_meyer")


def test_a_family_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "potential.yaml").write_text("description: x\nfamily: crystal_ball\n", encoding="utf-8")
    with pytest.raises(SpecError, match="'family': found 'crystal_ball', expected one of lammps_pair"):
        load_potential(tmp_path)
