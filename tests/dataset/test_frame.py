"""A labelled frame refuses what cannot be a label, and its id is made of its content."""

import dataclasses
from itertools import product

import numpy as np
import pytest

from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.dataset.frame import require_apart
from mlip_sse.errors import InputError
from tests.dataset.labelled import OTHER, PRINT, copper, salt


def test_the_id_is_pinned():
    """A changed rule would make every dataset of the users look new."""
    frame = LabelledFrame(
        ("Li", "Cl"), 4.0 * np.eye(3), [[0, 0, 0], [2.0, 0, 0]], -7.5, np.zeros((2, 3)), None,
        Fingerprint.declared("PBE"),
    )  # fmt: skip
    assert frame.id == "284c9acdd420205baa9ed737497269d5939c2eff54214e8e38a708fd617cbb88"


def test_the_id_does_not_know_the_order_of_the_atoms_nor_the_labels():
    frame = copper(1)
    order = np.random.default_rng(0).permutation(frame.n_atoms)
    moved = dataclasses.replace(frame, positions=frame.positions[order], forces=frame.forces[order], energy=1.0)
    assert moved.id == frame.id


def test_the_id_knows_species_cell_positions_and_fingerprint():
    frame = copper(1)
    shifted = frame.positions.copy()
    shifted[0, 0] += 2e-8
    others = [
        dataclasses.replace(frame, symbols=("Ag", *frame.symbols[1:])),
        dataclasses.replace(frame, cell=frame.cell + 2e-8),
        dataclasses.replace(frame, positions=shifted),
        dataclasses.replace(frame, fingerprint=OTHER),
        dataclasses.replace(frame, pbc=(True, True, False)),
    ]
    assert len({frame.id, *(other.id for other in others)}) == 6
    shifted[0, 0] -= 1.8e-8
    assert dataclasses.replace(frame, positions=shifted).id == frame.id


def test_atoms_and_back():
    frame = copper(3, strain=0.02)
    again = LabelledFrame.from_atoms(frame.to_atoms(), PRINT, frame.group, frame.place)
    assert again.id == frame.id
    np.testing.assert_array_equal(again.forces, frame.forces)
    np.testing.assert_array_equal(again.stress, frame.stress)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forces": np.zeros((3, 3))}, r"forces of shape \(3, 3\), expected \(8, 3\)"),
        ({"forces": np.full((8, 3), np.nan)}, r"found nan in forces at \[0, 0\]"),
        ({"energy": np.inf}, "energy of inf"),
        ({"stress": np.zeros(9)}, "stress of shape"),
        ({"stress": np.full(6, np.inf)}, "found inf in stress"),
        ({"positions": np.zeros((8, 3))}, "atoms lie on top of each other"),
        ({"cell": np.zeros((3, 3))}, "expected room"),
        ({"symbols": ("Cu",) * 7 + ("Xx",)}, "found 'Xx', expected chemical symbols"),
        ({"symbols": ()}, "without atoms"),
        ({"group": 'a "b"'}, "no quotes"),
    ],
)
def test_impossible_labels_are_refused_in_one_line(change, message):
    with pytest.raises(InputError, match=message) as caught:
        dataclasses.replace(copper(1), **change)
    assert "\n" not in str(caught.value)


def test_a_frame_without_forces_is_refused():
    atoms = salt(1)
    del atoms.calc.results["forces"]
    with pytest.raises(InputError, match="a frame without forces"):
        LabelledFrame.from_atoms(atoms, PRINT)


def test_closeness_agrees_with_the_plain_sum_over_images():
    """Slow twin: every image within two cells; random, strongly sheared cells."""
    rng = np.random.default_rng(11)
    n_close = 0
    for _ in range(200):
        cell = np.diag(rng.uniform(2.0, 3.0, 3)) + np.tril(rng.uniform(-1.5, 1.5, (3, 3)), -1)
        positions = rng.uniform(-2, 2, (2, 3))
        if rng.random() < 0.5:
            positions[1] = positions[0] + rng.integers(-2, 3, 3) @ cell + rng.uniform(-0.3, 0.3, 3)
        images = [np.array(n) @ cell for n in product(range(-7, 8), repeat=3)]
        distance = np.linalg.norm(positions[0] - positions[1] + np.array(images), axis=1).min()
        if abs(distance - 0.4) < 1e-6:
            continue
        n_close += distance < 0.4
        try:
            require_apart(("Li", "Li"), cell, positions, (True, True, True))
            refused = False
        except InputError:
            refused = True
        assert refused == (distance < 0.4), (cell, positions)
    assert 60 < n_close < 140
