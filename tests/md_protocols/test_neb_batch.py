"""Many compounds in one command: what fails stops nothing, what is done is done once, and the table holds features."""

import csv
import json

import numpy as np
import pytest
from ase.io import write

from mlip_sse.errors import InputError, SpecError
from mlip_sse.md_protocols import NebBatchSpec, load_protocol, run_neb_batch
from mlip_sse.md_protocols.neb_batch import build_compound, mobile_element
from mlip_sse.md_protocols.neb_features import COLUMNS, hop_features, table_text
from mlip_sse.structures import crystal
from mlip_sse.structures.prototypes import prototype_crystal

ONE = {"scheduler": "embedded", "cores": 1}
SMALL = {
    "description": "salts",
    "protocol": "neb_batch",
    "structures": ["rocksalt:LiCl", "li2s", "nothing"],
    "potential": "licl_born_mayer",
    "cell": "isotropic",
    "min_width_a": 8.0,
    "reach": 1.1,
    "n_images": 3,
    "fmax": 0.01,
    "n_neighbours": 2,
    "vibrations": {"n_neighbours": 4, "steps_a": [0.02, 0.04]},
}


@pytest.fixture(scope="module")
def batch(tmp_path_factory, lammps):
    """Return the folder and the result of a batch of which one compound has a barrier."""
    folder = tmp_path_factory.mktemp("batch")
    return folder, run_neb_batch(NebBatchSpec.parse(SMALL), folder, engine=ONE)


def test_a_compound_that_fails_has_a_row_and_the_others_their_barriers(batch):
    _, result = batch
    good, sulphide, nothing = result.rows
    assert (good["quality"], sulphide["quality"], nothing["quality"]) == ("pass", "refused", "refused")
    assert "knows Li, Cl, not S" in sulphide["reasons"][0]
    assert "neither a file nor a crystal" in nothing["reasons"][0]
    assert (sulphide["compound"], nothing["compound"]) == ("Li2S", "nothing")
    assert not result.is_refused


def test_the_features_are_those_of_the_structure(batch):
    folder, result = batch
    row = result.rows[0]
    assert set(row) <= set(COLUMNS)
    assert (row["coordination_start"], row["coordination_end"], row["bottleneck_ion"]) == (6, 6, "Cl")
    radii = 0.76 + 1.81
    assert row["bottleneck_distance_a"] - row["bottleneck_clearance_a"] == pytest.approx(radii)
    assert row["counterion_polarizability_a3"] == row["bottleneck_polarizability_a3"] == 3.66
    a = row["hop_distance_a"] * np.sqrt(2)
    madelung = -1.747564594633 * 14.399645 / (a / 2)
    assert row["site_energy_start_ev"] == pytest.approx(madelung, rel=1e-6)
    assert row["site_energy_rise_ev"] > 0
    assert row["attempt_frequency_forward_low_thz"] <= row["attempt_frequency_forward_thz"] < 40
    rate = row["attempt_frequency_forward_thz"] * np.exp(-row["barrier_forward_ev"] / (8.617333262e-5 * 300))
    assert row["hop_rate_forward_thz"] == pytest.approx(rate)
    assert row["vacancy_diffusivity_cm2_s"] == pytest.approx(12 * row["hop_distance_a"] ** 2 * rate / 6 * 1e-4)
    assert (folder / row["band_file"]).is_file()


def test_the_table_is_the_result_and_is_made_once(batch):
    folder, result = batch
    with open(result.table, newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(COLUMNS)
    assert float(rows[0]["barrier_forward_ev"]) == pytest.approx(result.rows[0]["barrier_forward_ev"], rel=1e-7)
    assert rows[1]["barrier_forward_ev"] == ""
    plain = json.loads((folder / "barriers.json").read_text())
    assert plain["columns"] == dict(COLUMNS)
    assert plain["rows"][0]["quality"] == "pass"
    before = (folder / "barriers.csv").read_bytes()
    again = run_neb_batch(NebBatchSpec.parse(SMALL), folder, engine=ONE)
    assert (result.n_reused, again.n_reused) == (0, 2)
    assert (folder / "barriers.csv").read_bytes() == before


def test_one_more_compound_computes_that_one_alone(batch, tmp_path):
    folder, _ = batch
    write(tmp_path / "mine.cif", crystal("licl"))
    more = NebBatchSpec.parse({**SMALL, "structures": ["rocksalt:LiCl", "./mine.cif"]}).beside(tmp_path)
    assert more.structures[1].startswith(str(tmp_path))
    result = run_neb_batch(more, folder, engine=ONE)
    assert result.n_reused == 2
    assert [row["quality"] for row in result.rows] == ["pass", "pass"]
    assert result.rows[1]["barrier_forward_ev"] == pytest.approx(result.rows[0]["barrier_forward_ev"], abs=2e-3)


def test_features_without_a_band_are_those_of_the_crystal():
    atoms = prototype_crystal("antiperovskite", "Li3OCl")
    hop = {"start": 0, "end": 1, "distance_a": 2.8, "n_equivalent": 24, "is_reversible": True}
    hop |= {"are_sites_equivalent": True, "highest_image": None}
    found = hop_features(atoms, hop, [], {"Li": 1, "O": -2, "Cl": -1})
    assert found["counterion_polarizability_a3"] == pytest.approx((3.88 + 3.66) / 2)
    assert "bottleneck_ion" not in found
    assert found["site_energy_start_ev"] == pytest.approx(found["site_energy_end_ev"])
    assert found["barrier_forward_ev"] is None
    line = table_text([{**found, "quality": "refused", "reasons": ["one", "two"]}]).splitlines()[1]
    assert "one; two" in line
    assert line.count(",") >= len(COLUMNS) - 1


def test_the_mobile_ion_is_found():
    assert mobile_element(build_compound("antiperovskite:K3SeI")) == "K"
    assert mobile_element(build_compound("li3ocl")) == "Li"
    with pytest.raises(InputError, match="expected mobile: to say"):
        mobile_element(build_compound("s8"))


def test_the_worked_set_has_36_compounds_that_can_all_be_built():
    spec = load_protocol("antiperovskite_barriers")
    assert isinstance(spec, NebBatchSpec)
    assert len(spec.structures) == 36
    for name in spec.structures:
        atoms = build_compound(name)
        assert (len(atoms), mobile_element(atoms)) == (5, name.split(":")[1].split("3")[0])
        assert 3.5 < atoms.cell.lengths()[0] < 7.0  # twice that is wide enough, with 39 atoms


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structures": ["licl", "licl"]}, "structures: found licl twice"),
        ({"structures": []}, "structures"),
        ({"mobile": "lithium"}, "mobile"),
        ({"structure": {"crystal": "licl"}}, "unknown key 'structure'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        NebBatchSpec.parse({**SMALL, **changes})
    assert "\n" not in str(caught.value)


def test_one_structure_does_not_replace_many(tmp_path):
    with pytest.raises(SpecError, match="this protocol names several"):
        NebBatchSpec.parse(SMALL).with_structure(tmp_path / "x.cif")


def test_cells_are_as_wide_as_the_hops_of_their_compound_need():
    """A width that fits the smallest lattice of a list would refuse the largest."""
    from mlip_sse.md_protocols.neb_batch import _wide_enough
    from mlip_sse.md_protocols.neb_specs import NebSettings
    from mlip_sse.md_protocols.neb_vacancy import find_hops, hop_ends
    from mlip_sse.structures.prototypes import prototype_crystal

    for formula in ("Li3OCl", "K3SeI"):
        crystal = prototype_crystal("antiperovskite", formula)
        settings = NebSettings(mobile=formula[: 1 + formula[1].islower()], min_width_a=7.0, reach=1.05)
        (hop,) = find_hops(crystal, settings)
        wide = _wide_enough(settings, hop)
        hop_ends(crystal, hop, wide.min_width_a)
        if wide != settings:
            with pytest.raises(InputError, match="raise min_width_a"):
                hop_ends(crystal, hop, settings.min_width_a)
    assert wide.min_width_a == pytest.approx(1.001 * hop.distance / 0.45)
