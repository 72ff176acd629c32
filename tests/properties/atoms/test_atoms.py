"""Surroundings and potentials of atoms, models of them, spectra, and the program."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from scipy.stats import norm

from mlip_sse.cli.main import main
from mlip_sse.errors import InputError
from mlip_sse.properties.atoms.along import spectra_along
from mlip_sse.properties.atoms.atom_model import atom_errors, fit_atoms, frame_blocks, read_atom_model
from mlip_sse.properties.atoms.atom_part import PartSettings, fit_part
from mlip_sse.properties.atoms.frame_files import charges_of, split_name, truth_of
from mlip_sse.properties.atoms.site_energies import surrogate_site_energies
from mlip_sse.properties.atoms.spectrum import ModelErrors, spectrum_of
from mlip_sse.properties.atoms.spectrum_comparison import misplaced
from mlip_sse.properties.atoms.surroundings import Surroundings, formal_potentials
from mlip_sse.structures import crystal
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
    assert main([*asked.split(), "--column", "shift"]) == 0
    said = capsys.readouterr().out
    assert "16 frames of 32 atoms" in said
    assert "errors of the model on unseen blocks" in said
    assert "misplaced" in said
    assert (tmp_path / "spectrum/spectrum.csv").read_text().startswith("energy,Cl,Cl low,Cl high,Cl predicted,Li")
    for name in ("spectrum.png", "spectrum.svg", "truth.csv"):
        assert (tmp_path / "spectrum" / name).stat().st_size > 1000


def test_the_program_says_that_a_run_is_unlike_the_training(fitted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fitted.write("model")
    asked = ["--model", "model", "--out", "s", "--frame-spacing-fs", "10", "--blocks", "4"]
    write("hot.extxyz", vibrating(8, seed=4, amplitude=0.3))
    assert main(["properties", "spectrum", "hot.extxyz", *asked]) == 0
    assert "are farther from the training than 90 %" in capsys.readouterr().out
    write("like.extxyz", vibrating(8, seed=4))
    assert main(["properties", "spectrum", "like.extxyz", *asked]) == 0
    assert "farther" not in capsys.readouterr().out


def test_where_regressors_disagree_the_interval_is_wide():
    """A frame of which one of two models knows nothing: their disagreement widens all of its atoms."""
    rng = np.random.default_rng(0)
    features = rng.normal(0.0, 1.0, (400, 3))
    frames = np.repeat(np.arange(40), 10)
    target = features[:, 0] + 0.3 * features[:, 1] ** 2 + 0.05 * rng.normal(size=400)
    part = fit_part(features, target, frames // 2, frames, PartSettings(("linear", "gaussian_process")))
    assert part.knows_spread == tuple(each.model == "gaussian_process" for each in part.tried)
    usual = np.zeros((10, 3))
    strange = usual.copy()
    strange[0, 1] = 6.0
    one = np.zeros(10, dtype=int)
    (near, _), (far, scales) = part.ask(usual, one, 0.9), part.ask(strange, one, 0.9)
    assert np.all(far.high - far.low > 1.5 * (near.high - near.low))
    assert scales[0] > scales[1]  # its own deviation besides
    assert 0.05 < np.mean(np.abs(part.residuals) > np.quantile(np.abs(part.residuals), 0.9)) < 0.15


def test_blocks_do_not_straddle_runs():
    found = frame_blocks(30, 10, [20, 10])
    assert len(set(found[:20]) & set(found[20:])) == 0
    assert len(np.unique(found)) == 10
    np.testing.assert_array_equal(frame_blocks(12, 4), np.repeat(np.arange(4), 3))
    with pytest.raises(InputError, match="add up to 12"):
        frame_blocks(12, 4, [3, 4])


def model_of(rng, n_frames, n_atoms, n_rows=600, noise=0.4):
    """Return values of a model, the truth about them, and the model's errors as residuals of 20 blocks say them."""
    value = rng.normal(0.0, 1.0, (n_frames, n_atoms))
    scales = np.full(value.shape, noise)
    residuals = (rng.normal(size=n_rows), np.repeat(np.arange(20), n_rows // 20))
    errors = ModelErrors(scales, np.zeros(n_atoms, dtype=int), [residuals])
    return value, value + noise * rng.normal(size=value.shape), errors


def test_a_spectrum_of_a_model_is_as_broad_as_the_truth_and_its_intervals_hold_it():
    labels, held, missed = np.zeros((200, 6), dtype=int), [], []
    for seed in range(12):
        value, truth, errors = model_of(np.random.default_rng(seed), 200, 6)
        found = spectrum_of(value, labels, ("all",), width=0.2, errors=errors)
        step = found.energies[1] - found.energies[0]
        np.testing.assert_allclose(found.density.sum() * step, 6.0, rtol=1e-6)
        row = misplaced(found, spectrum_of(truth, labels, ("all",), width=0.2))[0]
        near = np.abs(found.energies) < 2.0
        expected = 6 * norm.pdf(found.energies[near], 0.0, np.sqrt(1.0 + 0.4**2 + 0.2**2))
        held.append(((found.low[0, near] <= expected) & (expected <= found.high[0, near])).mean())
        missed.append((row.share, row.predicted))
        assert row.low <= row.share <= row.high + 0.02
    assert np.mean(held) > 0.9  # 95 %, neighbouring bins agree with each other
    shares = np.mean(missed, axis=0)
    assert shares[0] < 0.7 * shares[1]  # without its errors a model's spectrum is too narrow


def test_atoms_that_stay_keep_their_errors_and_intervals_hold_them():
    """Six atoms that vibrate about six sites, each with an error of its own for the whole run."""
    labels, held = np.zeros((100, 6), dtype=int), []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        _, _, errors = model_of(rng, 100, 6)
        value = np.linspace(-1.5, 1.5, 6) + 0.1 * rng.normal(size=(100, 6))
        truth = value + 0.4 * rng.normal(size=6)
        found = spectrum_of(value, labels, ("all",), width=0.3, errors=errors)
        held.append(misplaced(found, spectrum_of(truth, labels, ("all",), width=0.3))[0].held)
    assert np.mean(held) > 0.85  # 0.03 without their variance


def test_a_convolution_with_residuals_is_that_of_the_plain_sum():
    rng = np.random.default_rng(3)
    value, _, errors = model_of(rng, 12, 3, n_rows=60)
    errors = ModelErrors(rng.uniform(0.2, 0.6, value.shape), errors.kinds, errors.residuals)
    found = spectrum_of(value, np.zeros(value.shape, int), ("all",), width=0.3, n_blocks=3, errors=errors)
    (residuals, _) = errors.residuals[0]
    slow = np.zeros(len(found.energies))
    for x, s in zip(value.ravel(), errors.scales.ravel(), strict=True):
        slow += norm.pdf(found.energies[:, None], x + s * residuals[None, :], 0.3).mean(axis=1) / 12
    np.testing.assert_allclose(found.density[0], slow, atol=0.03 * slow.max())  # bins, and eight classes of scales


def test_equal_spectra_are_not_misplaced_and_others_are():
    values, labels = np.random.default_rng(1).normal(size=(40, 4)), np.zeros((40, 4), int)
    one = spectrum_of(values, labels, ("all",), width=0.2, n_blocks=4)
    (row,) = misplaced(one, one)
    assert (row.share, row.low, row.high, row.held) == pytest.approx((0.0, 0.0, 0.0, 1.0))
    (row,) = misplaced(spectrum_of(values + 50.0, labels, ("all",), width=0.2, n_blocks=4), one)
    assert row.share == pytest.approx(1.0)


def test_labels_of_an_interphase_add_up_to_the_atoms():
    frames = []
    for seed in range(10):
        atoms = crystal("li6ps5cl")
        atoms.positions += np.random.default_rng(seed).normal(0.0, 0.03, atoms.positions.shape)
        frames.append(atoms)
    small = Surroundings(("Cl", "Li", "P", "S"), cutoff_a=4.0, n_max=2, l_max=1)
    values = [atoms.get_positions()[:, 0] for atoms in frames]
    model = fit_atoms(frames, values, what="x", models=("linear",), surroundings=small)
    along = spectra_along(model, frames[:4], width=0.3, n_blocks=2, environments=True)
    step = along.found.energies[1] - along.found.energies[0]
    assert along.found.density.sum() * step == pytest.approx(len(frames[0]), rel=1e-6)
    assert {"PS4", "Li ionic"} <= {along.found.names[at] for at in np.unique(along.labels)}


@pytest.mark.slow
def test_site_energies_add_up_to_the_surrogates_energy():
    pytest.importorskip("chgnet")
    frames = vibrating(2)
    first, _ = surrogate_site_energies(frames)
    assert first.shape == (32,)
    assert -4.5 * 32 < first.sum() < -2.5 * 32  # some 3.4 eV an atom in LiCl
    symbols = np.array(frames[0].get_chemical_symbols())
    assert first[symbols == "Cl"].std() < np.abs(first[symbols == "Cl"].mean() - first[symbols == "Li"].mean())


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
        (lambda m: truth_of("shift", "Li=1", None), "found 2 of --column"),
        (lambda m: truth_of(None, None, None), "found 0 of --column"),
        (lambda m: surrogate_site_energies([], "mace"), "expected chgnet"),
        (lambda m: spectra_along(m, [], width=0.1), "no frame"),
        (lambda m: spectra_along(m, [vibrating(1)[0], vibrating(1)[0][1:]], width=0.1), "other atoms than"),
        (lambda m: charges_of("Li+1"), "a number for each element"),
        (lambda m: split_name("run.extxyz@1:x"), "expected start:stop:step"),
        (lambda m: Surroundings(("Li",), cutoff_a=-1.0), "cutoff above 1"),
    ],
)
def test_bad_input_is_said_in_a_line(fitted, do, says):
    with pytest.raises(InputError, match=says.replace("+", r"\+")) as caught:
        do(fitted)
    assert "\n" not in str(caught.value)
