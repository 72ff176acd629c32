"""What is read from files: pymatgen's JSON as data, folders of vasprun.xml, the hint where mp-api is missing."""

import gzip
import json
import sys
import types
from typing import ClassVar

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from mlip_sse.analysis.reactions import ConvexHull, EnergyState, RelaxedEnergy, Scheme, competing_phases, react
from mlip_sse.analysis.reactions.entries import (
    fetch_materials_project,
    phases_of,
    read_entries,
    read_phases,
    read_vasprun_folder,
)
from mlip_sse.errors import FormatError, InputError, MissingExtraError, RunError
from tests.dataset.vasp_files import write_vasprun

ENTRY = {"composition": {"Li": 2.0, "O": 1.0}, "energy": -14.0, "entry_id": "mp-1960"}


@pytest.fixture
def write(tmp_path):
    def write(content, name="entries.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_entries_as_pymatgen_writes_them(tmp_path):
    from monty.serialization import dumpfn
    from pymatgen.core import Lattice, Structure
    from pymatgen.core.entries import ComputedEntry, ComputedStructureEntry

    structure = Structure(Lattice.cubic(4.0), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    dumpfn([ComputedEntry("Li2O", -14.0, entry_id="a"), ComputedStructureEntry(structure, -7.0)], tmp_path / "e.json")
    one, two = read_entries(tmp_path / "e.json")
    assert (one.amounts, one.energy, one.name) == ({"Li": 2.0, "O": 1.0}, -14.0, "a")
    assert (two.amounts, two.energy) == ({"Li": 1.0, "Cl": 1.0}, -7.0)


def test_adjustments_are_summed_with_their_names(write):
    adjustment = {"adj_per_atom": -0.687, "n_atoms": 1, "name": "MP2020 anion correction (oxide)"}
    entry = read_entries(write([{**ENTRY, "energy_adjustments": [adjustment]}]))[0]
    assert entry.correction == pytest.approx(-0.687)
    assert entry.names == ("MP2020 anion correction (oxide)",)


def test_gzipped(tmp_path):
    path = tmp_path / "entries.json.gz"
    path.write_bytes(gzip.compress(json.dumps([ENTRY]).encode()))
    assert read_entries(path)[0].name == "mp-1960"


def test_a_file_cannot_name_a_class_to_be_made(write):
    path = write([{**ENTRY, "@module": "subprocess", "@class": "Popen", "args": ["true"]}])
    with pytest.raises(FormatError, match="class 'Popen', expected one of ComputedEntry"):
        read_entries(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "expected a JSON file"),
        ([], "no list of entries"),
        ([{"composition": {"Li": 1}}], "energy"),
        ([{"energy": 1.0, "composition": {"Xq": 1}}], "element 'Xq'"),
        ([3], "found int"),
    ],
)
def test_what_is_no_list_of_entries(write, content, words):
    with pytest.raises(FormatError, match=words):
        read_entries(write(content))


def test_energies_that_are_no_numbers_are_refused(write):
    path = write('[{"composition": {"Li": 1}, "energy": NaN, "entry_id": "x"}]')
    with pytest.raises(InputError, match="found an energy of nan"):
        read_phases(path)


def test_uncertainties_in_the_data_reach_the_interval(write):
    entries = [
        {"composition": {"Li": 1}, "energy": 0.0},
        {"composition": {"O": 2}, "energy": 0.0},
        {**ENTRY, "energy": -6.0, "data": {"uncertainty_ev_atom": 0.03}},
    ]
    interval = react(ConvexHull(read_phases(write(entries))), "Li", "O2").reaction_energy_ev_atom
    assert interval.low < -2.0 < interval.high


def write_run(folder, symbol, energy, **how):
    """Write a run of one element at this energy in eV/atom."""
    atoms = bulk(symbol, "bcc", a=3.4, cubic=True)
    labels = {"forces": np.zeros((2, 3)), "stress": np.zeros(6)}
    atoms.calc = SinglePointCalculator(atoms, energy=2 * energy, **labels)
    folder.mkdir(parents=True, exist_ok=True)
    write_vasprun(folder / "vasprun.xml", [atoms], **how)


def test_folders_of_vasprun(tmp_path):
    write_run(tmp_path / "runs" / "a", "Li", -1.9)
    write_run(tmp_path / "runs" / "b", "S", -4.1)
    lithium, sulphur = read_vasprun_folder(tmp_path / "runs")
    assert (lithium.name, lithium.amounts) == ("a", {"Li": 2.0})
    assert lithium.energy == pytest.approx(-3.8, abs=0.03)  # the writer lets VASP's three energies differ
    assert sulphur.amounts == {"S": 2.0}
    phases = read_phases(tmp_path / "runs")
    assert phases.scheme is Scheme.NONE
    assert phases.phases[0].state.source.endswith("runs")


def test_a_run_that_did_not_converge_or_is_cut_is_named(tmp_path):
    write_run(tmp_path, "Li", -1.9, n_scf=4, nelm=4)
    with pytest.raises(FormatError, match="did not converge"):
        read_phases(tmp_path)
    whole = (tmp_path / "vasprun.xml").read_text()
    (tmp_path / "vasprun.xml").write_text(whole[:900])
    with pytest.raises(FormatError, match=r"expected a complete vasprun.xml"):
        read_phases(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"no vasprun\.xml"):
        read_phases(tmp_path / "empty")


def test_the_materials_project_needs_its_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "mp_api", None)
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mlip-sse\[mp\]'"):
        fetch_materials_project(["Li", "O"])


class FakeClient:
    """Answers as mp-api does: entries of pymatgen with named adjustments."""

    asked: ClassVar[dict] = {}

    def __init__(self, api_key):
        if api_key == "wrong":
            raise ValueError("Invalid or old API key.\nPlease obtain a new one")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def get_entries_in_chemsys(self, elements, additional_criteria):
        from pymatgen.core.entries import CompositionEnergyAdjustment, ComputedEntry

        self.asked.update(elements=elements, **additional_criteria)
        correction = CompositionEnergyAdjustment(-0.687, 1, name="MP2020 anion correction (oxide)")
        oxide = ComputedEntry("Li2O", -14.0, energy_adjustments=[correction], entry_id="mp-1960")
        return [ComputedEntry("Li", -1.9), ComputedEntry("O2", -9.9), oxide]


def test_the_materials_project_gives_entries_of_one_scheme(monkeypatch):
    module = types.ModuleType("mp_api.client")
    module.MPRester = FakeClient
    monkeypatch.setitem(sys.modules, "mp_api", types.ModuleType("mp_api"))
    monkeypatch.setitem(sys.modules, "mp_api.client", module)
    phases = phases_of(fetch_materials_project(["O", "Li"]), "materials-project")
    assert phases.scheme is Scheme.MP2020
    assert phases.lowest({"Li": 2, "O": 1}).energy == pytest.approx(-14.687)
    assert FakeClient.asked == {"elements": ["Li", "O"], "thermo_types": ["GGA_GGA+U"]}
    with pytest.raises(RunError, match=r"gave no entries \(Invalid or old API key. Please"):
        fetch_materials_project(["Li"], "wrong")


def test_competing_phases_take_any_energy():
    structures = {"lithium": bulk("Li", cubic=True), "salt": bulk("LiCl", "rocksalt", a=5.1)}
    state = EnergyState(Scheme.NONE, "toy", "test")
    phases = competing_phases(structures, lambda atoms: RelaxedEnergy(-2.0 * len(atoms), 0.4, (-4.0, -8.0)), state)
    assert [phase.formula for phase in phases.phases] == ["Li", "LiCl"]
    assert phases.phases[0].energy_per_atom == -2.0
    assert phases.phases[1].committee_ev_atom == (-2.0, -4.0)
    assert phases.phases[1].uncertainty_ev_atom == 0.2
    with pytest.raises(InputError, match="no crystal"):
        competing_phases({}, lambda atoms: RelaxedEnergy(0.0), state)
