"""The recipes `rotation` and `regions`, on walkers and on the published trajectory of Li6PS5Cl."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.paddle_wheel import PaddleWheel
from mlip_sse.analysis.mechanism.regions_recipe import RegionsRecipe
from mlip_sse.analysis.mechanism.rotation import Rotation
from mlip_sse.analysis.mechanism.rotation_recipe import RotationRecipe
from mlip_sse.analysis.results import to_json
from mlip_sse.errors import SpecError
from mlip_sse.specs import load_spec
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.mechanism.rotating_units import jumping, units_in_a_cell

REAL = Path(__file__).parents[4] / "shared/data/li6ps5cl_md/actual_XDATCAR.gz"
CELL = 14.0 * np.eye(3)


def paddle_wheels(seed, n_frames=2500, coupled=True, n_broken=0):
    """Eight tetrahedra that jump, and 24 cations next to them that hop when they do, or at other times."""
    rng = np.random.default_rng(seed)
    quaternions, frames, units = jumping(rng, 8, n_frames, 0.002, libration_deg=8.0)
    species, positions = units_in_a_cell(quaternions, CELL)
    homes = np.repeat(positions[:1, :8], 3, axis=1) + np.tile(3.0 * np.eye(3), (8, 1))
    cations = np.repeat(homes, n_frames, axis=0)
    if not coupled:
        frames, units = rng.integers(1, n_frames, size=len(frames)), rng.integers(8, size=len(frames))
    for frame, unit in zip(frames, units, strict=True):
        ion = 3 * unit + rng.integers(3)
        cations[frame + 3 :, ion] = homes[0, ion] + 1.8 * rng.choice([-1, 1], 3) * (
            cations[frame, ion] == homes[0, ion]
        )
    cations += 0.15 * rng.standard_normal(cations.shape)
    if n_broken:
        positions[n_frames // 2 :, 8] += 3.0
    return Trajectory.from_arrays(
        [*species, *["Li"] * 24], np.concatenate([positions, cations], axis=1), CELL, 100.0, wrapped=False
    )


@pytest.fixture(scope="module")
def findings():
    recipe = load_spec("rotation", "analysis")
    found = []
    for seed, kelvin in ((1, 500.0), (2, 600.0)):
        found.append((kelvin, recipe.measure(paddle_wheels(seed).in_reference_frame("none"))))
    return recipe, found


def test_a_paddle_wheel_is_recognised(findings):
    _, found = findings
    for _, finding in found:
        assert finding.numbers["unit"] == "PS4"
        assert finding.numbers["coupling"] == "coupled"
        assert finding.numbers["coupling_p_value"] < 0.01
        # one hop follows each turn within 0.3 ps; some are not told from the hop before by the same ion
        assert 0.5 < finding.numbers["excess_hops_by_reorientation"].value < 1.2
        assert finding.numbers["n_reorientations"] == len(finding.tables["reorientations"])
        json.loads(to_json(finding))


def test_cations_that_hop_at_other_times_are_not_coupled():
    trajectory = paddle_wheels(3, coupled=False)
    result = PaddleWheel().run(trajectory, Rotation().run(trajectory))
    assert result.events.word == "no coupling seen"
    assert 0 < result.events.excess.high < 0.7
    assert result.rates.word == "no coupling seen"


def test_temperatures_are_compared_and_pooled(findings):
    recipe, found = findings
    together = recipe.compare(found)
    assert together.numbers["n_temperatures"] == 2
    energy = together.numbers["reorientation_activation_energy_ev"]
    assert energy.low < 0 < energy.high  # the same rate at both
    assert together.numbers["coupling"] == "coupled"
    assert together.numbers["coupling_p_value"] < max(f.numbers["coupling_p_value"] for _, f in found)
    assert recipe.compare(found[:1]) is None


def test_a_broken_unit_is_named_and_takes_no_part_in_the_coupling():
    trajectory = paddle_wheels(4, n_broken=1)
    rotation = Rotation().run(trajectory)
    assert any("1 of 8 units broke" in reason and "P 0 in frame 1250" in reason for reason in rotation.verdict.reasons)
    result = PaddleWheel().run(trajectory, rotation)
    assert result.events.n_reorientations < len(rotation.reorientations)


def test_one_long_flurry_of_hops_is_flagged():
    trajectory = paddle_wheels(5, coupled=False)
    positions = trajectory.positions.copy()
    positions[2000:, -24:] += 2.5 * (np.arange(500) // 25 % 2)[:, None, None]
    flurry = Trajectory.from_arrays(trajectory.species, positions, CELL, 100.0, wrapped=False)
    result = PaddleWheel().run(flurry, Rotation().run(flurry))
    assert any("flurries" in reason for reason in result.verdict.reasons)


@pytest.mark.parametrize(
    ("recipe", "keys", "found"),
    [
        (RotationRecipe, {"recipe": "rotation", "settling_angle_deg": 70.0}, "must be smaller than"),
        (RotationRecipe, {"recipe": "rotation", "n_ligands": 1}, "n_ligands"),
        (RegionsRecipe, {"recipe": "regions", "slabs": {"a": [[0.5, 0.2]]}}, "low < high"),
        (RegionsRecipe, {"recipe": "regions", "slabs": {"a": [[0, 0.2]]}, "planes": [0.5]}, "one of them"),
        (RegionsRecipe, {"recipe": "regions", "intact": "a"}, "intact"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(recipe, keys, found):
    with pytest.raises(SpecError, match=found):
        recipe.parse({"description": "test", **keys})


def test_published_trajectory_turns_by_libration_alone():
    if not REAL.exists():
        pytest.skip(f"{REAL} is not here: data of others, read in place")
    trajectory = Trajectory.read(REAL, frame_spacing_fs=100.0, temperature_k=500.0).in_reference_frame(
        "framework", ["Li"]
    )
    found = load_spec("rotation", "analysis").measure(trajectory)
    assert (found.numbers["unit"], found.numbers["n_units"], found.numbers["n_broken"]) == ("PS4", 32, 0)
    assert found.numbers["n_reorientations"] == 0
    assert found.numbers["coupling"] == "not enough events"
    assert 8 < found.numbers["libration_deg"].value < 10  # as measured, 9.1 ± 0.5
    assert found.plot().get_axes()
    halves = {"lower": [[0.0, 0.5]], "upper": [[0.5, 1.0]]}
    recipe = RegionsRecipe.parse({"recipe": "regions", "description": "halves", "slabs": halves})
    regions = recipe.measure(trajectory)
    lower, whole, upper = (regions.numbers[f"{name}_parallel_diffusivity_cm2_s"] for name in ("lower", "all", "upper"))
    # the halves hold sulfur and chlorine differently and need not be equal; together they are the whole
    assert lower.value < whole.value < upper.value
    assert regions.numbers["lower_n_ions"] + regions.numbers["upper_n_ions"] == pytest.approx(192)
    assert regions.plot().get_axes()
    near = RegionsRecipe.parse({"recipe": "regions", "description": "planes", "planes": 0.0, "within": 5.078})
    assert near.measure(trajectory).numbers["near_planes_n_ions"] == pytest.approx(96, abs=10)
