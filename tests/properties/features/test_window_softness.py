"""Softness in a window, by a plane that is known and by one that is learnt from hops with a known cause."""

import numpy as np
import pytest

from mlip_sse.analysis.softness.classifier import Plane, Softness
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.softness.hop_indicator import Thresholds
from mlip_sse.properties.features.windows import describe_window, window_features
from mlip_sse.trajectory.model import Trajectory

SPACING_FS, HOP_A = 50.0, 3.0


@pytest.fixture(scope="module")
def gated():
    """Of 40 ions the odd ones have an S at 2.3 Å that moves with them, and hop to and fro; the even ones rest."""
    rng = np.random.default_rng(0)
    n_frames, n_ions = 400, 40
    places = 12.0 * np.stack(np.meshgrid(np.arange(4), np.arange(5), np.arange(2), indexing="ij"), -1).reshape(-1, 3)
    jumps = (rng.random((n_frames, n_ions)) < 0.02) * (np.arange(n_ions) % 2)
    steps = np.zeros((n_frames, n_ions, 3))
    np.put_along_axis(
        steps,
        rng.integers(3, size=jumps.shape)[..., None],
        (jumps * rng.choice([-1, 1], jumps.shape) * HOP_A)[..., None],
        2,
    )
    lithium = places + np.cumsum(steps, axis=0) + rng.standard_normal((n_frames, n_ions, 3)) * 0.1
    sulfur = lithium[:, 1::2] + [2.3, 0, 0] + rng.standard_normal((n_frames, n_ions // 2, 3)) * 0.05
    species = ["Li"] * n_ions + ["S"] * (n_ions // 2)
    return Trajectory.from_arrays(
        species, np.concatenate([lithium, sulfur], axis=1), np.diag([200.0] * 3), SPACING_FS, wrapped=False
    )


def test_a_given_plane_is_applied_to_all_mobile_ions(gated):
    functions = StructureFunctions(("Li", "S"), angular_ranges=())
    n = len(functions.names)
    near_sulfur = functions.evaluate(gated, np.array([0, 0]), np.array([0, 1])).argmax(axis=1)[1]
    weights = np.zeros(n)
    weights[near_sulfur] = 2.0
    plane = Plane(weights, np.zeros(n), np.ones(n), -0.5, 1.0)
    made = Softness(("Li",), functions, plane, Thresholds(2.0, 0.05, 0.03, HOP_A, "known"), 0.25, 1.0)
    found = describe_window(gated, 19.0, softness=made)
    assert found.values["soft_fraction"] == pytest.approx(0.5, abs=0.05)  # ions with S beside them, and no others
    frames = np.unique(np.linspace(0, 380, 20).astype(int))
    field = made.apply(gated.window(0, 381), frames).values
    assert found.values["softness_median"] == pytest.approx(float(np.median(field)))
    assert np.isnan(found.values["softness_auc"])
    assert "of its own training" in found.missing["softness_auc"]


def test_a_plane_learnt_on_the_window_finds_what_makes_ions_hop(gated):
    found = describe_window(gated, 19.0, softness="train")
    assert found.values["softness_auc"] > 0.75  # hopping ions rest too, between hops, which no plane can tell
    assert 0.3 < found.values["soft_fraction"] < 0.7
    assert not found.missing


def test_too_few_hops_are_said(gated):
    found = describe_window(gated, 2.5, softness="train")
    assert np.isnan(found.values["softness_median"])
    assert "too few hops" in found.missing["softness_median"]


def test_other_species_than_those_of_training_are_said(gated):
    functions = StructureFunctions(("Cl", "Li"), angular_ranges=())
    n = len(functions.names)
    plane = Plane(np.zeros(n), np.zeros(n), np.ones(n), 0.0, 1.0)
    made = Softness(("Li",), functions, plane, Thresholds(2.0, 0.05, 0.03, HOP_A, "known"), 0.25, 1.0)
    assert "are made for Cl, Li" in describe_window(gated, 19.0, softness=made).missing["softness_median"]
    assert "softness_median" not in window_features(gated, 19.0)
