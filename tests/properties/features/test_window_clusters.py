"""Clusters in a window whose pairs are known, and the conductivity that they allow."""

import numpy as np
import pytest

from mlip_sse.properties.features.window_clusters import CLUSTER_NAMES
from mlip_sse.properties.features.window_extrapolation import early_diffusivity, plain_slope
from mlip_sse.properties.features.windows import describe_window
from mlip_sse.trajectory.model import Trajectory

N_FRAMES, SPACING_FS, EDGE_A, TEMPERATURE_K = 200, 50.0, 64.0, 600.0
BOND_A = np.array([2.4, 0.0, 0.0])


def _salt(n_pairs, n_free, rng, anions_move=True, temperature_k=TEMPERATURE_K):
    """Li and Cl on a grid of 16 Å, pairs at 2.4 Å that walk together, free ions that walk alone."""
    grid = 16.0 * np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    places = rng.permutation(grid)[: n_pairs + 2 * n_free]
    walks = np.cumsum(rng.standard_normal((N_FRAMES, len(places), 3)) * 0.05, axis=0)
    if not anions_move:
        walks[:, n_pairs + n_free :] = 0.0
    centres = places + walks
    lithium = np.concatenate([centres[:, :n_pairs], centres[:, n_pairs : n_pairs + n_free]], axis=1)
    anions = np.concatenate([centres[:, :n_pairs] + BOND_A, centres[:, n_pairs + n_free :]], axis=1)
    if not anions_move:
        anions[:, :n_pairs] = places[:n_pairs] + BOND_A
    species = ["Li"] * (n_pairs + n_free) + ["Cl"] * (n_pairs + n_free)
    positions = np.concatenate([lithium, anions], axis=1)
    return Trajectory.from_arrays(
        species, positions, np.eye(3) * EDGE_A, SPACING_FS, wrapped=False, temperature_k=temperature_k
    )


def _described(run):
    return describe_window(run, 9.0, anions=("Cl",), contact_a=3.0)


def test_half_of_the_ions_in_pairs_conduct_half():
    run = _salt(10, 10, np.random.default_rng(1))
    found = _described(run)
    assert found.values["lone_mobile_fraction"] == pytest.approx(0.5)
    assert found.values["mobile_in_pairs_fraction"] == pytest.approx(0.5)
    assert found.values["mobile_in_larger_fraction"] == 0.0
    assert found.values["free_anion_fraction"] == pytest.approx(0.5)
    assert found.values["cluster_over_plain_conductivity"] == pytest.approx(0.5)
    # σ = e²/(V k_B T) Σ q² α D with ten free cations and ten free anions
    window = run.window(0, 181)
    slopes = [
        plain_slope(np.concatenate(list(window.ion_blocks(run.indices(name)))).astype(float), SPACING_FS / 1000).value
        for name in ("Li", "Cl")
    ]
    e, k = 1.602176634e-19, 1.380649e-23
    siemens_per_m = e**2 / ((EDGE_A * 1e-10) ** 3 * k * TEMPERATURE_K) * 10 * sum(slopes) * 1e-4
    assert found.values["cluster_conductivity_ms_cm"] == pytest.approx(10 * siemens_per_m, rel=1e-6)
    assert not found.missing


def test_free_ions_give_nernst_einstein_and_pairs_nothing():
    rng = np.random.default_rng(2)
    assert _described(_salt(0, 12, rng)).values["cluster_over_plain_conductivity"] == pytest.approx(1.0)
    paired = _described(_salt(12, 0, rng)).values
    assert paired["cluster_over_plain_conductivity"] == pytest.approx(0.0)
    assert paired["mobile_in_pairs_fraction"] == pytest.approx(1.0)


def test_still_anions_a_missing_temperature_and_a_network_have_reasons():
    rng = np.random.default_rng(3)
    still = _described(_salt(5, 5, rng, anions_move=False))
    assert "no pairs that travel" in still.missing["cluster_conductivity_ms_cm"]
    assert np.isnan(still.values["cluster_over_plain_conductivity"])
    cold = _described(_salt(5, 5, rng, temperature_k=None))
    assert "no temperature" in cold.missing["cluster_conductivity_ms_cm"]
    assert np.isfinite(cold.values["cluster_over_plain_conductivity"])
    line = np.arange(8.0)[:, None] * [2.0, 0, 0]  # a chain through the cell
    positions = line + np.cumsum(rng.standard_normal((N_FRAMES, 1, 3)) * 0.05, axis=0)
    run = Trajectory.from_arrays(["Li", "Cl"] * 4, positions, np.diag([16.0, 20.0, 20.0]), SPACING_FS, wrapped=False)
    found = _described(run)
    assert found.values["percolating_fraction"] == 1.0
    assert "a network, no clusters" in found.missing["cluster_conductivity_ms_cm"]
    assert set(CLUSTER_NAMES) <= set(found.values)


def test_a_window_extrapolates_to_the_diffusivity_of_brownian_motion():
    rng = np.random.default_rng(5)
    walks = np.cumsum(rng.standard_normal((60, 3, 800)) * 0.1, axis=2)
    found = early_diffusivity(walks, 0.05)
    truth = 0.1**2 / (2 * 0.05) * 1e-4  # D = s²/(2 dt) an axis
    assert found.method == "gls"
    assert found.value == pytest.approx(truth, rel=4 * found.relative_error)


def test_a_window_in_which_nothing_is_resolved_falls_back_to_the_slope():
    rng = np.random.default_rng(6)
    rattling = rng.standard_normal((5, 3, 60)) * 0.2
    found = early_diffusivity(rattling, 0.05)
    assert found.method in ("slope", "einstein")
    assert found.value > 0
    assert np.isnan(found.relative_error)
