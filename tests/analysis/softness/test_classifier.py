"""The plane, what it is tested by, and a softness that survives its file."""

import json

import numpy as np
import pytest

from mlip_sse.analysis.results import to_json
from mlip_sse.analysis.softness.classifier import Softness, fit_planes
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.softness.hop_indicator import Thresholds
from mlip_sse.analysis.softness.learning import Learned, judge_learned, learn_plane
from mlip_sse.analysis.softness.training_set import Samples, Split
from mlip_sse.analysis.softness.validation import choose_penalty, cross_validate, shuffle_control
from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.model import Trajectory


def planted(seed, n=300, n_functions=8, strength=1.5, n_ions=40):
    """Return samples whose classes differ in the first function alone, which has another unit than the rest."""
    rng = np.random.default_rng(seed)
    hops = np.repeat([True, False], n)
    features = rng.normal(size=(2 * n, n_functions))
    features[:, 0] = 100.0 * (features[:, 0] + strength * hops)
    samples = Samples(rng.integers(0, 1000, 2 * n), rng.integers(0, n_ions, 2 * n), hops)
    return features.astype(np.float32), samples


def test_finds_the_function_that_tells_whatever_its_unit():
    features, samples = planted(0)
    (plane,) = fit_planes(features, samples.hops, [1.0])
    assert np.argmax(np.abs(plane.weights)) == 0
    assert plane.weights[0] > 5 * np.abs(plane.weights[1:]).max()
    scaled = features * np.array([1e-3] + [7.0] * 7, dtype=np.float32)
    (other,) = fit_planes(scaled, samples.hops, [1.0])
    np.testing.assert_allclose(other.distances(scaled), plane.distances(features), atol=1e-3)  # single precision


def test_functions_that_hardly_vary_get_no_weight():
    features, samples = planted(1)
    features[:, 3] = 4.2
    features[:, 5] = 0.0
    features[7, 5] = 1e-4
    (plane,) = fit_planes(features, samples.hops, [1.0])
    assert plane.weights[3] == plane.weights[5] == 0.0


def test_unequal_classes_change_the_intercept_alone():
    features, samples = planted(2, n=2000)
    few = np.r_[np.arange(500), np.arange(2000, 4000)]
    (all_of_them,), (fewer,) = (
        fit_planes(features[rows], samples.hops[rows], [1.0]) for rows in (np.arange(4000), few)
    )
    direction = [plane.weights for plane in (all_of_them, fewer)]
    cosine = direction[0] @ direction[1] / np.linalg.norm(direction[0]) / np.linalg.norm(direction[1])
    assert cosine > 0.97


def test_one_class_is_refused():
    features, samples = planted(3)
    with pytest.raises(InputError, match="found 300 hops among 300 samples"):
        fit_planes(features[samples.hops], samples.hops[samples.hops], [1.0])


@pytest.mark.parametrize("split", list(Split))
def test_cross_validation_finds_what_was_planted(split):
    draws = [planted(4)]
    found = cross_validate(draws, split, n_folds=5, guard=5, confidence=0.95, seed=0)
    # Φ(1.5/√2) = 0.856, with 300 samples of each class ± 0.015
    assert found.auc.value == pytest.approx(0.856, abs=0.045)
    assert found.auc.low < 0.856 < found.auc.high
    assert len(found.scores.scores) == 600


def test_shuffled_classes_give_a_half():
    features, samples = planted(5)
    control = shuffle_control(
        features, samples, Split.IONS, n_shuffles=12, n_folds=5, guard=0, penalty=1.0, confidence=0.95, seed=0
    )
    assert control.low < 0.5 < control.high
    assert control.value == pytest.approx(0.5, abs=3 * 0.024 / np.sqrt(12))  # √(1/12 · 1/300 · 2) a shuffle
    assert control.high - control.low < 0.2


def test_features_that_say_nothing_are_called_so():
    features, samples = planted(6, strength=0.0)
    learned = learn_plane([(features, samples)], 40, n_folds=4, guard=5, n_shuffles=3, confidence=0.95, seed=0)
    assert learned.auc.low < 0.5
    assert any("do not tell" in reason for reason in judge_learned(learned).reasons)


def test_leaking_samples_are_refused():
    """Copies of a sample on both sides of a fold are found by shuffled classes."""
    features, samples = planted(7, n=60)
    copies = np.repeat(np.arange(120), 4)
    hops = samples.hops[copies]
    learned = cross_validate(
        [(features[copies], Samples(samples.frames[copies], np.arange(480), hops))],
        Split.IONS, n_folds=4, guard=0, confidence=0.95, seed=0,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    labels = rng.permutation(samples.hops)[copies]
    leaking = cross_validate(
        [(features[copies] + rng.normal(0, 1e-3, (480, 8)), Samples(samples.frames[copies], np.arange(480), labels))],
        Split.IONS, n_folds=4, guard=0, confidence=0.95, seed=0, penalties=(10.0,),
    )  # fmt: skip
    shown = Learned(learned.planes[0][0], 240, learned.scores, learned.auc, 0.8, {}, leaking.auc)
    assert judge_learned(shown).quality == "refused"


def test_the_weakest_penalty_that_does_as_well_is_chosen():
    features, samples = planted(8)
    assert choose_penalty(features, samples, Split.IONS, guard=0, seed=0, penalties=(0.5,)) == 0.5
    assert choose_penalty(features, samples, Split.IONS, guard=0, seed=0) <= 1.0


def softness_of(species=("Cl", "Li")):
    functions = StructureFunctions(species, mu_first=2.0, mu_last=3.0, mu_step=0.5, angular_ranges=(), average_ps=0.0)
    rng = np.random.default_rng(0)
    features, hops = rng.normal(size=(60, len(functions.names))), np.arange(60) % 2 == 0
    (plane,) = fit_planes(features, hops, [1.0])
    return Softness(("Li",), functions, plane, Thresholds(2.0, 0.5, 0.3, 3.0, "by hand"), 0.5, 2.0, {"seed": 0})


def small_crystal(symbols=("Li", "Li", "Cl", "Cl"), n_frames=12):
    rng = np.random.default_rng(1)
    positions = rng.uniform(0, 6, (1, len(symbols), 3)) + rng.normal(0, 0.1, (n_frames, len(symbols), 3))
    return Trajectory.from_arrays(symbols, positions, np.eye(3) * 6.0, 100.0, wrapped=False)


def test_a_softness_survives_its_file(tmp_path):
    softness, crystal = softness_of(), small_crystal()
    again = Softness.load(softness.save(tmp_path / "softness.json"))
    one, two = softness.apply(crystal, [0, 5, 11]), again.apply(crystal, [0, 5, 11])
    assert one.values.shape == (3, 2)
    np.testing.assert_array_equal(one.values, two.values)
    assert again.thresholds == softness.thresholds
    assert to_json(again) == to_json(softness)


def test_applied_softness_is_that_of_its_functions():
    softness, crystal = softness_of(), small_crystal()
    features = softness.functions.evaluate(crystal, np.array([3, 3]), np.array([0, 1]))
    plane = softness.plane
    by_hand = ((features - plane.means) / plane.scales) @ plane.weights + plane.intercept
    np.testing.assert_allclose(softness.apply(crystal, [3]).values[0], by_hand, rtol=1e-5)
    assert softness.apply(crystal).frames.tolist() == [0, 5, 10]


def test_another_chemistry_or_frame_is_refused():
    with pytest.raises(InputError, match="holds Br, Li; the structure functions are made for Cl, Li"):
        softness_of().apply(small_crystal(("Li", "Li", "Br", "Br")))
    with pytest.raises(InputError, match="expected 0 to 11"):
        softness_of().apply(small_crystal(), [12])


def test_surroundings_unlike_the_training_are_named():
    softness = softness_of()
    far = np.tile(softness.plane.means + 10 * softness.plane.scales, (5, 1))
    assert len(softness.unlike(far)) == np.count_nonzero(softness.plane.weights)
    assert softness.unlike(np.tile(softness.plane.means, (5, 1))) == ()


@pytest.mark.parametrize("change", ["format", "weights", "names", "text"])
def test_a_broken_file_is_refused(tmp_path, change):
    path = softness_of().save(tmp_path / "softness.json")
    data = json.loads(path.read_text())
    if change == "format":
        data["format"] = "softness 0"
    elif change == "weights":
        data["plane"]["weights"] = data["plane"]["weights"][1:]
    elif change == "names":
        del data["names"]
    path.write_text("{" if change == "text" else json.dumps(data))
    with pytest.raises(FormatError, match="softness"):
        Softness.load(path)
