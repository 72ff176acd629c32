"""Assignment of ions to sites: a slow twin, skewed and breathing cells, hysteresis, what is refused."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.assignment import assign, assign_frames
from mlip_sse.analysis.mechanism.sites import Sites
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory, masses_of
from tests.analysis.mechanism.site_walkers import SKEWED, hopping_trajectory

SHIFTS = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)])


def twin(positions, cells, sites, outer, inner):
    """States by the definition: all sites, 27 images, one ion after the other."""
    n_frames, n_ions = positions.shape[:2]
    states = np.full((n_frames, n_ions), -1)
    for i in range(n_ions):
        on = None
        for t in range(n_frames):
            images = (sites[:, None, :] + SHIFTS[None]) @ cells[t]
            place = positions[t, i] - np.floor(positions[t, i] @ np.linalg.inv(cells[t])) @ cells[t]
            distances = np.linalg.norm(images - place, axis=2).min(axis=1)
            if on is not None and on >= 0 and distances[on] <= outer:
                states[t, i] = on
                continue
            nearest = int(distances.argmin())
            on = nearest if distances[nearest] <= (outer if on is None else inner) else -1
            states[t, i] = on
    return states


@pytest.mark.parametrize("breathing", [0.0, 0.02])
def test_states_are_those_of_the_definition_in_skewed_and_breathing_cells(breathing):
    trajectory, sites = hopping_trajectory(n_ions=7, n_frames=150, breathing=breathing, vibration=0.5, seed=3)
    found = assign_frames(trajectory, trajectory.indices("Li"), sites, 1.2, 0.6)
    fractions = np.cumsum(
        np.concatenate([trajectory.positions[:1], np.diff(trajectory.positions, axis=0)])
        @ np.linalg.inv(trajectory.cells),
        axis=0,
    )
    wanted = twin(fractions @ trajectory.cells, trajectory.cells, sites.fractional, 1.2, 0.72)
    assert (found == wanted).all()
    assert -1 in found
    assert len(np.unique(found)) > 5


def test_occupancies_and_visits_follow_from_the_states():
    trajectory, sites = hopping_trajectory(n_ions=7, n_frames=150, vibration=0.5, seed=4)
    indices = trajectory.indices("Li")
    states = assign_frames(trajectory, indices, sites, 1.2)
    found = assign(trajectory, indices, sites, outer_radius=1.2)
    assert (found.inside.sum(axis=0) == np.bincount(states[states >= 0], minlength=len(sites))).all()
    assert found.unassigned.sum() == (states < 0).sum()
    per_frame = np.array([np.bincount(row[row >= 0], minlength=len(sites)) for row in states])
    assert (found.occupied.sum(axis=0) == (per_frame >= 1).sum(axis=0)).all()
    assert (found.multiple.sum(axis=0) == (per_frame >= 2).sum(axis=0)).all()
    for ion in range(len(indices)):
        on = states[:, ion][states[:, ion] >= 0]
        changes = on[np.flatnonzero(np.diff(on, prepend=-1))]
        mine = found.visits.sites[found.visits.ions == ion]
        assert mine[0] == changes[0]
        assert set(mine) == set(changes)


def test_jump_vectors_add_up_to_the_net_displacement():
    trajectory, sites = hopping_trajectory(n_ions=6, n_frames=400, vibration=0.15, seed=5)
    found = assign(trajectory, trajectory.indices("Li"), sites, outer_radius=1.3)
    jumps = found.visits.jumps()
    net = np.zeros((6, 3))
    np.add.at(net, jumps.ions, jumps.vectors(sites.fractional, sites.cell))
    moved = np.asarray(trajectory.positions[-1] - trajectory.positions[0], dtype=float)
    assert len(jumps) > 50
    # two vibrations of 0.15 Å along each axis; one hop is 3 Å
    assert np.abs(net - moved).max() < 1.2


def test_wrapping_and_moving_the_origin_change_nothing():
    trajectory, sites = hopping_trajectory(n_ions=5, n_frames=200, vibration=0.08, seed=6)
    wrapped = np.mod(trajectory.positions @ np.linalg.inv(trajectory.cells[0]), 1.0)
    again = Trajectory.from_arrays(trajectory.species, wrapped, trajectory.cells, 100.0, wrapped=True, fractional=True)
    moved = Trajectory(trajectory.species, trajectory.masses, trajectory.positions + 1.7, trajectory.cells, 100.0)
    shifted = Sites(sites.fractional + 1.7 * np.ones(3) @ np.linalg.inv(sites.cell), sites.labels, sites.cell)
    wanted = assign(trajectory, np.arange(5), sites, outer_radius=1.2).visits.jumps()
    for other, places in ((again, sites), (moved, shifted)):
        found = assign(other, np.arange(5), places, outer_radius=1.2).visits.jumps()
        assert (found.sites_to == wanted.sites_to).all()
        assert (found.frames == wanted.frames).all()
        vectors = found.vectors(places.fractional, places.cell), wanted.vectors(sites.fractional, sites.cell)
        np.testing.assert_allclose(*vectors, atol=1e-9)  # float64 rounding of 20 Å


def test_nearest_is_the_nearest_of_all_images():
    rng = np.random.default_rng(0)
    sites = Sites(rng.random((40, 3)), np.full(40, "A"), SKEWED)
    positions = np.cumsum(rng.standard_normal((60, 4, 3)) * 0.4, axis=0)
    trajectory = Trajectory(
        np.full(4, "Li"), masses_of(np.full(4, "Li")), positions, np.broadcast_to(SKEWED, (60, 3, 3)), 10.0
    )
    found = assign(trajectory, np.arange(4), sites, "nearest")
    images = ((sites.fractional[:, None, :] + SHIFTS[None]) @ SKEWED)[None]
    inside = positions.reshape(-1, 3) - np.floor(positions.reshape(-1, 3) @ np.linalg.inv(SKEWED)) @ SKEWED
    wanted = np.linalg.norm(images - inside[:, None, None, :], axis=3).min(axis=2).argmin(axis=1)
    assert (found.inside.sum(axis=0) == np.bincount(wanted, minlength=40)).all()
    assert found.unassigned_fraction == 0


def test_hysteresis_takes_no_rattling_at_the_border_for_jumps():
    x = 1.45 + 0.3 * np.sin(np.arange(400))  # to and fro between two spheres that touch at 1.5
    positions = np.zeros((400, 1, 3))
    positions[:, 0, 0] = x
    cell = np.diag([9.0, 9.0, 9.0])
    trajectory = Trajectory(np.array(["Li"]), np.array([6.9]), positions, np.broadcast_to(cell, (400, 3, 3)), 10.0)
    sites = Sites(np.array([[0.0, 0, 0], [1 / 3, 0, 0]]), np.array(["A", "A"]), cell)
    assert not len(assign(trajectory, np.array([0]), sites, outer_radius=1.5, inner_fraction=0.6).visits.jumps())
    assert len(assign(trajectory, np.array([0]), sites, outer_radius=1.5, inner_fraction=1.0).visits.jumps()) > 50


def test_a_jump_to_an_image_of_the_same_site_is_a_jump():
    cell = np.diag([3.0, 9.0, 9.0])
    positions = np.zeros((20, 1, 3))
    positions[10:, 0, 0] = 3.0
    trajectory = Trajectory(np.array(["Li"]), np.array([6.9]), positions, np.broadcast_to(cell, (20, 3, 3)), 10.0)
    sites = Sites(np.zeros((1, 3)), np.array(["A"]), cell)
    jumps = assign(trajectory, np.array([0]), sites, outer_radius=1.2).visits.jumps()
    assert jumps.images.tolist() == [[1, 0, 0]]
    assert jumps.frames.tolist() == [10]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"outer_radius": 1.6},
            r"3\.000 Å apart, closer than twice the radius of 1\.6 Å: take a radius of at most 1\.500",
        ),
        ({"method": "voronoi"}, "'voronoi' is unknown"),
        ({"method": "tetrahedra"}, "name their species"),
        ({"inner_fraction": 0.0}, "inner_fraction is 0.0"),
    ],
)
def test_impossible_settings_are_refused_with_the_number(settings, expected):
    trajectory, sites = hopping_trajectory(n_ions=2, n_frames=5)
    with pytest.raises(InputError, match=expected):
        assign(trajectory, np.arange(2), sites, **settings)


def test_a_coordinate_that_is_not_finite_is_named():
    trajectory, sites = hopping_trajectory(n_ions=2, n_frames=5)
    trajectory.positions[3, 1, 0] = np.nan
    with pytest.raises(InputError, match="ion 1 in frame 3"):
        assign(trajectory, np.arange(2), sites, outer_radius=1.2)
