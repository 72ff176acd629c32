"""Rows against finite differences, against the repeated cell, and against the symmetries of space."""

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.columns import column_names, embedding
from mlip_sse.potentials.pod.descriptors import DescriptorEngine
from tests.potentials.pod.small import licl_cells, recipe

FOUR_BODY = {"three_body": {"radial": 3, "angular": 3}, "four_body": {"radial": 2, "angular": 3}}
STEP = 1e-4


@pytest.fixture(scope="module")
def engine(lammps):
    with DescriptorEngine(recipe(**FOUR_BODY), ("Li", "Cl")) as opened:
        yield opened


@pytest.fixture
def cell():
    return licl_cells(3, seed=1)[2]


def energies(engine, structures):
    return np.array([engine.rows(atoms, forces=False, virial=False).energy for atoms in structures])


def test_force_rows_are_minus_the_gradient(engine, cell):
    rows = engine.rows(cell).forces[3]
    for axis in range(3):
        moved = [cell.copy(), cell.copy()]
        moved[0].positions[3, axis] += STEP
        moved[1].positions[3, axis] -= STEP
        high, low = energies(engine, moved)
        # Central differences at 1e-4 Å: truncation near 1e-7 of the third derivative.
        np.testing.assert_allclose(rows[axis], -(high - low) / (2 * STEP), atol=2e-6)


def test_virial_rows_are_the_gradient_by_a_symmetric_strain_in_the_axes_of_the_structure(engine, cell):
    rows = engine.rows(cell).virial
    for place, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strained = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * STEP / 2
            strain[j, i] += sign * STEP / 2
            atoms = cell.copy()
            atoms.set_cell(cell.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            strained.append(atoms)
        high, low = energies(engine, strained)
        np.testing.assert_allclose(rows[place], (high - low) / (2 * STEP), atol=1e-6 * np.abs(rows).max())


def test_a_cell_with_edges_below_the_cutoff_is_as_good_as_its_repetition(engine):
    atoms = Atoms("LiCl", positions=[[0, 0, 0], [1.9, 1.5, 1.6]], cell=[[3.4, 0.2, 0], [0.3, 3.3, 0.1], [-0.4, 0, 3.6]])
    atoms.pbc = True
    small, large = engine.rows(atoms), engine.rows(atoms.repeat(3))
    # Rounding of sums alone.
    np.testing.assert_allclose(27 * small.energy, large.energy, rtol=0, atol=1e-9 * np.abs(large.energy).max())
    np.testing.assert_allclose(27 * small.virial, large.virial, rtol=0, atol=1e-8 * np.abs(large.virial).max())
    np.testing.assert_allclose(small.forces, large.forces[:2], rtol=0, atol=1e-9 * np.abs(large.forces).max())


def test_rotation_turns_the_rows_and_leaves_the_descriptors(engine, cell):
    turn = Rotation.from_euler("xyz", [20, 50, 70], degrees=True).as_matrix()
    turned = cell.copy()
    turned.set_cell(cell.cell.array @ turn.T)
    turned.positions = cell.positions @ turn.T
    before, after = engine.rows(cell), engine.rows(turned)
    np.testing.assert_allclose(after.atomic, before.atomic, atol=1e-10)
    np.testing.assert_allclose(after.forces, np.einsum("ij,njk->nik", turn, before.forces), atol=1e-9)
    trace = before.virial[:3].sum(axis=0)
    np.testing.assert_allclose(after.virial[:3].sum(axis=0), trace, atol=1e-6 * np.abs(trace).max())


def test_permutation_only_permutes(engine, cell):
    order = np.array([5, 2, 7, 0, 1, 6, 3, 4])
    before, after = engine.rows(cell), engine.rows(cell[order])
    np.testing.assert_allclose(after.energy, before.energy, atol=1e-10)
    np.testing.assert_allclose(after.forces, before.forces[order], atol=1e-10)
    np.testing.assert_allclose(after.atomic, before.atomic[order], atol=1e-10)


def test_one_column_counts_the_atoms_of_each_element(engine, cell):
    names = column_names(recipe(**FOUR_BODY), ("Li", "Cl"))
    energy = engine.rows(cell, forces=False, virial=False).energy
    assert energy[names.index("Li")] == 4
    assert energy[names.index("Cl")] == 4


@pytest.mark.parametrize(
    "bodies",
    [
        {},
        FOUR_BODY,
        {**FOUR_BODY, "five_body": {"radial": 2, "angular": 2}},
        {**FOUR_BODY, "six_body": {"radial": 1, "angular": 2}},
        {**FOUR_BODY, "seven_body": {"radial": 2, "angular": 2}},
    ],
)
def test_columns_are_counted_as_lammps_counts_them(lammps, bodies, cell):
    spec = recipe(**bodies)
    with DescriptorEngine(spec, ("Li", "Cl")) as opened:  # LAMMPS refuses a wrong number of coefficients
        assert opened.rows(cell).forces.shape == (8, 3, len(column_names(spec, ("Li", "Cl"))))


@pytest.mark.parametrize("bodies", [FOUR_BODY, {**FOUR_BODY, "five_body": {"radial": 2, "angular": 2}}])
def test_columns_among_more_elements_are_found_by_their_names(lammps, bodies, cell):
    spec = recipe(**bodies)
    places = embedding(spec, ("Li", "Cl"), ("Li", "P", "Cl", "Br"))
    with DescriptorEngine(spec, ("Li", "Cl")) as few, DescriptorEngine(spec, ("Li", "P", "Cl", "Br")) as many:
        ours, theirs = few.rows(cell), many.rows(cell)
    expected = np.zeros_like(theirs.energy)
    expected[places] = ours.energy
    np.testing.assert_allclose(theirs.energy, expected, atol=1e-10)
    np.testing.assert_allclose(theirs.forces[..., places], ours.forces, atol=1e-10)
    assert np.count_nonzero(theirs.forces) == np.count_nonzero(ours.forces)


def test_the_order_of_the_elements_is_free_up_to_three_bodies_only(lammps):
    assert sorted(embedding(recipe(), ("Cl", "Li"), ("Li", "Cl"))) == list(
        range(len(column_names(recipe(), ("Li", "Cl"))))
    )
    with pytest.raises(InputError, match="beyond three bodies"):
        embedding(recipe(**FOUR_BODY), ("Cl", "Li"), ("Li", "Cl"))


def test_an_unknown_element_and_an_open_boundary_are_refused(engine, cell):
    other = cell.copy()
    other.symbols[0] = "Na"
    with pytest.raises(InputError, match="knows Li, Cl, not Na"):
        engine.rows(other)
    cell.pbc = (True, True, False)
    with pytest.raises(InputError, match="three periodic directions"):
        engine.rows(cell)
    cell.pbc = True
    assert np.isfinite(engine.rows(cell).energy).all()  # it goes on after a refusal
