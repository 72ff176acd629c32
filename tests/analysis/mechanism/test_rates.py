"""Poisson intervals, hop classes, activation energies."""

import numpy as np
import pytest
from scipy.stats import chi2, poisson

from mlip_sse.analysis.mechanism.counting import poisson_limits
from mlip_sse.analysis.mechanism.hop_activation import hop_activation
from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.analysis.mechanism.rates import hop_rates, rate_interval
from mlip_sse.analysis.mechanism.sites import Sites
from mlip_sse.analysis.mechanism.visits import Visits
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K


@pytest.mark.parametrize("count", [0, 1, 7, 250])
def test_the_interval_is_garwoods(count):
    low, high = poisson_limits(count, 0.9)
    assert high == pytest.approx(chi2.ppf(0.95, 2 * count + 2) / 2)
    assert low == pytest.approx(chi2.ppf(0.05, 2 * count) / 2 if count else 0.0)


def test_the_interval_covers_at_least_as_often_as_it_says():
    for mean in (0.7, 3.0, 11.0):
        counts = np.arange(60)
        covered = np.array([poisson_limits(int(n))[0] <= mean <= poisson_limits(int(n))[1] for n in counts])
        assert (poisson.pmf(counts, mean) * covered).sum() >= 0.95


def test_dispersion_widens_the_interval():
    plain, wide = rate_interval(40, 10.0), rate_interval(40, 10.0, dispersion=4.0)
    assert wide.value == plain.value == 4.0
    assert (wide.high - wide.low) / (plain.high - plain.low) == pytest.approx(2.0, rel=0.1)
    assert "scatter 4" in wide.method


def test_hops_are_pooled_by_sites_and_length():
    cell = np.diag([10.0, 10.0, 10.0])
    sites = Sites(np.array([[0.0, 0, 0], [0.2, 0, 0], [0.51, 0, 0]]), np.array(["A", "B", "A"]), cell)
    ions, where = np.zeros(5, int), np.array([0, 1, 2, 1, 0])
    starts = np.array([0, 10, 30, 60, 90])
    visits = Visits.from_arrivals(ions, where, starts, np.zeros((5, 3), int), 1, 100, 3)
    found = hop_rates(visits, visits.jumps(), sites, 2.0)
    names = {hop.name: (int(n), time) for hop, n, time in zip(found.classes, found.counts, found.times_fs, strict=True)}
    assert names == {
        "A-B 2.0 Å": (1, 100.0),
        "A-B 3.1 Å": (1, 100.0),
        "B-A 2.0 Å": (1, 100.0),
        "B-A 3.1 Å": (1, 100.0),
    }
    assert found.matrix_counts.tolist() == [[0, 2], [2, 0]]
    np.testing.assert_allclose(found.matrix(), [[0, 0.02], [0.02, 0]])


def test_counts_in_bursts_are_seen():
    rng = np.random.default_rng(0)
    sites = Sites(np.array([[0.0, 0, 0], [0.3, 0, 0]]), np.array(["A", "A"]), np.eye(3) * 10)
    for frames, bursts in ((np.sort(rng.integers(0, 1600, 400)), False), (np.sort(rng.integers(0, 200, 400)), True)):
        where = np.arange(400) % 2
        jumps = Jumps(frames, np.zeros(400, int), where, 1 - where, np.zeros((400, 3), int))
        visits = Visits.from_arrivals(np.zeros(401, int), np.arange(401) % 2, np.append(0, frames),
                                      np.zeros((401, 3), int), 1, 1600, 2)  # fmt: skip
        found = hop_rates(visits, jumps, sites, 1.0).dispersions.max()
        assert (found > 5) if bursts else (found == 1)


def test_an_exact_arrhenius_law_comes_back():
    kelvin = np.array([400.0, 500.0, 600.0])
    time = np.array([1e9, 1e8, 1e7])
    counts = time * 3e-3 * np.exp(-0.3 / (BOLTZMANN_EV_PER_K * kelvin))
    found = hop_activation(kelvin, counts, time)
    assert found.activation_energy_ev.value == pytest.approx(0.3, abs=1e-9)
    assert found.attempt_frequency_thz.value == pytest.approx(3.0, rel=1e-8)
    assert found.activation_energy_ev.low < 0.3 < found.activation_energy_ev.high


def test_intervals_of_the_activation_energy_cover_with_few_hops():
    rng = np.random.default_rng(3)
    kelvin, time = np.array([500.0, 600.0, 700.0, 800.0]), np.full(4, 1e6)
    mean = time * 5e-3 * np.exp(-0.35 / (BOLTZMANN_EV_PER_K * kelvin))
    covered = []
    for _ in range(300):
        counts = rng.poisson(mean)
        if (counts > 0).sum() < 2:
            continue
        found = hop_activation(kelvin, counts, time).activation_energy_ev
        covered.append(found.low <= 0.35 <= found.high)
    assert len(covered) > 290
    assert np.mean(covered) == pytest.approx(0.955, abs=0.035)  # 95 % and a dispersion that can only widen; 3 σ


def test_one_temperature_has_no_activation_energy():
    with pytest.raises(InputError, match="hops were counted at 1 temperatures"):
        hop_activation([500.0, 600.0], [0, 8], [1e6, 1e6])
