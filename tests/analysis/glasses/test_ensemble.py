"""Reports of glasses, and what several of them say together."""

import numpy as np
import pytest
from scipy.stats import t as student

from mlip_sse import Trajectory
from mlip_sse.analysis.glasses.ensemble import between_glasses, glass_ensemble
from mlip_sse.analysis.glasses.glass_report import GlassCriteria, find_centre, glass_report
from mlip_sse.analysis.results import to_json
from mlip_sse.errors import InputError
from mlip_sse.structures import crystal
from mlip_sse.structures.glasses import pack_units, unit_counts


def frames_of(atoms, noise=0.05, n_frames=40, seed=0):
    rng = np.random.default_rng(seed)
    steps = noise * rng.normal(size=(n_frames, len(atoms), 3))
    breathing = 1.0 + 0.002 * rng.normal(size=n_frames)
    positions = (atoms.positions + steps) * breathing[:, None, None]
    cells = atoms.cell.array * breathing[:, None, None]
    return np.array(atoms.get_chemical_symbols()), positions, cells


def shaking(*arguments, **settings):
    """Return a glass that shakes and breathes."""
    return Trajectory.from_arrays(*frames_of(*arguments, **settings), frame_spacing_fs=100.0)


def packed(seed, counts=None, density=1.8):
    atoms = pack_units(unit_counts(75, 200).counts if counts is None else counts, density, seed)
    del atoms.arrays["unit"]
    return atoms


def test_a_packed_glass_is_what_was_packed():
    counts = {"PS4": 10, "P2S7": 4, "P2S6": 2, "S": 2, "Li": 58}
    report = glass_report(shaking(packed(1, counts), 0.02), expected={"PS4": 10 / 22, "P2S7": 8 / 22, "P2S6": 4 / 22})
    shares = {name: share.value for name, share in report.units.items()}
    assert shares == pytest.approx({"PS4": 10 / 22, "P2S7": 8 / 22, "P2S6": 4 / 22})
    assert report.intact.value == 1.0
    assert report.homopolar.value == 0.0
    assert report.centres_bonded.value == pytest.approx(4 / 22)
    assert report.free == pytest.approx(2 / (40 + 28 + 12 + 2))
    assert report.bond.value == pytest.approx((14 * 4 * 2.05 + 8 * (2.12 + 3 * 2.05)) / (14 * 4 + 8 * 4), abs=0.02)
    assert report.density_g_cm3.value == pytest.approx(1.8, rel=2e-3)
    assert report.shell.pair == "Li-S"
    assert 2.2 < report.shell.distance_a < 2.7
    assert (report.verdict.quality, report.n_atoms) == ("weak", 162)
    assert report.verdict.reasons == ("found 162 atoms, expected 200 or more: a glass has no unit cell",)


def test_a_report_does_not_depend_on_orientation_or_order():
    species, positions, cells = frames_of(packed(2), n_frames=20)
    before = glass_report(Trajectory.from_arrays(species, positions, cells, frame_spacing_fs=100.0))
    order = np.random.default_rng(3).permutation(len(species))
    turn = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    turned = Trajectory.from_arrays(species[order], positions[:, order] @ turn, cells @ turn, frame_spacing_fs=100.0)
    after = glass_report(turned)
    assert after.bond.value == pytest.approx(before.bond.value, rel=1e-9)
    assert after.shell.coordination == pytest.approx(before.shell.coordination, rel=1e-6)
    assert after.shell.distance_a == pytest.approx(before.shell.distance_a, rel=1e-6)
    assert after.density_g_cm3.value == pytest.approx(before.density_g_cm3.value, rel=1e-9)
    assert {k: v.value for k, v in after.units.items()} == {k: v.value for k, v in before.units.items()}


def test_a_crystal_is_refused():
    report = glass_report(shaking(crystal("beta_li3ps4").repeat((2, 2, 2)), 0.15))
    assert report.verdict.quality == "refused"
    assert "found a Bragg peak at " in report.verdict.reasons[0]
    assert "it is a crystal, or did not melt" in report.verdict.reasons[0]


def test_each_doubt_has_its_reason():
    atoms = packed(1)
    phosphorus = np.flatnonzero(atoms.symbols == "P")
    symbols = np.array(atoms.get_chemical_symbols())
    broken = atoms[[k for k in range(len(atoms)) if k not in phosphorus[:4] + 1]]  # a sulphur follows its phosphorus
    reasons = glass_report(shaking(broken, 0.01)).verdict.reasons
    assert reasons[0].startswith("found 84.0% of the P in intact units, expected 90%")
    wrong = glass_report(shaking(atoms), expected={"P2S7": 1.0}, quench_rate_k_ps=100.0).verdict
    assert wrong.quality == "weak"
    assert wrong.reasons == (
        "found 0.0% of the P in P2S7, expected 100.0% by the composition",
        "quenched at 100 K/ps, expected 10 or less: the structure of the melt is frozen in",
    )
    close = atoms.copy()
    one, other = np.flatnonzero(symbols == "S")[[0, 40]]
    away = close.get_distance(phosphorus[0], one, mic=True, vector=True)
    close.positions[other] = close.positions[one] + away  # outward: no other bond
    kept = [k for k in range(len(close)) if k in (one, other) or close.get_distance(k, other, mic=True) > 2.0]
    reasons = glass_report(shaking(close[kept], 0.01)).verdict.reasons
    assert any("% of the S bound to S, expected at most 1%" in reason for reason in reasons)
    strict = glass_report(shaking(atoms), criteria=GlassCriteria(bond_a=(1.9, 2.0))).verdict
    assert any("expected 1.90 to 2.00 Å" in reason for reason in strict.reasons)


def test_three_glasses_are_one_answer():
    glasses = [shaking(packed(seed, density=1.8 + 0.02 * seed), seed=seed) for seed in (1, 2, 3)]
    found = glass_ensemble(glasses, expected={"PS4": 1.0}, quench_rate_k_ps=5.0)
    assert found.verdict.quality == "pass", found.verdict.reasons
    density = found.density_g_cm3
    low, high = student.interval(0.95, 2, np.mean(density.values), np.std(density.values, ddof=1) / np.sqrt(3))
    assert (density.interval.low, density.interval.high) == pytest.approx((low, high))
    assert density.between_sd == pytest.approx(0.02, rel=0.4)  # three values, and noise of 0.001 in each
    assert density.within_sd < 0.005
    assert found.units["PS4"].interval.value == 1.0
    assert 0.93 < found.units["PS4"].interval.low < 0.97  # 75 of 75: Clopper and Pearson's, 0.952
    assert '"PS4"' in to_json(found)


def test_fewer_than_three_are_weak_and_a_crystal_among_them_is_refused():
    glasses = [shaking(packed(seed), seed=seed) for seed in (1, 2)]
    assert glass_ensemble(glasses).verdict.reasons == (
        "2 glasses, expected 3 or more: how glasses differ is hardly known",
    )
    one = glass_ensemble(glasses[:1])
    assert one.density_g_cm3.interval == one.reports[0].density_g_cm3
    assert one.verdict.reasons[-1].startswith("one glass, expected 3 or more")
    beta = shaking(crystal("beta_li3ps4").repeat((2, 2, 2)), 0.15)
    from_crystal = glass_ensemble([beta, beta, beta], names=["a", "b", "c"])
    assert from_crystal.verdict.quality == "refused"
    with pytest.raises(InputError, match="different compositions"):
        glass_ensemble([glasses[0], beta])
    with pytest.raises(InputError, match="found no glass"):
        glass_ensemble([])


def test_salts_and_oxides_are_known():
    assert find_centre(np.array(["Li", "Cl"])) is None
    assert find_centre(np.array(["Li", "P", "O", "O", "S"])) == ("P", "O")
    assert find_centre(np.array(["Li", "Ge", "P", "P", "S"])) == ("P", "S")


def test_the_interval_is_that_of_hartung_and_knapp_for_equal_weights():
    """The slow twin: τ² by search, weights, Σ w (y − μ)²/((k − 1) Σ w)."""
    rng = np.random.default_rng(5)
    for k in (2, 3, 5):
        values, error = 2.0 + rng.normal(0.0, 0.2, k), 0.1
        grid = np.linspace(0.0, 1.0, 200_001)
        spread = ((values - values.mean()) ** 2).sum()
        tau2 = grid[np.argmin(np.abs(spread / (grid + error**2) - (k - 1)))]
        w = np.full(k, 1.0 / (tau2 + error**2))
        variance = (w * (values - values.mean()) ** 2).sum() / ((k - 1) * w.sum())
        half = student.ppf(0.975, k - 1) * np.sqrt(variance)
        found = between_glasses(values, [error] * k)
        assert found.interval.high - found.interval.value == pytest.approx(half, rel=1e-6)
        assert found.between_sd == pytest.approx(np.sqrt(tau2), abs=1e-4)
    with pytest.raises(InputError, match="two glasses or more"):
        between_glasses([1.0])


@pytest.mark.parametrize("between", [0.0, 0.05, 0.3])
def test_intervals_cover_with_and_without_differences_between_glasses(between):
    """4,000 ensembles of three glasses with 0.1 within: 95 % coverage to three standard errors, 1.0 %."""
    rng = np.random.default_rng(11)
    n = 4000
    values = 1.0 + between * rng.normal(size=(n, 3)) + 0.1 * rng.normal(size=(n, 3))
    found = [between_glasses(each, [0.1] * 3).interval for each in values]
    inside = np.mean([each.low <= 1.0 <= each.high for each in found])
    assert inside == pytest.approx(0.95, abs=0.0104)


@pytest.mark.parametrize("share", [0.999, 0.95])
def test_shares_that_all_glasses_have_alike_are_not_certain(share):
    """75 units in three glasses, each whole with this probability."""
    rng = np.random.default_rng(13)
    draws = rng.binomial(25, share, size=(2000, 3)) / 25
    found = [between_glasses(each, [0.0] * 3, share_of=75).interval for each in draws]
    inside = np.mean([each.low <= share <= each.high for each in found])
    assert inside > 0.94
    assert all(0.0 <= each.low <= each.high <= 1.0 for each in found)
