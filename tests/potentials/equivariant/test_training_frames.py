"""Frames on their way into nequip."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.potentials.equivariant.training_frames import (
    choose_elements,
    data_digest,
    element_energies,
    force_sizes,
    write_frames,
)
from tests.potentials.equivariant.tiny import tiny_frames


def test_elements_come_from_the_data_by_atomic_number():
    assert choose_elements(None, tiny_frames(1)) == ("Li", "P", "S")
    assert choose_elements(["S", "P", "Li"], tiny_frames(1)) == ("S", "P", "Li")


def test_elements_that_do_not_fit_the_data_are_named():
    with pytest.raises(InputError, match="frames with P, S, expected only Li"):
        choose_elements(["Li"], tiny_frames(1))
    with pytest.raises(InputError, match="no frame with Cl"):
        choose_elements(["Li", "P", "S", "Cl"], tiny_frames(1))
    with pytest.raises(InputError, match="no training frames"):
        choose_elements(None, [])


class Composition:
    """A frame as far as `element_energies` looks at it."""

    def __init__(self, n_li, n_s):
        self.symbols = ("Li",) * n_li + ("S",) * n_s


def test_energies_of_elements_are_found_where_compositions_tell_them_apart():
    frames = [Composition(2, 1), Composition(4, 1), Composition(1, 3)]
    energies = np.array([-1.9 * len([s for s in f.symbols if s == "Li"]) - 4.2 * f.symbols.count("S") for f in frames])
    # The ridge of 1e-4 draws towards the mean by about 1e-4 / 0.02 of the difference of 2.3 eV.
    assert element_energies(energies, frames, ("Li", "S")) == pytest.approx([-1.9, -4.2], abs=0.02)


def test_energies_of_elements_of_one_composition_are_the_mean():
    frames = [Composition(2, 2)] * 3
    found = element_energies(np.array([-8.0, -8.4, -8.8]), frames, ("Li", "S"))
    assert found == pytest.approx([-2.1, -2.1], abs=1e-9)


def test_force_sizes_equal_the_plain_definition():
    frames = tiny_frames(3)
    found = force_sizes([frame.forces for frame in frames], frames, ("Li", "P", "S"))
    squares = [c**2 for f in frames for s, row in zip(f.symbols, f.forces, strict=True) if s == "P" for c in row]
    assert found[1] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-12)


def test_the_digest_knows_labels_and_parts():
    frames = tiny_frames(4)
    digest = data_digest(frames[:3], frames[3:])
    assert digest == data_digest(frames[:3], frames[3:])
    assert digest != data_digest(frames[:2], frames[2:])
    assert digest != data_digest(tiny_frames(4, with_stress=False)[:3], frames[3:])


def test_a_missing_stress_is_nan_in_the_file_where_others_have_one(tmp_path):
    from ase.io import read

    frames = [tiny_frames(1)[0], tiny_frames(2, with_stress=False)[1]]
    write_frames(tmp_path / "frames.extxyz", frames, with_stress=True)
    first, second = read(tmp_path / "frames.extxyz", ":", format="extxyz")
    assert first.get_stress() == pytest.approx(frames[0].stress, abs=1e-8)
    assert np.isnan(second.calc.results["stress"]).all()
    write_frames(tmp_path / "frames.extxyz", frames, with_stress=False)
    assert "stress" not in read(tmp_path / "frames.extxyz", 0, format="extxyz").calc.results
