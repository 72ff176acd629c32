"""Glasses from packed units: made, looked at, and let diffuse, from one spec."""

import numpy as np
import pytest
from ase.io import read

from mlip_sse.errors import InputError, SpecError
from mlip_sse.md_protocols import MeltQuenchSpec, load_protocol, run_melt_quench
from mlip_sse.md_protocols.specs import StructureSpec
from mlip_sse.md_protocols.structure import build_structure

SMALL = {
    "description": "three glasses of 8 PS4, quenched at once",
    "protocol": "melt_quench",
    "structure": {"glass": {"li2s_percent": 75.0, "n_atoms": 64}, "density_g_cm3": [1.75]},
    "potential": "li3ps4_glass_pod",
    "melt_temperature_k": 600.0,
    "melt_ps": 0.2,
    "quench_rate_k_ps": 2000.0,
    "anneal_ps": 0.4,
    "seeds": [1, 2, 3],
    "dump_every_fs": 20.0,
    "diffusion": {
        "temperatures_k": [600.0],
        "cell_ps": 0.2,
        "settle_ps": 0.1,
        "production_ps": 1.0,
        "dump_every_fs": 20.0,
    },
}


def small(**changes):
    return MeltQuenchSpec.parse({**SMALL, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of three glasses, and what was found."""
    from mlip_sse.errors import MissingExtraError

    folder = tmp_path_factory.mktemp("packed")
    try:
        return folder, run_melt_quench(small(), folder)
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_each_seed_is_packed_anew_and_its_units_hold(made):
    _, result = made
    assert [each["ended"] for each in result.glasses] == [None, None, None]
    cells = {read(each["glass"]["structure"]).get_volume() for each in result.glasses}
    assert len(cells) == 3
    assert list(result.ensemble.units) == ["PS4"]
    assert result.ensemble.intact.interval.value == 1.0
    assert result.ensemble.homopolar.interval.value == 0.0
    assert 2.03 < result.ensemble.bond.interval.value < 2.10
    assert not any(each.bragg.is_crystalline for each in result.ensemble.reports)
    assert not any(reason.startswith("seed 1: ended") for reason in result.verdict.reasons)


def test_diffusion_is_that_of_all_glasses(made):
    _, result = made
    (row,) = result.diffusion.temperatures
    assert [run["seed"] for run in row["runs"]] == [1, 2, 3]
    assert all(run["ended"] is None for run in row["runs"])
    found = [run["diffusivity_cm2_s"] for run in row["runs"] if run["diffusivity_cm2_s"] is not None]
    pooled = row["diffusivity_cm2_s"]
    if len(found) > 1:
        assert min(each.value for each in found) <= pooled.value <= max(each.value for each in found)
        assert row["between_log_sd"] >= 0.0
    volumes = [run["volume_a3"] for run in row["runs"]]
    assert np.std(volumes) > 0.0  # each glass in a mean cell of its own
    plain = result.to_dict()
    assert plain["diffusion"]["temperatures"][0]["runs"][0]["trajectory"].endswith("production.lammpstrj")
    assert plain["ensemble"]["density_g_cm3"]["interval"]["low"] < result.density_g_cm3.value


def test_nothing_is_done_twice(made):
    folder, result = made
    again = run_melt_quench(small(), folder)
    assert (result.n_reused, again.n_reused, again.diffusion.n_reused) == (0, 3, 6)
    assert again.glasses == result.glasses
    assert again.diffusion.temperatures == result.diffusion.temperatures


def test_the_shipped_protocol_is_what_the_guide_says():
    spec = load_protocol("glass_li3ps4")
    assert isinstance(spec, MeltQuenchSpec)
    assert spec.structure.glass.glass_units().counts == {"PS4": 25, "Li": 75}
    assert len(spec.seeds) == 3
    assert spec.diffusion is not None


def test_a_glass_is_a_structure_of_other_protocols_too():
    spec = StructureSpec(glass={"units": {"PS4": 8, "Li": 24}}, density_g_cm3=(1.7,))
    atoms = build_structure(spec, 1.7)
    assert atoms.get_chemical_formula() == "Li24P8S32"
    assert np.array_equal(atoms.positions, build_structure(spec, 1.7, seed=1).positions)
    shares = StructureSpec(glass={"phosphorus_shares": {"P2S7": 1.0}, "n_atoms": 65}, density_g_cm3=(1.7,))
    assert build_structure(shares, 1.7).get_chemical_formula() == "Li20P10S35"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structure": {"glass": {"li2s_percent": 75.0}}}, "glass: expected density_g_cm3"),
        (
            {"structure": {"glass": {}, "density_g_cm3": [1.8]}},
            "found none of li2s_percent, phosphorus_shares and units",
        ),
        (
            {"structure": {"glass": {"li2s_percent": 75.0, "units": {"PS4": 1, "Li": 3}}, "density_g_cm3": [1.8]}},
            "found li2s_percent and units of",
        ),
        ({"diffusion": {"temperatures_k": [700.0], "production_ps": 1.0}}, "found 700, expected at most melt_temp"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        small(**changes)
    assert "\n" not in str(caught.value)


def test_compositions_and_densities_that_cannot_be_are_named_before_anything_runs(tmp_path):
    odd = {"glass": {"li2s_percent": 68.0, "n_atoms": 40}, "density_g_cm3": [1.8]}
    with pytest.raises(InputError, match="near are 39 atoms"):
        run_melt_quench(small(structure=odd), tmp_path / "out")
    dense = {"glass": {"li2s_percent": 75.0, "n_atoms": 64}, "density_g_cm3": [2.9]}
    with pytest.raises(InputError, match=r"no packing at 2\.9 g/cm³"):
        run_melt_quench(small(structure=dense), tmp_path / "out")
    assert not (tmp_path / "out").exists()
