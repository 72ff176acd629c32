"""The recipe: moduli of a trajectory, expansion of several, and what it cannot say."""

import numpy as np
import pytest

from mlip_sse import Trajectory
from mlip_sse.analysis.mechanics.recipe import MechanicsRecipe
from mlip_sse.errors import InputError
from tests.analysis.mechanics.breathing_cells import breathing
from tests.analysis.mechanics.crystals import cubic

RECIPE = MechanicsRecipe.parse({"description": "hot and stiff", "recipe": "mechanics"})
SOFT = cubic(40.0, 18.0, 12.0)


def trajectory(kelvin, n_frames=2000):
    cells = breathing(SOFT, 20.0 * (1 + 40e-6 * (kelvin or 300.0)) * np.eye(3), kelvin or 300.0, n_frames, seed=7)
    corners = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    return Trajectory.from_arrays(
        ["Li", "Cl"], np.einsum("ai,fij->faj", corners, cells), cells, 20.0, temperature_k=kelvin
    )


def test_moduli_of_one_and_expansion_of_all():
    kelvins = (300.0, 400.0, 500.0, 600.0, 700.0)
    findings = [(kelvin, RECIPE.measure(trajectory(kelvin))) for kelvin in kelvins]
    numbers = findings[0][1].numbers
    assert numbers["bulk_gpa"].value == pytest.approx(25.3, rel=0.15)
    assert numbers["cell_moves"] == "all"
    together = RECIPE.compare(findings)
    expansion = together.numbers["volumetric_expansion_per_k"]
    assert expansion.low < 120e-6 / 1.012 < expansion.high
    assert len(together.tables["strains"]) == 5
    assert [len(axes.lines) for axes in together.plot().axes] == [3]
    assert RECIPE.compare(findings[:2]) is None
    assert together.to_dict()["quality"] == "pass"


def test_the_beginning_can_be_left_out_and_a_fixed_cell_says_nothing():
    late = RECIPE.model_copy(update={"skip_ps": 20.0})
    assert len(late.measure(trajectory(300.0)).arrays["cells"]) == 1000
    with pytest.raises(InputError, match="no temperature"):
        RECIPE.measure(trajectory(None))
    fixed = Trajectory.from_arrays(["Li"], np.zeros((100, 1, 3)), 20.0 * np.eye(3), 20.0, temperature_k=300.0)
    with pytest.raises(InputError, match="do not fluctuate"):
        RECIPE.measure(fixed)
