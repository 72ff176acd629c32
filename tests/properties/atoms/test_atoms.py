"""Surroundings and potentials of atoms, models of them, spectra, and the program."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from scipy.stats import norm

from mlip_sse.cli.main import main
from mlip_sse.errors import InputError
from mlip_sse.properties.atoms.atom_model import atom_errors, fit_atoms, read_atom_model
from mlip_sse.properties.atoms.frame_files import charges_of, split_name
from mlip_sse.properties.atoms.spectrum import spectrum_of
from mlip_sse.properties.atoms.surroundings import Surroundings, formal_potentials
from mlip_sse.structures.ewald import COULOMB_EV_A

CHARGES = {"Li": 1.0, "Cl": -1.0}
MADELUNG = 1.7475645946
SMALL = Surroundings(("Cl", "Li"), cutoff_a=4.5, n_max=3, l_max=2)


def vibrating(n_frames, seed=0, amplitude=0.12):
    """Return frames of rock salt of LiCl, (2, 2, 1) cubic cells."""
    rng = np.random.default_rng(seed)
    crystal = bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat((2, 2, 1))
    frames = []
    for _ in range(n_frames):
        atoms = crystal.copy()
        atoms.positions += rng.normal(0.0, amplitude, atoms.positions.shape)
        frames.append(atoms)
    return frames


def potentials(frames):
    return [formal_potentials(atoms, CHARGES) for atoms in frames]


@pytest.fixture(scope="module")
def fitted():
    frames = vibrating(20)
    return fit_atoms(frames, potentials(frames), what="potential", unit="V", models=("linear",), surroundings=SMALL)


def test_potential_of_rock_salt_is_that_of_madelung():
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    expected = -MADELUNG * COULOMB_EV_A / (5.13 / 2)
    found = formal_potentials(atoms, CHARGES, accuracy=1e-9)
    symbols = np.array(atoms.get_chemical_symbols())
    np.testing.assert_allclose(found, np.where(symbols == "Li", expected, -expected), rtol=1e-7)


def test_surroundings_do_not_change_when_the_cell_is_turned_moved_or_dealt_anew(fitted):
    (atoms,) = vibrating(1, seed=3)
    turned = atoms.copy()
    turned.rotate(40.0, (1.0, 2.0, 3.0), rotate_cell=True)
    order = np.random.default_rng(0).permutation(len(atoms))
    moved = atoms[order]
    moved.positions += [13.0, -9.0, 2.0]
    plain = fitted.surroundings.of(atoms)
    scale = np.abs(plain).max()
    np.testing.assert_allclose(fitted.surroundings.of(turned), plain, atol=1e-6 * scale)
    np.testing.assert_allclose(fitted.surroundings.of(moved), plain[order], atol=1e-6 * scale)
    np.testing.assert_allclose(fitted.predict(moved).value, fitted.predict(atoms).value[order], atol=1e-6)


def test_potentials_are_learnt_and_intervals_cover(fitted):
    frames = vibrating(20, seed=5)
    for row in atom_errors(fitted, frames, potentials(frames)):
        assert row.low < row.mae < row.high
        assert row.mae < 0.6 * row.baseline  # the mean of the element says nothing of vibrations
        assert row.mae < 0.5 * row.null
        assert 0.84 < row.covered < 0.985  # 90 %, and 95 % of the scores: 20 blocks leave a 21st out


def test_a_model_survives_the_disk_and_knows_what_it_is(fitted, tmp_path):
    fitted.write(tmp_path / "model")
    (atoms,) = vibrating(1, seed=9)
    np.testing.assert_array_equal(read_atom_model(tmp_path / "model").predict(atoms).value, fitted.predict(atoms).value)


def test_a_spectrum_holds_each_atom_once_and_is_the_sum_of_gaussians():
    rng = np.random.default_rng(2)
    values, labels = rng.normal(0.0, 1.0, (60, 7)), rng.integers(2, size=(60, 7))
    found = spectrum_of(values, labels, ("a", "b"), width=0.3)
    step = found.energies[1] - found.energies[0]
    np.testing.assert_allclose(found.density.sum() * step, 7.0, rtol=1e-12)
    slow = np.array([norm.pdf(e, values[labels == 0], 0.3).sum() / 60 for e in found.energies])
    np.testing.assert_allclose(found.density[0], slow, atol=0.01 * slow.max())  # bins of a fifth of the width
    assert np.all((found.low <= found.density) & (found.density <= found.high))


def test_intervals_of_a_spectrum_hold_the_expected_density():
    inside = []
    for seed in range(20):
        values = np.random.default_rng(seed).normal(0.0, 1.0, (80, 5))
        found = spectrum_of(values, np.zeros((80, 5), dtype=int), ("all",), width=0.5)
        near = np.abs(found.energies) < 1.5
        truth = 5 * norm.pdf(found.energies[near], 0.0, np.hypot(1.0, 0.5))
        inside.append(((found.low[0, near] <= truth) & (truth <= found.high[0, near])).mean())
    assert 0.88 < np.mean(inside) <= 1.0  # 95 %, neighbouring bins agree with each other


def test_the_program_fits_tries_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = vibrating(16)
    for atoms in frames:
        atoms.set_array("shift", formal_potentials(atoms, CHARGES))
    write("frames.extxyz", frames)
    asked = "properties fit-atoms frames.extxyz@0:12 --column shift --unit V --out model --model linear"
    asked += " --test frames.extxyz@12:"
    assert main(asked.split()) == 0
    assert "unseen blocks of 12 frames" in capsys.readouterr().out
    asked = "properties spectrum frames.extxyz --model model --out spectrum --frame-spacing-fs 10 --blocks 4"
    assert main(asked.split()) == 0
    assert "16 frames of 32 atoms" in capsys.readouterr().out
    assert (tmp_path / "spectrum/spectrum.csv").read_text().startswith("energy,Cl,Cl low,Cl high,Li")
    assert (tmp_path / "spectrum/spectrum.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("do", "says"),
    [
        (lambda m: formal_potentials(vibrating(1)[0], {"Li": 1.0}), "no charge of Cl"),
        (lambda m: formal_potentials(vibrating(1)[0], {"Li": 2.0, "Cl": -1.0}), "add up to 16"),
        (lambda m: m.predict(bulk("NaCl", "rocksalt", a=5.6)), "atoms of Na"),
        (lambda m: fit_atoms(vibrating(2), potentials(vibrating(2)), what="x"), "2 frames in 2 blocks"),
        (lambda m: fit_atoms(vibrating(10), [np.zeros(3)] * 10, what="x"), "32 finite ones"),
        (lambda m: spectrum_of(np.zeros((5, 2)), np.zeros((5, 2), int), ("a",), width=0.1), "5 frames in 10 blocks"),
        (lambda m: spectrum_of(np.zeros((5, 2)), np.zeros((5, 2), int), ("a",), width=-1.0, n_blocks=2), "width of -1"),
        (lambda m: charges_of("Li+1"), "a number for each element"),
        (lambda m: split_name("run.extxyz@1:x"), "expected start:stop:step"),
        (lambda m: Surroundings(("Li",), cutoff_a=-1.0), "cutoff above 1"),
    ],
)
def test_bad_input_is_said_in_a_line(fitted, do, says):
    with pytest.raises(InputError, match=says.replace("+", r"\+")) as caught:
        do(fitted)
    assert "\n" not in str(caught.value)
