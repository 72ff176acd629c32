"""Onsager matrix: known coefficients within intervals that cover, exact sum rules, symmetry, refusals."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from mlip_sse.analysis.results import Estimate, Quality, to_json
from mlip_sse.analysis.transport.charge.onsager import onsager_matrix
from mlip_sse.analysis.transport.charge.spectrum import zero_frequency_density
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K, conductivity_ms_cm

VOLUME, TEMPERATURE, SPACING = 1000.0, 600.0, 1.0
PER_EV = 1 / (VOLUME * BOLTZMANN_EV_PER_K * TEMPERATURE)
RATES = np.array([[2.0, 0.8], [0.8, 1.0]])  # G_ab, Å²/fs
CHARGES = np.array([1.0, -1.0])


def walkers(rng, n_frames, rates, taus):
    """Species-summed coordinates with exact G and one correlation time (in frames) for each species."""
    steps = np.einsum(
        "ab,btd->atd", np.linalg.cholesky(2 * np.asarray(rates)), rng.standard_normal((len(rates), n_frames + 400, 3))
    )
    for a, tau in enumerate(taus):
        phi = math.exp(-1 / tau) if tau else 0.0
        steps[a] = lfilter([1 - phi], [1, -phi], steps[a], axis=0)
    return np.cumsum(steps[:, 400:], axis=1)


def analyse(positions, species=("Li", "Cl"), charges=CHARGES, **options):
    return onsager_matrix(positions, species, charges, SPACING, VOLUME, TEMPERATURE, "framework", **options)


def coverage(n_replicas, n_frames, taus, seed):
    exact = [
        RATES[0, 0] * PER_EV,
        RATES[0, 1] * PER_EV,
        RATES[1, 1] * PER_EV,
        CHARGES[0] * (RATES @ CHARGES)[0] / (CHARGES @ RATES @ CHARGES),
        conductivity_ms_cm(CHARGES @ RATES @ CHARGES, VOLUME, TEMPERATURE),
    ]
    rng = np.random.default_rng(seed)
    hits = {0.68: np.zeros(5), 0.95: np.zeros(5)}
    for _ in range(n_replicas):
        positions = walkers(rng, n_frames, RATES, taus)
        for confidence, count in hits.items():
            found = analyse(positions, confidence=confidence)
            if found.verdict.quality is Quality.REFUSED:
                continue
            rows = found.onsager_per_ev_angstrom_fs
            intervals = [rows[0][0], rows[0][1], rows[1][1], found.transference_numbers[0], found.conductivity_ms_cm]
            count += [i.low < value < i.high for i, value in zip(intervals, exact, strict=True)]
    return {confidence: count / n_replicas for confidence, count in hits.items()}


def assert_covers(n_replicas, n_frames, taus, seed):
    found = coverage(n_replicas, n_frames, taus, seed)
    # the bar of the project, plus two binomial standard errors of the test itself
    for confidence, low, high in ((0.68, 0.64, 0.74), (0.95, 0.92, 0.98)):
        slack = 2 * math.sqrt(confidence * (1 - confidence) / n_replicas)
        assert (found[confidence] >= low - slack).all(), (taus, found)
        assert (found[confidence] <= high + slack).all(), (taus, found)


def test_intervals_cover():
    assert_covers(150, 1000, (0, 5), seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("taus", [(0, 0), (3, 3), (3, 10), (0, 10)])
def test_coverage_table(taus):
    assert_covers(500, 2000, taus, seed=2)


def test_known_matrix_in_a_long_run():
    found = analyse(walkers(np.random.default_rng(3), 20000, RATES, (0, 3)), confidence=0.99)
    for a in range(2):
        for b in range(2):
            interval = found.onsager_per_ev_angstrom_fs[a][b]
            assert interval.low < RATES[a, b] * PER_EV < interval.high
            assert interval == found.onsager_per_ev_angstrom_fs[b][a]
    assert sum(t.value for t in found.transference_numbers) == pytest.approx(1.0, abs=1e-12)
    assert found.verdict.quality is Quality.PASS, found.verdict.reasons
    assert found.reference_frame == "framework"
    assert '"Li-Cl"' in to_json(found)


def test_one_species_is_the_spectral_conductivity():
    positions = walkers(np.random.default_rng(4), 5000, [[2.0]], (3,))
    found = analyse(positions, ("Li",), [2.0])
    alone = zero_frequency_density(np.diff(positions[0], axis=0), SPACING).estimate.scaled(0.5 * 4)
    expected = alone.scaled(conductivity_ms_cm(1.0, VOLUME, TEMPERATURE)).interval(0.95)
    # mean over cutoffs of S here, of ln S there
    assert found.conductivity_ms_cm.value == pytest.approx(expected.value, rel=0.02)
    assert found.conductivity_ms_cm.low == pytest.approx(expected.low, rel=0.05)
    assert found.transference_numbers[0].value == pytest.approx(1.0)
    assert found.transference_numbers[0].high == pytest.approx(1.0)
    row = found.onsager_per_ev_angstrom_fs[0][0]  # drawn quantiles against the closed form of the same χ²
    assert row.low / row.value == pytest.approx(found.conductivity_ms_cm.low / found.conductivity_ms_cm.value, rel=0.02)


def test_barycentric_frame_keeps_the_sum_rule_exactly():
    rng = np.random.default_rng(5)
    masses = np.array([7.0, 35.0, 31.0])  # of one ion each; every species summed over its ions
    positions = walkers(rng, 4000, np.diag([2.0, 1.0, 0.5]), (0, 2, 5))
    barycentre = np.einsum("a,atd->td", masses, positions) / masses.sum()
    found = onsager_matrix(
        positions - barycentre, ("Li", "Cl", "P"), [1, -1, 5], SPACING, VOLUME, TEMPERATURE, "barycentric"
    )
    rates = np.array(found.collective_rates_a2_per_fs)
    assert np.abs(rates @ masses).max() < 1e-9 * np.abs(rates).max() * masses.sum()
    assert np.linalg.matrix_rank(rates, tol=1e-8) == 2
    assert found.reference_frame == "barycentric"
    assert found.conductivity_ms_cm.low > 0


def test_permutation_rotation_and_mixing_of_species():
    rng = np.random.default_rng(6)
    positions = walkers(rng, 3000, RATES, (0, 3))
    reference = np.array(analyse(positions).collective_rates_a2_per_fs)
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    turned = np.array(analyse(positions @ rotation).collective_rates_a2_per_fs)
    assert turned == pytest.approx(reference, rel=1e-6)
    swapped = np.array(analyse(positions[::-1], ("Cl", "Li"), CHARGES[::-1]).collective_rates_a2_per_fs)
    assert swapped[::-1, ::-1] == pytest.approx(reference, rel=1e-6)
    shifted = np.array(analyse(positions + 100.0).collective_rates_a2_per_fs)
    assert shifted == pytest.approx(reference, rel=1e-6)


def test_distinct_part_of_independent_ions_is_zero():
    n_ions, diffusivity = 50, 0.01
    rng = np.random.default_rng(7)
    steps = math.sqrt(2 * diffusivity) * rng.standard_normal((n_ions, 4000, 3))
    positions = np.cumsum(steps.sum(axis=0), axis=0)[None]
    own = Estimate(n_ions * diffusivity, 1e-4)
    found = analyse(positions, ("Li",), [1.0], self_rates_a2_per_fs={"Li": own}, confidence=0.99)
    distinct = found.distinct_per_ev_angstrom_fs[0][0]
    assert distinct.low < 0 < distinct.high
    assert distinct.value == pytest.approx(found.onsager_per_ev_angstrom_fs[0][0].value - own.value * PER_EV)
    assert analyse(positions, ("Li",), [1.0]).distinct_per_ev_angstrom_fs[0][0] is None


def test_refusals_are_in_words():
    rng = np.random.default_rng(8)
    good = walkers(rng, 2000, RATES, (0, 0))
    short = analyse(good[:, :12])
    assert short.verdict.quality is Quality.REFUSED
    assert "too short" in short.verdict.reasons[0]
    assert short.to_dict()["conductivity_ms_cm"] is None
    still = good.copy()
    still[1] = 0.0
    assert "Cl does not move" in analyse(still).verdict.reasons[0]
    paired = np.stack([good[0], good[0]])
    assert "current vanishes" in analyse(paired).verdict.reasons[0]


@pytest.mark.parametrize(
    ("shape", "species", "charges", "words"),
    [
        ((2, 100, 3), ("Li",), [1.0], "do not fit"),
        ((100, 3), ("Li",), [1.0], "n_species, n_frames, d"),
        ((2, 100, 3), ("Li", "Cl"), [0.0, 0.0], "all charges are zero"),
    ],
)
def test_bad_input_is_one_line(shape, species, charges, words):
    with pytest.raises(InputError, match=words):
        analyse(np.ones(shape), species, np.array(charges))
    with pytest.raises(InputError, match="NaN"):
        analyse(np.full((2, 100, 3), np.nan))
