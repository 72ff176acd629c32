"""Orientation by superposition, against scipy and against known rotations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Turn

from mlip_sse.analysis.mechanism.orientations import body_shapes, orientations, rotation_angles
from tests.analysis.mechanism.rotating_units import TETRAHEDRON, multiply, tumbling, turned


@pytest.mark.parametrize("n_ligands", [4, 3, 2])
def test_superposition_is_scipys(n_ligands):
    rng = np.random.default_rng(1)
    shape = 2.05 * TETRAHEDRON[:n_ligands]
    quaternions = tumbling(rng, 2, 40, 0.3)
    bonds = turned(quaternions, shape) + 0.15 * rng.standard_normal((2, 40, n_ligands, 3))
    found = orientations(bonds, np.stack([shape, shape]), np.array([40, 40]))
    for u in range(2):
        for t in range(40):
            twin = Turn.align_vectors(bonds[u, t], shape)[0].as_quat(scalar_first=True)
            # both are exact up to rounding
            assert abs(abs(found[u, t] @ twin) - 1) < 1e-12


def test_rotation_without_noise_is_recovered_with_continuous_sign():
    quaternions = tumbling(np.random.default_rng(2), 3, 200, 0.01)
    shapes = np.repeat(2.0 * TETRAHEDRON[None], 3, axis=0)
    found = orientations(turned(quaternions, 2.0 * TETRAHEDRON), shapes, np.full(3, 200))
    assert np.abs(np.abs((found * quaternions).sum(-1)) - 1).max() < 1e-12
    assert ((found[:, 1:] * found[:, :-1]).sum(-1) > 0).all()


def test_half_turns_and_unturned_bodies_are_no_special_case():
    quaternions = np.array([[[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0], [1.0, 0, 0, 0]]])
    found = orientations(turned(quaternions, TETRAHEDRON), TETRAHEDRON[None], np.array([4]))
    assert rotation_angles(found[0, :1], found[0]) == pytest.approx([0, 180, 180, 0], abs=1e-5)


def test_turning_everything_turns_the_orientations_and_leaves_angles():
    rng = np.random.default_rng(3)
    bonds = turned(tumbling(rng, 1, 30, 0.1), 2.0 * TETRAHEDRON) + 0.1 * rng.standard_normal((1, 30, 4, 3))
    whole = np.array([0.5, 0.5, -0.5, 0.5])
    ends = np.array([30])
    one = orientations(bonds, body_shapes(bonds, ends), ends)
    rotated = bonds @ Turn.from_quat(whole, scalar_first=True).as_matrix().T
    other = orientations(rotated, body_shapes(bonds, ends), ends)
    assert np.abs(np.abs((multiply(whole, one) * other).sum(-1)) - 1).max() < 1e-12
    order = [2, 0, 3, 1]
    mixed = orientations(bonds[:, :, order], body_shapes(bonds, ends)[:, order], ends)
    assert rotation_angles(mixed, one).max() < 1e-5


def test_mean_shape_averages_distortion_away():
    rng = np.random.default_rng(4)
    bonds = turned(tumbling(rng, 1, 4000, 0.05), 2.0 * TETRAHEDRON) + 0.1 * rng.standard_normal((1, 4000, 4, 3))
    shape = body_shapes(bonds, np.array([4000]))[0]
    sides = np.linalg.norm(shape[:, None] - shape[None], axis=2)[np.triu_indices(4, 1)]
    # each side is a mean of 4000, 0.14/√4000 = 0.002 Å, and 0.1²/2 Å too long by the noise across at most
    assert sides == pytest.approx(np.full(6, 2.0 * np.sqrt(8 / 3)), abs=0.02)


def test_nothing_beyond_the_end_of_a_unit():
    bonds = turned(tumbling(np.random.default_rng(5), 1, 10, 0.1), TETRAHEDRON)
    found = orientations(bonds, TETRAHEDRON[None], np.array([6]))
    assert (found[0, 6:] == 0).all()
    assert np.linalg.norm(found[0, :6], axis=1) == pytest.approx(np.ones(6))
