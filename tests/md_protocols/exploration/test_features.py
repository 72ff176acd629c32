"""Features of frames: what may not change them, what must, and the same numbers from a run and from a frame."""

import numpy as np
import pytest

from mlip_sse.md_protocols.exploration import load_looks
from mlip_sse.md_protocols.exploration.features import DescriptorFeatures, descriptor_features, radial_features
from tests.potentials.licl import licl_atoms, pod_recipe


def test_features_are_means_and_deviations_in_units_of_the_scales():
    descriptors = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 0.0]])
    features = DescriptorFeatures({"Li": np.array([2.0, 5.0]), "Cl": np.array([1.0, 1.0]), "S": np.ones(2)})
    found = features.of_frame(["Li", "Li", "Cl"], descriptors)
    # Elements in alphabetical order: Cl, Li, and S, of which there is none.
    np.testing.assert_allclose(found, [5, 0, 0, 0, 1, 4, 0.5, 2, 0, 0, 0, 0])
    assert features.n_features == len(found) == 12


def test_a_projection_keeps_distances():
    rng = np.random.default_rng(0)
    features = DescriptorFeatures({"Li": rng.uniform(1.0, 2.0, 500), "Cl": rng.uniform(1.0, 2.0, 500)})
    assert features.n_features == 128
    frames = rng.normal(size=(12, 8, 500))
    symbols = ["Li"] * 4 + ["Cl"] * 4
    found = np.array([features.of_frame(symbols, frame) for frame in frames])
    inverse = np.concatenate([features._inverse["Cl"]] * 2 + [features._inverse["Li"]] * 2)
    whole = np.array(
        [np.concatenate([part for half in (f[4:], f[:4]) for part in (half.mean(0), half.std(0))]) for f in frames]
    )
    exact = np.linalg.norm((whole[:, None] - whole[None]) * inverse, axis=-1)
    projected = np.linalg.norm(found[:, None] - found[None], axis=-1)
    pairs = np.triu_indices(12, 1)
    # The length of a Gaussian projection onto 128 numbers has a relative deviation of 1/√256 = 0.0625.
    np.testing.assert_allclose(projected[pairs] / exact[pairs], 1.0, atol=5 * 0.0625)


def turned(atoms, seed):
    """Return the same structure in other axes, its atoms moved by whole cells and in another order."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    copy = atoms.copy()
    copy.positions += rng.integers(-1, 2, (len(atoms), 3)) @ atoms.cell.array
    copy.set_cell(copy.cell.array @ turn, scale_atoms=False)
    copy.positions = copy.positions @ turn
    return copy[rng.permutation(len(atoms))]


def test_features_do_not_change_with_axes_wrapping_and_order(licl_pod):
    one, other = licl_atoms(2, seed=5)
    found = descriptor_features(licl_pod, [one, turned(one, 1), other])
    scale = np.linalg.norm(found[0] - found[2])
    assert np.linalg.norm(found[0] - found[1]) < 1e-4 * scale  # float32 and LAMMPS' triangular cell
    radial = [radial_features(atoms) for atoms in (one, turned(one, 1), other)]
    np.testing.assert_allclose(radial[0], radial[1], atol=1e-5)
    assert np.linalg.norm(radial[0] - radial[2]) > 0.1


def test_a_segment_and_a_frame_give_the_same_features(run_task, pod_folder, licl_pod, rock_salt):
    result, place = run_task(pod_folder, rock_salt, duration_ps=0.04, temperatures_k=[300.0, 300.0])
    looks = load_looks(place, result)
    frame = rock_salt.copy()
    frame.positions = looks.positions[2]
    found = descriptor_features(licl_pod, [frame])[0]
    moved = np.linalg.norm(looks.features[2] - looks.features[1])
    assert np.linalg.norm(found - looks.features[2]) < 1e-3 * moved


def test_features_need_not_the_environments_of_the_active_sets(licl_pod, tmp_path, rock_salt):
    from mlip_sse.potentials import load_potential

    small = load_potential(licl_pod.save(tmp_path / "small", keep_equations=False))
    assert not any(len(active.rows) for active in small.active_sets.values())
    full, found = (descriptor_features(one, licl_atoms(2, seed=8)) for one in (licl_pod, small))
    distance = np.linalg.norm(full[0] - full[1])
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(distance, rel=0.02)  # kept in single precision


def test_the_scales_are_the_spreads_in_the_active_sets(licl_pod):
    assert pod_recipe().two_body == 6
    features = DescriptorFeatures.of(licl_pod)
    for element, active in licl_pod.active_sets.items():
        spread = active.rows.std(axis=0)
        expected = np.maximum(spread, 0.1 * np.median(spread))
        np.testing.assert_allclose(1 / features._inverse[element], expected, rtol=1e-3)
