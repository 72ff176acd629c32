"""Moduli from a cell that breathes: the constants that made the strains come back, within intervals that cover."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanics.cell_strains import correlation_length, hencky_strains, lagrangian_strains
from mlip_sse.analysis.mechanics.elastic_moduli import elastic_moduli
from mlip_sse.analysis.mechanics.strain_fluctuations import fluctuation_stiffness
from mlip_sse.analysis.mechanics.strains import rotated_stiffness
from mlip_sse.errors import InputError
from tests.analysis.mechanics.breathing_cells import breathing
from tests.analysis.mechanics.crystals import cubic, cubic_group, some_rotation, triclinic

CELL = 20.0 * np.eye(3)
SOFT = cubic(40.0, 18.0, 12.0)
SKEWED = np.array([[18.0, 0.0, 0.0], [6.0, 17.0, 0.0], [-4.0, 5.0, 21.0]])


def test_strains_of_known_cells():
    stretched = SKEWED @ np.diag([1.01, 1.0, 0.98])
    assert lagrangian_strains([stretched], SKEWED)[0] == pytest.approx([0.01005, 0, -0.0198, 0, 0, 0], abs=1e-15)
    found = hencky_strains([stretched], SKEWED)[0]
    assert found == pytest.approx([np.log(1.01), 0, np.log(0.98), 0, 0, 0], abs=1e-14)
    turned = stretched @ some_rotation(1).T
    assert hencky_strains([turned], SKEWED)[0] == pytest.approx(found, abs=1e-14)
    sheared = SKEWED @ np.array([[1.0, 0.0, 0.0], [0.02, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert lagrangian_strains([sheared], SKEWED)[0] == pytest.approx([0, 2e-4, 0, 0, 0, 0.02], abs=1e-15)


def test_the_memory_of_a_series():
    """AR(1) with ρ = exp(-1/m) has g = (1 + ρ)/(1 - ρ)."""
    cells = breathing(SOFT, CELL, 600, 40000, memory=5.0, seed=1)
    keep = np.exp(-1 / 5.0)
    found = correlation_length(lagrangian_strains(cells, CELL)[:, :1])
    assert found == pytest.approx((1 + keep) / (1 - keep), rel=0.1)
    assert correlation_length(np.random.default_rng(0).normal(size=(20000, 3))) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(("truth", "cell"), [(SOFT, CELL), (triclinic(4), SKEWED)])
def test_the_constants_that_made_the_strains_come_back(truth, cell):
    found = fluctuation_stiffness(breathing(truth, cell, 600, 40000, seed=2), 600)
    assert found.verdict.quality == "pass"
    assert found.stiffness_gpa == pytest.approx(truth, abs=0.06 * np.abs(truth).max())
    assert found.moduli["bulk"].value == pytest.approx(elastic_moduli(truth).bulk, rel=0.05)
    inside = (found.low_gpa <= truth) & (truth <= found.high_gpa)
    assert inside[np.triu_indices(6)].sum() >= 18


def test_intervals_cover_and_the_mean_is_not_too_stiff():
    """60 short runs of some 290 independent frames; 95 % intervals: at least 52 of 60, and no bias above two errors."""
    truth = elastic_moduli(SOFT)
    covered, means = np.zeros(2), []
    for seed in range(60):
        found = fluctuation_stiffness(breathing(SOFT, CELL, 600, 1600, seed=seed), 600, cubic_group()).moduli
        covered += [found[n].low <= getattr(truth, n) <= found[n].high for n in ("bulk", "shear")]
        means.append([found["bulk"].value, found["shear"].value])
    assert (covered >= 52).all(), covered
    bias = np.mean(means, axis=0) - [truth.bulk, truth.shear]
    assert (np.abs(bias) < 2.5 * np.std(means, axis=0) / np.sqrt(60)).all(), bias


def test_symmetry_lowers_the_noise_and_rotations_of_the_cell_change_nothing():
    cells = breathing(SOFT, CELL, 600, 4000, seed=3)
    with_group = fluctuation_stiffness(cells, 600, cubic_group())
    without = fluctuation_stiffness(cells, 600)
    assert np.ptp(with_group.stiffness_gpa[[0, 1, 2], [0, 1, 2]]) < 1e-9
    assert (with_group.high_gpa - with_group.low_gpa)[0, 0] < (without.high_gpa - without.low_gpa)[0, 0]
    turn = some_rotation(2)
    turned = fluctuation_stiffness(cells @ turn.T, 600)
    assert turned.stiffness_gpa == pytest.approx(rotated_stiffness(without.stiffness_gpa, turn), abs=1e-6)


def test_a_barostat_that_holds_the_angles_or_the_shape_gives_what_it_can():
    lengths = fluctuation_stiffness(breathing(SOFT, CELL, 600, 20000, moves="lengths", seed=5), 600)
    assert lengths.moves == "lengths"
    assert lengths.stiffness_gpa[:3, :3] == pytest.approx(SOFT[:3, :3], rel=0.12)
    assert np.isnan(lengths.stiffness_gpa[3:]).all()
    volume = fluctuation_stiffness(breathing(SOFT, CELL, 600, 20000, moves="volume", seed=6), 600)
    assert (volume.moves, list(volume.moduli)) == ("volume", ["bulk"])
    for found in (lengths, volume):
        assert found.verdict.quality == "weak"
        assert found.moduli["bulk"].value == pytest.approx(elastic_moduli(SOFT).bulk, rel=0.06)


def test_short_drifting_and_frozen_cells_are_named():
    short = fluctuation_stiffness(breathing(SOFT, CELL, 600, 200, memory=10.0), 600)
    assert short.verdict.quality == "refused"
    assert "independent frames among 200, expected 50 or more" in short.verdict.reasons[0]
    assert short.moduli == {}
    cells = breathing(SOFT, CELL, 600, 4000, memory=1.0, seed=8) * np.linspace(1.0, 1.02, 4000)[:, None, None]
    assert any("drifts" in reason for reason in fluctuation_stiffness(cells, 600).verdict.reasons)
    with pytest.raises(InputError, match="do not fluctuate"):
        fluctuation_stiffness(np.tile(CELL, (100, 1, 1)), 600)
    one_way = np.tile(CELL, (400, 1, 1))
    one_way[:, 2, 2] += np.random.default_rng(1).normal(0, 0.1, 400)
    with pytest.raises(InputError, match="moves in zz, expected all"):
        fluctuation_stiffness(one_way, 600)
    with pytest.raises(InputError, match="expected \\(n_frames, 3, 3\\)"):
        fluctuation_stiffness(CELL, 600)
    with pytest.raises(InputError, match="4 or more blocks"):
        fluctuation_stiffness(cells, 600, n_blocks=2)
