"""The recipe `structure`: on a made crystal of which everything is known, and on real data."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.analysis.results import Quality, to_json
from mlip_sse.analysis.structure.distortions import Distortions
from mlip_sse.analysis.structure.outliers import OutlierDetector
from mlip_sse.analysis.structure.recipe import StructureRecipe
from mlip_sse.errors import InputError, SpecError
from mlip_sse.trajectory.model import Trajectory

REAL = Path(__file__).parents[4] / "shared/data/li6ps5cl_md"
CORNERS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
GIVEN = {"recipe": "structure", "description": "test", "q_max": 4.0, "density_resolution": 0.6}


def recipe(**options):
    return StructureRecipe.parse({**GIVEN, **options}, "test")


@pytest.fixture(scope="module")
def crystal():
    """PS4 on a cubic lattice of 6 Å, a Li between them that jumps to the next cell's site half-way; 40 frames."""
    rng = np.random.default_rng(0)
    centres = bulk("P", "sc", a=6.0).repeat(2).positions
    sulphurs = (centres[:, None] + 2.05 * CORNERS).reshape(-1, 3)
    lithium = centres + 3.0
    base = np.concatenate([lithium, centres, sulphurs])
    frames = base + rng.normal(0, 0.05, (40, len(base), 3))
    frames[20:, :8, 0] += np.linspace(0, 1, 20)[:, None] * 6.0
    species = ["Li"] * 8 + ["P"] * 8 + ["S"] * 32
    return Trajectory.from_arrays(species, frames, 12 * np.eye(3), 100.0, temperature_k=600.0)


def test_numbers_of_a_made_crystal(crystal):
    found = recipe().measure(crystal)
    numbers = found.numbers
    assert numbers["first_peak_P-S"].low < 2.06 < numbers["first_peak_P-S"].high + 0.01
    assert numbers["coordination_S_around_P"].value == pytest.approx(4.0)
    assert numbers["intact_P-S"].value == 1.0
    assert numbers["P_in_PS4"].value == 1.0
    assert numbers["P-P_bonded"].value == 0.0
    assert numbers["bond_length_P-S"].value == pytest.approx(2.0525, abs=0.003)
    assert numbers["unit_changes_P-S"] == 0
    assert {"q4_S", "q6_S", "percolation_barrier"} <= set(numbers)
    assert found.arrays["density_per_a3"].mean() * 12**3 == pytest.approx(8)
    assert found.tables["units_P-S"][0]["unit"] == "PS4"
    assert len(found.tables["units_in_time_P-S"]) == 40
    assert {"g_of_r", "shells", "structure_factor", "order", "density_peaks"} <= set(found.tables)
    to_json({**found.to_dict(), "details": found.details, "tables": found.tables})


def test_parts_can_be_left_out(crystal):
    found = recipe(q_max=None, degrees=[], polyhedra=[]).measure(crystal)
    assert "structure_factor" not in found.tables
    assert not any(name.startswith(("q4", "intact")) for name in found.numbers)
    drawn = found.plot()
    assert len([axes for axes in drawn.axes if axes.axison and axes.get_xlabel()]) == 3
    whole = recipe().measure(crystal)
    assert len([axes for axes in whole.plot().axes if axes.get_xlabel()]) == 6
    ((title, scene),) = whole.scenes().items()
    assert title == "Density of Li"
    assert [trace.type for trace in scene.data] == ["scatter3d", "mesh3d", "mesh3d"] + 3 * ["scatter3d"]


def test_an_atom_that_leaves_its_place_for_good_is_persistently_distorted(crystal):
    """One S of 32 leaves its corner by 0.8 Å after 12 of 40 frames; learnt is from the crystal before it did."""
    frames = np.array(crystal.positions)
    frames[12:, 20] += [0.5, 0.5, -0.4]
    moved = Trajectory.from_arrays(crystal.species, frames, 12 * np.eye(3), 100.0)
    result = Distortions(OutlierDetector("one_class_svm", 0.05)).run(moved, moved.indices("S"), ("P", "S"), crystal)
    place = result.atoms.tolist().index(20)
    assert 20 in result.persistent
    assert result.strange[12:, place].all()
    assert result.strange[:12].mean() < 0.1
    assert int(result.scores[12:].mean(axis=0).argmax()) == place
    unmoved = Distortions(OutlierDetector("one_class_svm", 0.05)).run(crystal, crystal.indices("S"), ("P", "S"))
    assert not len(unmoved.persistent)
    assert unmoved.strange_share.low < 0.05 < unmoved.strange_share.high + 0.03


def test_what_does_not_fit_is_refused(crystal):
    with pytest.raises(SpecError, match="expected centre and ligand such as P-S"):
        recipe(polyhedra=["PS4"])
    with pytest.raises(SpecError, match="expected degrees from 1 to 20"):
        recipe(degrees=[0])
    with pytest.raises(InputError, match="species 'Ge' is not in the trajectory"):
        recipe(polyhedra=["Ge-S"]).measure(crystal)
    with pytest.raises(InputError, match="r_max 9 Å, expected at most half the smallest height"):
        recipe(r_max=9.0).measure(crystal)
    bare = Trajectory.from_arrays(["Li"] * 8, np.array(crystal.positions[:, :8]), 12 * np.eye(3), 100.0)
    with pytest.raises(InputError, match="no framework whose distortions could be looked for; set outliers: null"):
        recipe(outliers="isolation_forest").measure(bare)


@pytest.mark.slow
def test_argyrodite_at_500_k():
    """Whole PS4, bonds of 2.05 to 2.07 Å, four S around P, and an S/Cl lattice in cubic close packing."""
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there")
    trajectory = Trajectory.read(REAL / "actual_XDATCAR.gz", frame_spacing_fs=100.0, temperature_k=500.0)
    found = recipe(outliers="one_class_svm").measure(trajectory.in_reference_frame("framework", ("Li",)))
    numbers = found.numbers
    assert numbers["P_in_PS4"].value == 1.0
    assert numbers["free_S"].value == pytest.approx(0.2)  # one S of five is no part of PS4
    assert 2.04 < numbers["first_peak_P-S"].value < 2.08
    assert numbers["coordination_S_around_P"].value == pytest.approx(4.0)
    assert 2.40 < numbers["first_peak_Li-S"].value < 2.50
    assert numbers["unit_changes_P-S"] == 0
    assert found.verdict.quality is Quality.WEAK  # bottlenecks of 14 ps rest on few counts
    assert numbers["false_alarms_measured"].value < 0.06


def test_a_gas_in_a_breathing_slanted_cell_is_weak_and_still_drawn():
    """No intact unit, no clear shell, three frames: everything says so and nothing fails."""
    rng = np.random.default_rng(3)
    cell = np.array([[11.0, 0, 0], [3, 10, 0], [-2, 2, 10.5]])
    cells = cell * (1 + 0.01 * rng.normal(size=(3, 1, 1)))
    fractions = rng.random((30, 3)) + np.cumsum(rng.normal(0, 0.005, (3, 30, 3)), axis=0)
    species = ["Li"] * 10 + ["P"] * 4 + ["S"] * 16
    gas = Trajectory.from_arrays(species, fractions, cells, 100.0, fractional=True)
    found = recipe().measure(gas)
    assert found.verdict.quality is Quality.WEAK
    assert "3 frames are too few for intervals, which take 10" in found.verdict.reasons
    assert found.numbers["intact_P-S"].value < 0.5
    assert found.plot().axes
    assert found.scenes()
