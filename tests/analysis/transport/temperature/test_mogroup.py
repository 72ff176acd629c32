"""Published numbers of He, Zhu, Epstein and Mo's data, to the printed digits."""

from pathlib import Path

import numpy as np
import pytest

from mlip_sse.analysis.transport.temperature.activation import analyze_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius import fit_arrhenius
from mlip_sse.analysis.transport.temperature.reported import (
    effective_jumps,
    he_zhu_mo_rsd,
    nernst_einstein_factor,
    window_diffusivity,
)
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

ONE_SIGMA = 0.6826894921370859
DATA = Path(__file__).parents[5] / "shared/data/mogroup_transport"


@pytest.fixture
def folder():
    if not DATA.is_dir():
        pytest.skip("shared data mogroup_transport is not beside the checkout")
    return DATA


@pytest.fixture
def llzo(folder):
    t, d, error = np.loadtxt(folder / "D_T.csv", delimiter=",", skiprows=1).T
    lines = (folder / "POSCAR_LLZO").read_text().splitlines()
    cell = np.array([line.split() for line in lines[2:5]], dtype=float) * float(lines[1])
    n_li = int(lines[0].split()[0].removeprefix("Li"))
    return t, d, error, nernst_einstein_factor(n_li / np.linalg.det(cell), 1.0, 300.0)


def test_latp_window_diffusivity(folder):
    t, msd = np.loadtxt(folder / "latp_msd-t.csv", delimiter=",", skiprows=1).T[:2]
    assert window_diffusivity(t, msd, 0.5 * 3.2**2, 0.5) == pytest.approx(7.6018e-5, rel=1e-5)  # five printed digits


def test_llzo_weighted_fit_and_300k(llzo):
    t, d, error, factor = llzo
    assert factor == pytest.approx(158701249.73, rel=1e-6)  # theirs has older constants: 3e-7
    result = analyze_arrhenius(
        t, d, diffusivity_errors_cm2_s=error, nernst_einstein_factor_300k=factor, confidence=ONE_SIGMA
    )
    energy = result.activation_energy_ev
    # They use k_B = 8.617e-5 eV/K, 4e-5 below CODATA, which enters the slope's conversion only.
    theirs = 8.617e-5 / BOLTZMANN_EV_PER_K
    assert energy.value * theirs == pytest.approx(0.258128, abs=1e-6)
    assert (energy.high - energy.low) / 2 * theirs == pytest.approx(0.016832, abs=1e-6)
    assert energy.value == pytest.approx(0.258128, abs=2e-5)
    assert result.diffusivity_300k_cm2_s.value == pytest.approx(6.80754e-9, rel=1e-6)
    sigma = result.conductivity_300k_ms_cm
    assert sigma.value == pytest.approx(1.08037, abs=1e-5)
    assert (sigma.low, sigma.high) == pytest.approx((0.687, 1.699), abs=5e-4)
    assert result.to_dict()["quality"] == "pass"


def test_llzo_unweighted_fit_differs(llzo):
    t, d, _, factor = llzo
    fit = fit_arrhenius(t, d)
    assert fit.activation_energy_ev.value == pytest.approx(0.2482, abs=5e-5)
    assert fit.value_300k.value * factor == pytest.approx(1.38, abs=5e-3)


def test_he_zhu_mo_rule():
    assert he_zhu_mo_rsd(100.48841) == pytest.approx(0.382165, abs=1e-6)
    assert effective_jumps(np.array([1.0, 4.0]), 9, 3.0) == pytest.approx(4.0)
    with pytest.raises(InputError, match="no jump"):
        he_zhu_mo_rsd(0.0)


def test_nernst_einstein_factor_scales_with_charge_squared_and_inverse_temperature():
    one = nernst_einstein_factor(0.02, 1.0, 300.0)
    assert nernst_einstein_factor(0.02, 2.0, 600.0) == pytest.approx(2.0 * one)
    assert one == pytest.approx(6.198e9 * 0.02, rel=2e-4)  # handbook constant with four digits


def test_window_diffusivity_of_an_exact_line_ignores_the_cage():
    t = np.arange(1.0, 1001.0)
    assert window_diffusivity(t, 0.7 + 6 * 0.01 * t, 5.0) == pytest.approx(0.001, rel=1e-12)  # 0.01 Å²/fs


@pytest.mark.parametrize(
    ("msd", "lower", "message"),
    [
        (np.full(100, 0.3), 5.0, "0 points lie above"),
        (np.linspace(30.0, 20.0, 100), 5.0, "falls in the window"),
        (np.full(99, 0.3), 5.0, "of one length"),
        (np.full(100, np.nan), 5.0, "finite"),
    ],
)
def test_window_diffusivity_refuses(msd, lower, message):
    with pytest.raises(InputError, match=message):
        window_diffusivity(np.arange(1.0, 101.0), msd, lower)
