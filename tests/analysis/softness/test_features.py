"""Structure functions of samples: against their definition, averaged in time, in a skewed cell that varies."""

import numpy as np
import pytest

from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

CELL = np.array([[7.0, 0.0, 0.0], [1.5, 6.5, 0.0], [-1.0, 2.0, 7.5]])
FUNCTIONS = StructureFunctions(("Cl", "Li"), 2.0, 4.0, 0.5, 0.2, (3.0,), (1.0, -1.0), (2.0,), 3.5, 0.2)


@pytest.fixture(scope="module")
def crystal():
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 1, (8, 3)) @ CELL + rng.normal(0, 0.1, (9, 8, 3))
    cells = CELL * (1 + rng.normal(0, 0.01, (9, 1, 1)))
    return Trajectory.from_arrays(["Li"] * 4 + ["Cl"] * 4, positions, cells, 100.0, wrapped=False)


def slow_twin(crystal, frame, atom):
    """Sum over all images, triple by triple."""
    positions, cell = (
        crystal.positions[frame - 1 : frame + 2].mean(axis=0),
        crystal.cells[frame - 1 : frame + 2].mean(axis=0),
    )
    images = np.array([[i, j, k] for i in range(-2, 3) for j in range(-2, 3) for k in range(-2, 3)]) @ cell
    vectors = (positions[None, :, :] + images[:, None, :] - positions[atom]).reshape(-1, 3)
    kinds = np.tile([1] * 4 + [0] * 4, len(images))
    r = np.linalg.norm(vectors, axis=1)
    near = (r > 1e-9) & (r < FUNCTIONS.radial_cutoff)
    radial = [np.exp(-((r[near & (kinds == k)] - mu) ** 2) / (2 * 0.2**2)).sum() for k in (0, 1) for mu in FUNCTIONS.mu]
    inside = np.flatnonzero((r > 1e-9) & (r < FUNCTIONS.angular_cutoff))
    angular = np.zeros((3, 2))
    for a, j in enumerate(inside):
        for k in inside[a + 1 :]:
            cosine = vectors[j] @ vectors[k] / r[j] / r[k]
            spread = np.exp(-(r[j] ** 2 + r[k] ** 2 + np.sum((vectors[j] - vectors[k]) ** 2)) / 9.0)
            angular[kinds[j] + kinds[k]] += spread * (1 + np.array([1.0, -1.0]) * cosine) ** 2
    return np.r_[radial, angular.ravel()]


def test_equals_its_definition(crystal):
    found = FUNCTIONS.evaluate(crystal, np.array([4, 2, 4]), np.array([0, 1, 3]))
    expected = np.array([slow_twin(crystal, 4, 0), slow_twin(crystal, 2, 1), slow_twin(crystal, 4, 3)])
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)  # single precision
    assert len(FUNCTIONS.names) == found.shape[1]
    assert FUNCTIONS.names[0] == "Cl 2"


def test_samples_may_come_in_any_order(crystal):
    frames, atoms = np.array([1, 5, 3, 5, 1, 7]), np.array([0, 1, 2, 3, 1, 0])
    order = np.array([4, 0, 5, 2, 1, 3])
    one = FUNCTIONS.evaluate(crystal, frames, atoms)
    np.testing.assert_array_equal(FUNCTIONS.evaluate(crystal, frames[order], atoms[order]), one[order])


def test_averaging_takes_the_frames_that_there_are():
    assert [FUNCTIONS.averaged_frames(spacing) for spacing in (50.0, 100.0, 250.0)] == [2, 1, 0]


def test_other_species_are_refused(crystal):
    with pytest.raises(InputError, match="holds Cl, Li; the structure functions are made for Cl, Li, S"):
        StructureFunctions(("Cl", "Li", "S")).evaluate(crystal, np.array([0]), np.array([0]))
    with pytest.raises(InputError, match="rising positive distances"):
        StructureFunctions(("Li",), mu_first=3.0, mu_last=2.0)
