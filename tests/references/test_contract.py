"""One suite for every reference: derivatives, order of the atoms, rotation, resume, fingerprint.

The codes that cannot be installed run as stand-ins with EMT inside, so that a wrong unit, sign or order in what we
write or read breaks the derivatives. One batch of labels serves the whole suite.
"""

import json

import numpy as np
import pytest

from mlip_sse.dataset import Dataset, LabelledFrame
from tests.references.conftest import structure


def strained(atoms, voigt, amount):
    """Return the atoms under a symmetric strain; a shear of Voigt components 3 to 5 is engineering strain."""
    strain = np.zeros((3, 3))
    i, j = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)][voigt]
    strain[i, j] += amount / 2
    strain[j, i] += amount / 2
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return moved


@pytest.fixture(scope="module")
def batch(case):
    """Return the structures by name: the base, its displacements and strains, a permutation and a rotation."""
    base = structure(case, seed=1)
    found = {"base": base}
    for sign in (1, -1):
        for axis in range(3):
            moved = base.copy()
            moved.positions[1, axis] += sign * case.step
            found[f"move {axis} {sign:+d}"] = moved
        for voigt in (0, 4):
            found[f"strain {voigt} {sign:+d}"] = strained(base, voigt, sign * case.step)
    found["permuted"] = base[list(range(len(base)))[::-1]]
    turned = base.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    found["rotated"] = turned
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory, case):
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(scope="module")
def labels(reference, batch, folder):
    found = reference.label(list(batch.values()), folder)
    assert not found.failures, found.failures
    assert found.n_labelled == len(batch)
    return dict(zip(batch, found, strict=True))


def test_labels_are_frames_with_everything(labels, reference, batch):
    for name, frame in labels.items():
        assert isinstance(frame, LabelledFrame)
        assert frame.symbols == tuple(batch[name].get_chemical_symbols())
        assert np.isfinite(frame.energy)
        assert frame.forces.shape == (len(batch[name]), 3)
        assert frame.stress.shape == (6,)
        np.testing.assert_allclose(frame.positions, batch[name].positions, rtol=0, atol=1e-8)


def test_forces_are_minus_the_derivative_of_the_energy(labels, case):
    for axis in range(3):
        slope = (labels[f"move {axis} +1"].energy - labels[f"move {axis} -1"].energy) / (2 * case.step)
        assert labels["base"].forces[1, axis] == pytest.approx(-slope, abs=case.force_tolerance)


def test_the_stress_is_the_derivative_by_strain(labels, case):
    """σ = (1/V) dE/dε, positive = tension; a shear's derivative is by the engineering strain."""
    for voigt in (0, 4):
        rise = labels[f"strain {voigt} +1"].energy - labels[f"strain {voigt} -1"].energy
        slope = rise / (2 * case.step) / labels["base"].volume
        assert labels["base"].stress[voigt] == pytest.approx(slope, abs=case.stress_tolerance)


def test_the_order_of_the_atoms_is_kept(labels, case):
    np.testing.assert_allclose(
        labels["permuted"].forces[::-1], labels["base"].forces, rtol=0, atol=case.force_tolerance
    )
    assert labels["permuted"].energy == pytest.approx(labels["base"].energy, abs=1e-4)


def test_labels_turn_with_the_structure(labels, batch, case):
    rotation = np.linalg.solve(batch["base"].cell.array, batch["rotated"].cell.array)
    np.testing.assert_allclose(
        labels["rotated"].forces, labels["base"].forces @ rotation, rtol=0, atol=case.force_tolerance
    )
    tensors = [frame.to_atoms().get_stress(voigt=False) for frame in (labels["base"], labels["rotated"])]
    np.testing.assert_allclose(tensors[1], rotation.T @ tensors[0] @ rotation, rtol=0, atol=case.stress_tolerance)


def test_a_second_call_labels_nothing(labels, reference, batch, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = reference.label(list(batch.values()), folder)
    assert (again.n_labelled, again.n_reused) == (0, len(batch))
    assert [frame.id for frame in again] == [frame.id for frame in labels.values()]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_the_fingerprint(labels, reference, case):
    """Every label carries the same one; it holds a version and agrees with what was stated before."""
    (found,) = {frame.fingerprint.digest: frame.fingerprint for frame in labels.values()}.values()
    assert found.method == case.method == reference.fingerprint.method
    assert found.code == reference.fingerprint.code
    assert found.code_version
    assert (found.cutoff_ev, found.k_spacing_inv_a) == (
        reference.fingerprint.cutoff_ev,
        reference.fingerprint.k_spacing_inv_a,
    )
    assert ("surrogate" in found.describe()) == (case.method == "surrogate")


def test_labels_enter_a_dataset(labels, tmp_path):
    """The permuted structure is the base again: the dataset holds it once."""
    added = Dataset(tmp_path, create=True).add(labels.values())
    assert (added.n_added, added.n_duplicates) == (len(labels) - 1, 1)


def test_each_task_leaves_its_input_log_and_result(labels, folder):
    tasks = [path for path in folder.iterdir() if path.is_dir()]
    assert len(tasks) == len(labels)
    for task in tasks:
        assert len(task.name) == 64
        assert {"input.json", "log", "result.json"} <= {path.name for path in task.iterdir()}
        assert not (task / "error.json").exists()
        assert json.loads((task / "result.json").read_text())["fingerprint"]["code"]
