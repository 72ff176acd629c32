"""Benchmarks of early windows and of polymers: walkers are what they say, readers and deals too."""

import numpy as np
import pytest

from benchmarks import early_window, early_window_runs, polymer_readout


def case(kind, rate, size=60):
    return early_window_runs.Case(kind, kind, size, 0, rate, 0.0, 3)


@pytest.mark.parametrize("kind", ["caged", "rattling pairs", "cages", "random barriers"])
def test_jumps_lead_back_at_the_same_rate(kind):
    rates, targets, steps = early_window_runs.network_of(case(kind, 0.1))
    for site, jump in np.ndindex(rates.shape):
        other = targets[site, jump]
        back = [k for k in range(rates.shape[1]) if targets[other, k] == site]
        same = [k for k in back if np.allclose(steps[other, k], -steps[site, jump])]
        assert len(same) == 1
        assert rates[other, same[0]] == pytest.approx(rates[site, jump])


@pytest.mark.parametrize(("kind", "rate"), [("caged", 0.5), ("rattling pairs", 0.1)])
def test_walkers_have_the_diffusivity_that_is_called_true(kind, rate):
    run = case(kind, rate, size=400)
    moved = early_window_runs.displacements(run, 1200, 5)
    msd = [((moved[lag:] - moved[:-lag])[::lag] ** 2).sum(axis=2).mean() for lag in (40, 120)]
    slope = (msd[1] - msd[0]) / 80 / 6 * early_window_runs.PER_FRAME
    # 400 ions × 10 windows of 120 frames: MSD known to √(2/3)/√4000 = 1.3 %, the difference to 2 %; five of these
    assert slope == pytest.approx(early_window_runs.true_diffusivity(run), rel=0.1)


def test_the_combined_reader_is_what_the_page_says_of_molecular_dynamics():
    path = early_window.Path(early_window.__file__).with_name("early_window_md.csv")
    md = early_window.rows_of(early_window.read_rows(path))
    every = np.ones(len(md.y), dtype=bool)
    gls = np.abs(md.gls - md.y)
    ours = np.abs(early_window.left_out(md, "combined", every, None) - md.y)
    assert len(md.y) == 96
    assert gls.mean() == pytest.approx(0.092, abs=0.002)
    assert ours.mean() == pytest.approx(0.064, abs=0.005)  # linear algebra of other machines, none of it random
    melt = md.groups == "LiCl"
    assert ours[melt].mean() < 1.2 * gls[melt].mean()  # where ridge fails the extrapolation is what is left


@pytest.fixture
def polymers():
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(12), 6)
    kelvin = np.tile([280.0, 300.0, 310.0, 330.0, 350.0, 380.0], 12)
    x = rng.normal(size=(12, 3))[member]
    return polymer_readout.Rows(x, x[:, 0] - 3.0 * (1000 / kelvin - 3.0), kelvin, member)


def test_deals_are_of_whole_polymers(polymers):
    dealt = polymers.dealt(1)
    np.testing.assert_allclose(np.sort(dealt.y), np.sort(polymers.y))
    per_polymer = dealt.y.reshape(12, 6)
    assert {tuple(row) for row in per_polymer} == {tuple(row) for row in polymers.y.reshape(12, 6)}
    assert not np.allclose(dealt.y, polymers.y)


def test_outside_asks_other_polymers_at_other_temperatures(polymers):
    asked = []
    for train, test in polymers.splits("outside", 0):
        assert not set(polymers.polymers[train]) & set(polymers.polymers[test])
        assert polymers.kelvin[train].min() >= 303.15
        assert polymers.kelvin[train].max() <= 353.15
        asked += test.tolist()
    assert sorted(asked) == np.flatnonzero((polymers.kelvin < 303.15) | (polymers.kelvin > 353.15)).tolist()


def test_parts_are_kept_and_tables_made_of_them(polymers, tmp_path, capsys):
    titles = ["median of training", "trees"]
    polymer_readout.fill(polymers, tmp_path, titles, 1)
    assert len(capsys.readouterr().out.splitlines()) == 4
    polymer_readout.fill(polymers, tmp_path, titles, 1)
    assert capsys.readouterr().out == ""
    shown = polymer_readout.tables(polymers, tmp_path, 1)
    assert "| median of training |" in shown
    assert "readout" not in shown
    error = np.where(polymers.polymers == 0, 1.0, 0.0)
    rows, by_polymer = polymer_readout.means(error, polymers.polymers)
    assert rows.startswith("+0.083 (+0.000 to")
    assert by_polymer.startswith("+0.083")
