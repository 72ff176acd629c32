"""Pairs pressed together: what is asked of the fit, and what it then does."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from mlip_sse.potentials.pod import PodPotential
from mlip_sse.potentials.pod.close_pairs import (
    _pressed,
    closest_distances,
    pressed_pair_rows,
    wanted_repulsion,
)
from mlip_sse.potentials.pod.descriptors import DescriptorEngine
from mlip_sse.potentials.pod.short_range_core import core_calculator
from tests.potentials.pod.small import licl_cells, recipe


def push(calculator, pair, distance):
    atoms = Atoms(pair, positions=[[0, 0, 0], [distance, 0, 0]], cell=[25.0] * 3, pbc=True)
    return calculator.get_property("forces", atoms)[1, 0]


def test_the_wanted_repulsion_is_the_larger_of_core_and_closed_shells():
    assert wanted_repulsion(5.0, 2.0, 2.0) == 5.0
    assert wanted_repulsion(0.0, 2.0, 2.0) == 1.0
    assert wanted_repulsion(0.0, 1.7, 2.0) == pytest.approx(np.e)


def test_closest_distances_are_those_of_all_pairs():
    atoms = licl_cells(2, seed=5)[1]
    found = closest_distances(atoms)
    distances = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distances, np.inf)
    symbols = np.array(atoms.get_chemical_symbols())
    for pair, distance in found.items():
        one, other = pair.split("-")
        assert distance == pytest.approx(distances[np.ix_(symbols == one, symbols == other)].min())
    assert list(found) == ["Li-Li", "Li-Cl", "Cl-Cl"]


def test_a_pair_is_pressed_along_its_connection_through_the_boundary():
    atoms = licl_cells(1, seed=9)[0]
    first, second, vectors = neighbor_list("ijD", atoms, 3.0)
    outside = np.flatnonzero(np.linalg.norm(atoms.positions[second] - atoms.positions[first] - vectors, axis=1) > 1)[0]
    i, j, vector = first[outside], second[outside], vectors[outside]
    moved = _pressed(atoms, i, j, vector, 1.3, 0.25)
    assert moved.get_distance(i, j, mic=True) == pytest.approx(1.3)
    way = np.linalg.norm(vector) - 1.3
    assert np.linalg.norm(moved.positions[i] - atoms.positions[i]) == pytest.approx(0.25 * way)
    others = [k for k in range(8) if k not in (i, j)]
    np.testing.assert_array_equal(moved.positions[others], atoms.positions[others])


def test_what_is_drawn_from_a_frame_depends_on_its_id_alone(lammps):
    spec = recipe(core={"pairs": 3, "prior": 1.0})
    atoms, core = licl_cells(1, seed=9)[0], core_calculator(recipe().core, ("Li", "Cl"))
    with DescriptorEngine(spec, ("Li", "Cl")) as engine:
        rows, labels = pressed_pair_rows(atoms, "1f" * 32, engine, spec.core, core)
        again, _ = pressed_pair_rows(atoms, "1f" * 32, engine, spec.core, core)
        other, _ = pressed_pair_rows(atoms, "2e" * 32, engine, spec.core, core)
    core.close()
    assert rows.shape == (3, engine.n_columns)
    np.testing.assert_array_equal(rows, again)  # the id alone decides
    assert not np.allclose(rows[0], other[0])
    assert (labels >= 0).all()
    assert (labels <= 1).all()  # in units of the tolerance
    counted = [0, engine.n_columns // 2]
    assert (rows[:, counted] == 0).all()  # a distance changes no count of atoms


def test_fitted_pairs_repel_down_to_half_the_contact_where_they_attracted_without_the_rows(licl_frames, tmp_path):
    weakest = {}
    for prior in (0.0, 0.2):
        spec = recipe(core={"prior": prior, "pairs": 4}, inverse_degree=6)
        potential = PodPotential.fit(spec, licl_frames[:8], [], tmp_path / f"{prior}")
        calculator = potential.calculator()
        contacts = {"LiLi": 2.9, "LiCl": 2.3, "Cl2": 2.35}
        weakest[prior] = min(
            push(calculator, pair, ratio * contact)
            for pair, contact in contacts.items()
            for ratio in np.linspace(0.55, 1.0, 10)
        )
        calculator.close()
    assert weakest[0.2] > 0
    assert weakest[0.0] < -1


def test_the_core_is_what_lammps_adds(lammps):
    """ZBL inside the inner radius, written out: 14.4 eV Å Z₁Z₂/r times the universal screening."""
    core = recipe(core={"inner": 1.5, "outer": 3.0}).core
    calculator = core_calculator(core, ("Li", "Cl"))
    energies = [
        calculator.get_potential_energy(Atoms("LiCl", positions=[[0, 0, 0], [d, 0, 0]], cell=[9.0] * 3, pbc=True))
        for d in (0.9, 1.0, 3.0)
    ]
    calculator.close()

    def zbl(distance):
        x = distance * (3**0.23 + 17**0.23) / 0.46850
        screening = sum(
            c * np.exp(-b * x)
            for c, b in ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
        )
        return 14.399645 * 3 * 17 / distance * screening

    # LAMMPS shifts the energy inside by a constant, so that differences are compared; its e² has seven digits.
    assert energies[0] - energies[1] == pytest.approx(zbl(0.9) - zbl(1.0), rel=1e-5)
    assert energies[2] == 0


def test_no_core_is_none():
    assert core_calculator(recipe(core={"style": "none"}).core, ("Li",)) is None
