"""`mlip-sse react`: the names that scripts rely on, the text, and one line for what goes wrong."""

import json
import re

import pytest


@pytest.fixture
def entries(tmp_path):
    """Write a small file of Li, O and Fe; formation energies in eV per formula unit."""
    energies = {
        "Li": 0.0,
        "O2": 0.0,
        "Fe": 0.0,
        "Li2O": -6.0,
        "Li2O2": -6.4,
        "FeO": -2.6,
        "LiFeO2": -7.0,
        "Fe2O3": -8.0,
    }
    compositions = {
        **{"Li": {"Li": 1}, "O2": {"O": 2}, "Fe": {"Fe": 1}, "Li2O": {"Li": 2, "O": 1}, "Li2O2": {"Li": 2, "O": 2}},
        **{"FeO": {"Fe": 1, "O": 1}, "LiFeO2": {"Li": 1, "Fe": 1, "O": 2}, "Fe2O3": {"Fe": 2, "O": 3}},
    }
    path = tmp_path / "entries.json"
    path.write_text(
        json.dumps([{"composition": compositions[f], "energy": e, "entry_id": f} for f, e in energies.items()])
    )
    return path


STABLE_NAMES = ["reaction_energy_ev_atom", "mutual_reaction_energy_ev_atom", "mixing_fraction", "products", "kinks"]


def test_two_phases_give_the_names_that_scripts_rely_on(program, entries):
    done = program("react", "Fe2O3", "Li2O", "--entries", entries, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert list(result)[:5] == STABLE_NAMES
    # Fe2O3 + Li2O → 2 LiFeO2: −14 + 14 = 0 eV: on the tie line, no energy is gained
    assert result["reaction_energy_ev_atom"]["value"] == 0.0
    assert result["reaction_energy_ev_atom"]["method"] == "no interval: the energies carry none"
    done = program("react", "FeO", "Li", "--entries", entries, "--json")
    result = json.loads(done.out)
    assert result["equation"] == "FeO + 2 Li → Li2O + Fe"
    assert result["reaction_energy_ev_atom"]["value"] == pytest.approx((-6.0 + 2.6) / 4)
    assert result["mixing_fraction"] == pytest.approx(0.5)
    assert set(result["products"]) == {"Li2O", "Fe"}
    assert len(result["provenance"]["inputs"][0]["sha256"]) == 64


def test_open_to_an_element_at_a_voltage(program, entries):
    done = program("react", "Fe2O3", "Li2O2", "--entries", entries, "--open", "Li", "--voltage", "3.1", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["chemical_potentials_ev"] == {"Li": -3.1}
    assert "without Li" in result["normalisation"]


def test_one_phase_shows_its_window(program, entries):
    done = program("react", "Li2O", "--entries", entries)
    assert (
        "voltage window of the phase: 0.0000 (no interval) to 2.8000" in done.out
    )  # 2 Li2O → Li2O2 + 2 Li costs 5.6 eV
    result = json.loads(program("react", "Li2O", "--entries", entries, "--json").out)
    assert result["oxidation_limit_v"]["value"] == pytest.approx(2.8)
    assert result["profile"][-1]["high_v"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Li2S", "Li"], "no entry holds S"),
        (["Li2O", "Qq"], "found the formula 'Qq'"),
        (["Li2O", "Li4O2"], "on both sides"),
        (["Li2O", "FeO", "--voltage", "2"], "--open Li"),
        (["Li2O", "FeO", "--open", "Li", "--voltage", "-1"], "the metal plates"),
        (["Li2O", "FeO", "--open", "O", "--voltage", "1"], "carries current"),
        (["Li2O", "Li", "--open", "Li"], "nothing but elements of the reservoir"),
        (["Li2O", "FeO", "--corrections", "best"], "as-stored, none"),
        (["Li2O", "FeO", "--corrections", "MP2020"], "cannot be applied"),
    ],
)
def test_bad_input_is_one_line(program, entries, arguments, words):
    done = program("react", *arguments, "--entries", entries)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1


def test_without_entries(program, tmp_path):
    assert "no --entries" in program("react", "Li2O", "Li").err
    assert "no entries at" in program("react", "Li2O", "Li", "--entries", tmp_path / "none.json").err


def test_crystals_relaxed_with_a_potential_or_a_reference(program, tmp_path, monkeypatch):
    """Any calculator: here one whose energy is a number for each atom, so that nothing moves and nothing reacts."""
    (tmp_path / "levels.py").write_text(
        "import numpy as np\n"
        "from ase.calculators.calculator import Calculator\n"
        "class Levels(Calculator):\n"
        "    implemented_properties = ['energy', 'forces', 'stress']\n"
        "    def calculate(self, atoms=None, properties=None, system_changes=None):\n"
        "        n = len(atoms)\n"
        "        energy = -1.5 * sum(atoms.symbols == 'Li') - (4.0 if set(atoms.symbols) == {'Li', 'Cl'} else 0.0)\n"
        "        self.results = {'energy': energy, 'forces': np.zeros((n, 3)), 'stress': np.zeros(6)}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    done = program("react", "LiCl", "--entries", "relaxed:ase:levels:Levels", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["entry"] == "licl"
    assert result["oxidation_limit_v"]["value"] == pytest.approx(1.0)  # four LiCl in the cell share 4 eV
    again = program("react", "LiCl", "Li", "--entries", tmp_path / "out" / "entries.json", "--json")
    assert json.loads(again.out)["reaction_energy_ev_atom"]["value"] == 0.0
    refused = program("react", "LiCl", "--entries", "relaxed:ase:levels:Levels", "--corrections", "none")
    assert "expected as-stored" in refused.err


def test_tables_and_coatings(program, entries, tmp_path):
    done = program("react", "Li2O,LiFeO2", "Fe2O3,Li", "--entries", entries, "--out", tmp_path / "table", "--json")
    assert done.code == 0, done.err
    first = json.loads(done.out)["table"][0]
    assert (first["first"], first["second"]) == ("Li2O", "Fe2O3")
    names = {path.name for path in (tmp_path / "table").iterdir()}
    assert names == {"reaction.json", "entries.json", "table.csv", "table.png", "table.svg"}
    done = program("react", "FeO", "Li", "any", "--entries", entries)
    assert "Li2O" in done.out
    assert "toward FeO" in done.out


def test_the_page_shows_what_the_program_prints(program, shared_data, repository, tmp_path, monkeypatch):
    (tmp_path / "entries.json").symlink_to(shared_data("lifepo_entries/Li-Fe-P-O_entries.json").resolve())
    monkeypatch.chdir(tmp_path)
    page = (repository / "docs" / "stable-against-lithium.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n\$ mlip-sse (.*?)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    for command, shown in blocks:
        assert program(*command.split()).out == shown
