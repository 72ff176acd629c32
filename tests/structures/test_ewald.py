"""The Ewald matrix against Madelung constants, against a slow twin, and under what must not matter."""

from math import erfc

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.structures.ewald import COULOMB_EV_A, ewald_matrix

ROCK_SALT = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def energy(cell, scaled, charges):
    return 0.5 * charges @ ewald_matrix(np.asarray(cell, float), np.asarray(scaled, float)) @ charges


@pytest.mark.parametrize(
    ("cell", "scaled", "charges", "nearest", "madelung", "units"),
    [
        # Madelung constants of rock salt, CsCl and zinc blende, from the literature, all digits shown.
        (np.eye(3) * 5.64, np.concatenate([ROCK_SALT, ROCK_SALT + 0.5]), [1] * 4 + [-1] * 4, 2.82, 1.7475645946, 4),
        (np.eye(3) * 4.12, [[0, 0, 0], [0.5, 0.5, 0.5]], [1, -1], 4.12 * np.sqrt(3) / 2, 1.7626747731, 1),
        (np.eye(3) * 4.0, np.concatenate([ROCK_SALT, ROCK_SALT + 0.25]), [1] * 4 + [-1] * 4, 3**0.5, 1.6380550534, 4),
    ],
)  # fmt: skip
def test_madelung_constants(cell, scaled, charges, nearest, madelung, units):
    expected = -COULOMB_EV_A * madelung / nearest * units
    assert energy(cell, scaled, np.array(charges, float)) == pytest.approx(expected, rel=1e-8)


def test_equals_the_slow_twin_in_a_triclinic_cell():
    rng = np.random.default_rng(4)
    cell = np.array([[5.0, 0, 0], [0.6, 5.5, 0], [-0.4, 0.7, 6.0]])
    scaled, charges = rng.random((5, 3)), np.array([1.0, -2.0, 1.0, 3.0, -2.0])  # 1 e in all: the background counts
    assert energy(cell, scaled, charges) == pytest.approx(_twin(cell, scaled, charges), abs=1e-7)


def _twin(cell, scaled, charges, eta=0.25, n_real=5, n_wave=7):
    """Sum as a textbook writes it, with another split between the two spaces."""
    volume, positions = abs(np.linalg.det(cell)), scaled @ cell
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    total = 0.0
    for i, qi in enumerate(charges):
        for j, qj in enumerate(charges):
            for n in np.ndindex(*(2 * n_real + 1,) * 3):
                r = np.linalg.norm(positions[i] - positions[j] + (np.array(n) - n_real) @ cell)
                if r > 1e-9 and r < 14:
                    total += 0.5 * qi * qj * erfc(np.sqrt(eta) * r) / r
    for n in np.ndindex(*(2 * n_wave + 1,) * 3):
        wave = (np.array(n) - n_wave) @ reciprocal
        if (squared := wave @ wave) > 1e-9:
            structure_factor = np.sum(charges * np.exp(1j * positions @ wave))
            total += 2 * np.pi / volume * np.exp(-squared / (4 * eta)) / squared * abs(structure_factor) ** 2
    total -= np.sqrt(eta / np.pi) * np.sum(charges**2) + np.pi / (2 * eta * volume) * charges.sum() ** 2
    return COULOMB_EV_A * total


def test_agrees_with_pymatgen_also_for_a_charged_cell():
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Lattice, Structure

    rng = np.random.default_rng(1)
    cell, scaled, charges = np.diag([6.0, 7.0, 8.0]) + 0.5, rng.random((5, 3)), np.array([1.0, 1.0, -2.0, 3.0, -1.0])
    structure = Structure(Lattice(cell), ["Li"] * 5, scaled)
    structure.add_oxidation_state_by_site(charges.tolist())
    theirs = EwaldSummation(structure, acc_factor=12).total_energy
    assert energy(cell, scaled, charges) == pytest.approx(theirs, rel=1e-6)  # their constants have six digits


def test_translation_wrapping_and_the_choice_of_cell_do_not_matter():
    rng = np.random.default_rng(2)
    cell, scaled = np.diag([6.0, 7.0, 8.0]) + rng.normal(0, 0.3, (3, 3)), rng.random((4, 3))
    matrix = ewald_matrix(cell, scaled)
    assert ewald_matrix(cell, scaled + np.array([0.3, -0.2, 0.9])) == pytest.approx(matrix, abs=1e-7)
    assert ewald_matrix(cell, scaled + rng.integers(-3, 3, (4, 3))) == pytest.approx(matrix, abs=1e-7)
    skew = np.array([[1, 0, 0], [2, 1, 0], [0, -1, 1]])
    assert ewald_matrix(skew @ cell, scaled @ np.linalg.inv(skew)) == pytest.approx(matrix, abs=1e-7)


def test_coincident_sites_and_flat_cells_are_refused():
    with pytest.raises(InputError, match="sites 0 and 1 are"):
        ewald_matrix(np.eye(3) * 4, np.array([[0.1, 0, 0], [1.1, 1.0, 0]]))
    with pytest.raises(InputError, match="volume"):
        ewald_matrix(np.diag([4.0, 4.0, 0.0]), np.zeros((1, 3)))
