"""Isosurfaces: areas and volumes known in closed form, closedness, orientation, cells of any shape."""

from collections import Counter

import numpy as np
import pytest

from mlip_sse.analysis.structure.isosurface import enclosing_level, isosurface
from mlip_sse.errors import InputError

SLANTED = np.array([[9.0, 0.0, 0.0], [3.1, 8.4, 0.0], [-2.7, 2.2, 8.9]])


def ball(n, cell):
    """Return minus the distance from the middle of the cell, which is linear along each edge but for curvature."""
    s = np.stack(np.meshgrid(*(np.arange(n) / n,) * 3, indexing="ij"), axis=-1) - 0.5
    return -np.linalg.norm(s @ cell, axis=-1)


@pytest.mark.parametrize("cell", [10.0 * np.eye(3), SLANTED])
def test_a_ball_has_its_area_and_volume_and_is_closed(cell):
    """A radius of 2.97 Å at 0.125 Å: chords of 0.2 Å lie up to 0.2²/(8·3) Å inside, 0.2 % of the volume."""
    points, triangles = isosurface(ball(80, cell), -2.97)
    vertices = points @ cell
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    middle = 0.5 * cell.sum(axis=0)
    volume = np.einsum("ij,ij->", a - middle, np.cross(b - middle, c - middle)) / 6
    assert area == pytest.approx(4 * np.pi * 2.97**2, rel=0.002)
    assert volume == pytest.approx(4 / 3 * np.pi * 2.97**3, rel=0.002)  # positive: all normals point out of the ball
    np.testing.assert_allclose(np.linalg.norm(vertices - middle, axis=1), 2.97, atol=0.01)
    edges = Counter((int(t[k]), int(t[(k + 1) % 3])) for t in triangles for k in range(3))
    assert all(edges[y, x] == 1 == number for (x, y), number in edges.items())  # each edge once each way round


def test_a_wave_along_one_vector_is_two_planes_through_the_cells_edge():
    x = np.arange(30) / 30
    values = np.broadcast_to(np.cos(2 * np.pi * x)[:, None, None], (30, 8, 8)).copy()
    fractions, triangles = isosurface(values, 0.0)
    vertices = fractions @ SLANTED
    assert np.abs(np.abs(fractions[:, 0] - 0.5) - 0.25).max() < 2e-3
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    assert area == pytest.approx(2 * np.linalg.norm(np.cross(SLANTED[1], SLANTED[2])), rel=1e-3)


def test_a_level_that_is_not_there_has_no_surface_and_an_unknown_field_is_refused():
    points, triangles = isosurface(np.eye(4)[:, :, None] * np.ones(4), 2.0)
    assert points.shape == triangles.shape == (0, 3)
    with pytest.raises(InputError, match="not finite everywhere"):
        isosurface(np.full((4, 4, 4), np.inf), 2.0)


def test_the_enclosing_level_of_a_gaussian_is_that_of_its_quantile():
    """Half of a normal distribution in three dimensions lies within 1.5382 standard deviations."""
    values = np.exp(-0.5 * (ball(60, 12.0 * np.eye(3)) / 1.1) ** 2)
    assert enclosing_level(values, 0.5) == pytest.approx(np.exp(-0.5 * 1.5382**2), rel=0.01)
    assert enclosing_level(values, 1.0) == pytest.approx(values.min())
