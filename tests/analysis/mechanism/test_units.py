"""Units: bonds across borders, in cells that breathe, and where they break."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.units import bond_paths, find_units
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.mechanism.rotating_units import TETRAHEDRON, tumbling, turned, units_in_a_cell

SKEWED = np.array([[14.0, 0.0, 0.0], [6.0, 13.0, 0.0], [-5.0, 4.0, 12.0]])


def trajectory_of(quaternions, cell=SKEWED, cells=None):
    species, positions = units_in_a_cell(quaternions, cell)
    fractions = positions @ np.linalg.inv(cell)
    return Trajectory.from_arrays(
        species, fractions - np.floor(fractions), cell if cells is None else cells, 50.0, fractional=True
    )


def test_units_across_the_border_of_a_skewed_cell_have_their_bonds():
    quaternions = tumbling(np.random.default_rng(1), 8, 30, 0.02)
    trajectory = trajectory_of(quaternions)
    units = find_units(trajectory, "P", "S", 2.6)
    assert (len(units), units.n_ligands, units.name, units.left_out, units.n_shared) == (8, 4, "PS4", (), 0)
    ((bonds, ends),) = bond_paths(trajectory, units, 3.2)
    assert (ends == 30).all()
    expected = turned(quaternions, 2.05 * TETRAHEDRON)
    order = np.array([[np.flatnonzero(units.ligands[u] == 8 + 4 * u + k)[0] for k in range(4)] for u in range(8)])
    sorted_bonds = np.stack([bonds[u][:, order[u]] for u in range(8)])
    # coordinates are float64: rounding alone
    assert np.abs(sorted_bonds - expected).max() < 1e-10


def test_a_breathing_cell_stretches_bonds_and_nothing_else():
    quaternions = tumbling(np.random.default_rng(2), 8, 40, 0.02)
    scale = 1.0 + 0.02 * np.sin(np.arange(40))
    trajectory = trajectory_of(quaternions, cells=SKEWED * scale[:, None, None])
    units = find_units(trajectory, "P", "S", 2.6)
    ((bonds, ends),) = bond_paths(trajectory, units, 3.2)
    assert (ends == 40).all()
    # fractional coordinates are those of the rigid units: bonds follow the cell exactly, without any memory
    lengths = np.linalg.norm(bonds, axis=3)
    assert lengths == pytest.approx(np.broadcast_to(2.05 * scale[None, :, None], lengths.shape), abs=1e-9)


def test_blocks_of_units_are_the_same_bonds():
    trajectory = trajectory_of(tumbling(np.random.default_rng(3), 8, 20, 0.02))
    units = find_units(trajectory, "P", "S", 2.6)
    ((whole, _),) = bond_paths(trajectory, units, 3.2)
    blocks = bond_paths(trajectory, units, 3.2, max_bytes=3 * 24 * 20 * 5)
    assert [len(bonds) for bonds, _ in blocks] == [3, 3, 2]
    assert (np.concatenate([bonds for bonds, _ in blocks]) == whole).all()


def test_a_broken_unit_ends_where_its_bond_does():
    species, positions = units_in_a_cell(tumbling(np.random.default_rng(4), 8, 30, 0.01), 14 * np.eye(3))
    leaving = positions[17:, 8 + 4 * 5 + 1]
    leaving += np.linspace(0.5, 5.0, 13)[:, None] * (leaving - positions[17:, 5]) / 2.05
    trajectory = Trajectory.from_arrays(species, positions, 14 * np.eye(3), 50.0)
    units = find_units(trajectory, "P", "S", 2.6)
    ((_, ends),) = bond_paths(trajectory, units, 3.0)
    # the bond is 2.05 + 0.5 + 0.375 n Å long in frame 17 + n
    assert ends.tolist() == [30, 30, 30, 30, 30, 19, 30, 30]


def test_odd_centres_are_named_and_left_out():
    species, positions = units_in_a_cell(tumbling(np.random.default_rng(5), 8, 2, 0.01), 14 * np.eye(3))
    positions[:, 8 + 4 * 2] += 2.5 * (positions[:, 8 + 4 * 2] - positions[:, 2])
    trajectory = Trajectory.from_arrays(species, positions, 14 * np.eye(3), 50.0, wrapped=False)
    units = find_units(trajectory, "P", "S", 2.6)
    assert units.left_out == ("P 2 has 3 S instead of 4",)
    assert 2 not in units.centres
    assert len(find_units(trajectory, "P", "S", 2.6, n_ligands=3)) == 1


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("P", "P", 2.6), "expected two species"),
        (("P", "Cl", 2.6), "holds P, S"),
        (("P", "S", 7.5), "at most half of it"),
        (("P", "S", 1.0), "no S is within 1 Å"),
        (("P", "S", 2.6, 6), "have 4; choose n_ligands"),
    ],
)
def test_what_cannot_be_units_is_refused(options, found):
    species, positions = units_in_a_cell(tumbling(np.random.default_rng(6), 8, 2, 0.01), 14 * np.eye(3))
    with pytest.raises(InputError, match=found):
        find_units(Trajectory.from_arrays(species, positions, 14 * np.eye(3), 50.0), *options)
