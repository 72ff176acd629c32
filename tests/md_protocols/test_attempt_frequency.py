"""Vineyard's attempt frequency: against formulas, with one atom and with all, and what it refuses."""

import numpy as np
import pytest
from ase import Atoms

from mlip_sse.errors import InputError
from mlip_sse.md_protocols.attempt_frequency import (
    attempt_frequencies,
    hop_rate_thz,
    mode_frequencies_thz,
    moving_atoms,
    partial_hessian,
    vineyard_thz,
)
from mlip_sse.md_protocols.neb_specs import VibrationSpec
from tests.md_protocols.landscape import landscape

E_OVER_AMU_A2 = 1.602176634e-19 / (1.66053906660e-27 * 1e-20)
"""1/s² of a curvature of 1 eV/Å² and a mass of 1 amu."""
ARGON_AMU = 39.948


def thz(curvature, mass=ARGON_AMU):
    """Return the frequency of an oscillator."""
    return np.sqrt(curvature * E_OVER_AMU_A2 / mass) / (2 * np.pi) * 1e-12


def valley(**shape):
    """Return template, path, ion, calculator and length of a straight hop in a landscape."""
    _, hop, _, calculator = landscape(**shape)
    n = len(calculator.places)
    template = Atoms("Ar" * n, positions=calculator.places, cell=3 * np.eye(3) * np.ptp(calculator.places), pbc=True)
    path = np.repeat(calculator.places[None], 5, axis=0)
    path[:, calculator.ion] = calculator.origin + np.linspace(0, 1, 5)[:, None] * np.array(hop.vector)
    return template, path, calculator, hop.distance


@pytest.mark.parametrize("n_neighbours", [0, 4])
def test_the_frequency_is_that_of_the_formula(n_neighbours):
    """Neighbours on springs of their own cancel; the ion has three curvatures at either place."""
    shape = {"h": 0.4, "a": 0.3, "b": 1.5, "d": 2.0}
    template, path, calculator, length = valley(**shape)
    settings = VibrationSpec(n_neighbours=n_neighbours, steps_a=(0.005, 0.01))
    forward, back = attempt_frequencies(template, path, 2, calculator.ion, calculator, settings)
    along = thz(32 * shape["h"] / length**2)
    wanted = along * np.sqrt(shape["b"] / (shape["b"] - shape["a"]))
    for found in (forward, back):
        assert found.verdict.quality == "pass", found.verdict.reasons
        assert found.frequency_thz.value == pytest.approx(wanted, rel=1e-3)  # differences of a quartic, 0.005 Å
        assert found.frequency_thz.low <= found.frequency_thz.value <= found.frequency_thz.high
        assert found.frequency_thz.high == pytest.approx(found.frequency_thz.low, rel=5e-3)
    assert forward.saddle_thz[0] == pytest.approx(-thz(16 * shape["h"] / length**2), rel=1e-3)
    assert (forward.n_moving, forward.is_whole) == (n_neighbours + 1, False)


def test_the_frequency_does_not_know_the_axes():
    template, path, calculator, _ = valley(h=0.4, a=0.3, b=1.5)
    settings = VibrationSpec(n_neighbours=2, steps_a=(0.005,))
    hessian = partial_hessian(template, path[2], calculator, moving_atoms(template, path, calculator.ion, 2), 0.005)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turned = np.kron(np.eye(3), turn) @ hessian @ np.kron(np.eye(3), turn).T
    masses = np.full(3, ARGON_AMU)
    assert mode_frequencies_thz(turned, masses, False) == pytest.approx(mode_frequencies_thz(hessian, masses, False))
    swapped = np.array([0, 1, 2, 6, 7, 8, 3, 4, 5])
    assert mode_frequencies_thz(hessian[np.ix_(swapped, swapped)], masses, False) == pytest.approx(
        mode_frequencies_thz(hessian, masses, False)
    )
    (forward, _) = attempt_frequencies(template, path, 2, calculator.ion, calculator, settings, is_symmetric=True)
    assert forward.verdict.quality in ("pass", "weak")


def test_two_atoms_alone_vibrate_with_their_reduced_mass():
    """A spring along x between two masses: of six modes three are translations, two have no force."""
    hessian = np.zeros((6, 6))
    hessian[np.ix_([0, 3], [0, 3])] = 5.0 * np.array([[1, -1], [-1, 1]])
    modes = mode_frequencies_thz(hessian, np.array([6.94, 35.45]), is_whole=True)
    assert len(modes) == 3
    assert modes[-1] == pytest.approx(thz(5.0, 6.94 * 35.45 / (6.94 + 35.45)), rel=1e-9)
    assert modes[:2] == pytest.approx(0, abs=1e-3)


def test_what_the_curvatures_at_the_top_cost_serves_again():
    template, path, calculator, _ = valley(h=0.4, a=0.3, b=1.5)
    settings = VibrationSpec(n_neighbours=1, steps_a=(0.02,))
    atoms = moving_atoms(template, path[2:3], calculator.ion, 3)
    known = (atoms, partial_hessian(template, path[2], calculator, atoms, 0.02))
    seen = []
    forward, _ = attempt_frequencies(
        template, path, 2, calculator.ion, calculator, settings, True, progress=seen.append, known=known
    )
    assert [line.split(" at the ")[1] for line in seen] == ["start, 0.02 Å"]
    plain, _ = attempt_frequencies(template, path, 2, calculator.ion, calculator, settings, True)
    assert forward.frequency_thz.value == pytest.approx(plain.frequency_thz.value, rel=1e-9)


@pytest.mark.parametrize(
    ("minimum", "saddle", "message"),
    [
        ([-1.0, 2.0, 3.0], [-2.0, 2.0, 3.0], "found 1 imaginary modes at the minimum .* expected none"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "found 0 imaginary modes at the saddle .* expected one"),
        ([1.0, 2.0, 3.0], [-2.0, -1.0, 3.0], r"found 2 imaginary modes at the saddle \(the lowest -2.00, -1.00 THz\)"),
        ([0.01, 2.0, 3.0], [-2.0, 1.0, 3.0], "found a mode of 0.01 THz, expected 0.1 or more"),
    ],
)
def test_what_is_no_minimum_and_no_saddle_is_refused(minimum, saddle, message):
    with pytest.raises(InputError, match=message):
        vineyard_thz(np.array(minimum), np.array(saddle))


def test_a_hill_has_no_attempt_frequency():
    template, path, calculator, _ = valley(h=0.6, a=1.4, b=0.4)
    settings = VibrationSpec(n_neighbours=1, steps_a=(0.01, 0.02))
    forward, back = attempt_frequencies(template, path, 2, calculator.ion, calculator, settings)
    for found in (forward, back):
        assert (found.frequency_thz, found.verdict.quality) == (None, "refused")
        assert "2 imaginary modes at the saddle" in found.verdict.reasons[0]
        assert len(found.verdict.reasons) == 1


def test_the_rate_is_arrhenius():
    assert hop_rate_thz(10.0, 0.3, 300.0) == pytest.approx(10 * np.exp(-0.3 / (8.617333262e-5 * 300)), rel=1e-12)
